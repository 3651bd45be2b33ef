"""The wire protocol over real sockets: one process on SQLite, and two on PostgreSQL and Redis.

`here` is the process a visitor talks to first, `there` the one of a second tab; on SQLite they are
the same.
"""

import asyncio
import json
import uuid
from typing import NamedTuple

import pytest

from tests.client import Client, get, post
from tests.servers import Server


class Pair(NamedTuple):
    here: Server
    there: Server


@pytest.fixture(params=["sqlite", "postgres"])
def pair(request):
    if request.param == "sqlite":
        server = request.getfixturevalue("sqlite_server")
        return Pair(server, server)
    return Pair(*request.getfixturevalue("postgres_pair").servers)


def kinds(client: Client) -> list[str]:
    """What came down, in order, a word a frame; deltas in a row count as one."""
    seen: list[str] = []
    for frame in client.frames:
        kind = frame["type"]
        if kind == "message":
            kind = f"{frame['message']['role']} {frame['message']['state']}"
        elif kind == "typing":
            kind = f"typing {'on' if frame['on'] else 'off'}"
        if kind != "delta" or seen[-1:] != ["delta"]:
            seen.append(kind)
    return seen


def transcript(client: Client) -> list[tuple]:
    """The messages as this client has them at the end, by seq."""
    latest: dict[str, dict] = {}
    for frame in client.frames:
        if frame["type"] == "status" and frame["full"]:
            latest = {}
        shapes = [frame["message"]] if frame["type"] == "message" else frame.get("messages", [])
        for shape in shapes:
            if shape["rev"] >= latest.get(shape["id"], shape)["rev"]:
                latest[shape["id"]] = shape
    rows = sorted(latest.values(), key=lambda shape: shape["seq"])
    return [(row["seq"], row["role"], row["state"], row["text"]) for row in rows]


def streaming(frame) -> bool:
    return frame["type"] == "message" and frame["message"]["state"] == "streaming"


def is_error(code):
    return lambda frame: frame["type"] == "error" and frame["code"] == code


async def fresh(client: Client) -> list[tuple]:
    """What a new load of the page shows."""
    status, body, _ = await get(client.server, "/api/chat/messages", client.token)
    assert status == 200
    return [(m["seq"], m["role"], m["state"], m["text"]) for m in body["messages"]]


async def test_order_on_the_wire(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/words 5 20")
        reply = await visitor.reply()
        assert kinds(visitor) == [
            "status",
            "agent complete",
            "visitor complete",
            "typing on",
            "agent streaming",
            "delta",
            "typing off",
            "agent complete",
        ]
        assert reply["text"] == "w1 w2 w3 w4 w5"
        revs = [f["message"]["rev"] for f in visitor.frames if f["type"] == "message"]
        assert revs == [1, 2, 3, 4]
        assert transcript(visitor) == await fresh(visitor)


async def test_deltas_make_a_prefix_at_every_moment(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/say Schöne Grüße 👩‍👩‍👧 und 𝔘𝔫𝔦𝔠𝔬𝔡𝔢, bis bald")
        reply = await visitor.reply()
        assert visitor.shown(reply["id"]) == reply["text"]
        off = 0
        for frame in visitor.frames:
            if frame["type"] == "delta":
                assert frame["off"] == off
                off += len(frame["text"].encode("utf-16-le")) // 2


async def test_same_message_again_is_acknowledged_alike_and_answered_once(pair):
    async with await Client.open(pair.here) as visitor:
        id = await visitor.say("/words 3 5")
        first = await visitor.acknowledged(id)
        await visitor.reply()
        async with await visitor.again(server=pair.there) as other:
            await other.say("/words 3 5", id)
            assert (await other.acknowledged(id))["id"] == first["id"]
            await other.send({"type": "status", "rev": other.rev})
            await other.until("status")
            assert len(await fresh(visitor)) == 3


async def test_same_message_on_many_sockets_at_once_is_stored_once(pair):
    async with await Client.open(pair.here) as visitor:
        others = [await visitor.again(server=server) for server in (*pair, *pair)]
        id = str(uuid.uuid4())
        await asyncio.gather(*(tab.say("/words 2 5", id) for tab in (visitor, *others)))
        acks = [await tab.acknowledged(id) for tab in (visitor, *others)]
        assert len({ack["id"] for ack in acks}) == 1
        await visitor.reply()
        assert [row[1] for row in await fresh(visitor)] == ["agent", "visitor", "agent"]
        for tab in others:
            await tab.close()


async def test_reload_in_the_middle_of_a_reply(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/words 40 30")
        await visitor.until("delta")
        await visitor.until("delta")
        rev = visitor.rev
    async with await visitor.again(server=pair.there, rev=rev) as again:
        status = again.frames[0]
        assert status["messages"] == []
        assert status["open"]["message"]["state"] == "streaming"
        assert status["open"]["off"] == len(status["open"]["message"]["text"])
        delta = await again.until("delta")
        assert delta["off"] <= status["open"]["off"]
        reply = await again.reply()
        assert reply["text"] == " ".join(f"w{n}" for n in range(1, 41))
        assert again.shown(reply["id"]) == reply["text"]


async def test_second_tab_sees_the_same(pair):
    async with (
        await Client.open(pair.here) as visitor,
        await visitor.again(server=pair.there) as tab,
    ):
        await visitor.say("/words 20 30")
        reply = await tab.reply()
        await visitor.reply()
        assert tab.shown(reply["id"]) == reply["text"]
        assert kinds(tab) == kinds(visitor)
        assert transcript(tab) == transcript(visitor) == await fresh(tab)
        await tab.say("/words 3 10")
        assert (await visitor.reply())["text"] == (await tab.reply())["text"] == "w1 w2 w3"


async def test_stop_keeps_what_was_shown(pair):
    async with (
        await Client.open(pair.here) as visitor,
        await visitor.again(server=pair.there) as tab,
    ):
        await visitor.say("/words 200 30")
        reply = await tab.until(streaming)
        await tab.until("delta")
        await tab.send({"type": "stop", "message": reply["message"]["id"]})
        ended = await visitor.reply()
        assert ended["state"] == "interrupted"
        assert 0 < len(ended["text"]) < 400
        assert visitor.shown(ended["id"]) == ended["text"]
        await tab.reply()
        await tab.send({"type": "stop", "message": ended["id"]})  # on a finished reply: nothing
        await tab.send({"type": "status", "rev": tab.rev})
        assert (await tab.until("status"))["messages"] == []


async def test_new_words_interrupt_an_open_reply(pair):
    async with (
        await Client.open(pair.here) as visitor,
        await visitor.again(server=pair.there) as tab,
    ):
        await visitor.say("/words 200 30")
        await tab.until("delta")
        id = await tab.say("/words 3 5")
        mine = await tab.acknowledged(id)
        first, second = await tab.reply(), await tab.reply()
        assert (first["state"], second["state"]) == ("interrupted", "complete")
        assert second["text"] == "w1 w2 w3"
        assert second["reply_to"] == mine["id"]
        assert first["rev"] == mine["rev"] + 1
        await visitor.until(lambda f: f["type"] == "message" and f["message"] == second)
        ends = [f["message"]["rev"] for f in visitor.frames if f["type"] == "message"]
        assert ends == sorted(ends)
        interrupted = next(
            n
            for n, f in enumerate(tab.frames)
            if f["type"] == "message" and f["message"]["state"] == "interrupted"
        )
        late = [f for f in tab.frames[interrupted:] if f["type"] == "delta"]
        assert all(f["message"] == second["id"] for f in late)


async def test_ten_messages_at_once_are_all_kept_and_answered(pair):
    async with await Client.open(pair.here) as visitor:
        ids = [await visitor.say(f"/say number {n}") for n in range(10)]
        last = None
        for id in ids:
            last = await visitor.acknowledged(id)
        await visitor.until(
            lambda f: (
                f["type"] == "message"
                and f["message"].get("reply_to") == last["id"]
                and f["message"]["state"] == "complete"
            )
        )
        rows = await fresh(visitor)
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        assert [row[3] for row in rows if row[1] == "visitor"] == [
            f"/say number {n}" for n in range(10)
        ]
        assert {row[2] for row in rows} <= {"complete", "interrupted"}


async def test_regenerate_writes_the_same_reply_again(pair):
    async with (
        await Client.open(pair.here) as visitor,
        await visitor.again(server=pair.there) as tab,
    ):
        await visitor.say("/words 4 5")
        reply = await tab.reply()
        await tab.send({"type": "feedback", "message": reply["id"], "value": 1})
        await visitor.until(lambda f: f["type"] == "message" and f["message"].get("feedback") == 1)
        await tab.send({"type": "regenerate", "message": reply["id"], "attempt": 1})
        begun = (await visitor.until(streaming))["message"]
        assert (begun["id"], begun["attempt"], begun["text"]) == (reply["id"], 2, "")
        assert "feedback" not in begun
        again = (
            await visitor.until(
                lambda f: f["type"] == "message" and f["message"]["state"] == "complete"
            )
        )["message"]
        assert (again["attempt"], again["text"], again["seq"]) == (2, "w1 w2 w3 w4", reply["seq"])
        await tab.send({"type": "regenerate", "message": reply["id"], "attempt": 9})
        assert (await tab.until("error"))["code"] == "not_allowed"


async def test_regenerate_while_it_is_written_is_busy(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/words 100 20")
        reply = (await visitor.until(streaming))["message"]
        await visitor.send({"type": "regenerate", "message": reply["id"], "attempt": 1})
        error = await visitor.until("error")
        assert (error["code"], error["final"], error["about"]) == ("busy", False, reply["id"])
        await visitor.send({"type": "stop", "message": reply["id"]})
        await visitor.reply()


async def test_restart_ends_the_conversation_for_every_socket(pair):
    async with (
        await Client.open(pair.here) as visitor,
        await visitor.again(server=pair.there) as tab,
    ):
        await visitor.say("/words 200 20")
        await tab.until("delta")
        old = visitor.init["conversation"]["id"]
        await tab.send({"type": "restart"})
        status, other = await tab.until("status"), await visitor.until("status")
        for frame in (status, other):
            assert frame["full"]
            assert frame["messages"] == []
            assert frame["conversation"]["rev"] == 0
            assert frame["conversation"]["id"] == status["conversation"]["id"] != old
        await visitor.say("/words 2 5")
        assert (await tab.reply())["seq"] == 3
        assert [row[0] for row in await fresh(visitor)] == [1, 2, 3]


async def test_restart_with_nothing_said_changes_nothing(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.send({"type": "restart"})
        status = await visitor.until("status")
        assert status["conversation"]["id"] == visitor.init["conversation"]["id"]


async def test_message_of_an_ended_conversation_names_it(pair):
    async with await Client.open(pair.here) as visitor:
        id = await visitor.say("/words 2 5")
        first = await visitor.acknowledged(id)
        await visitor.reply()
        await visitor.send({"type": "restart"})
        await visitor.until("status")
        await visitor.say("/words 2 5", id)
        again = await visitor.until("message")
        assert again["message"]["id"] == first["id"]
        assert again["conversation"] == visitor.init["conversation"]["id"]


async def test_status_answers_what_was_missed(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/words 2 5")
        await visitor.reply()
        for asked, expected in (
            ({"rev": 4}, (False, [])),
            ({"rev": 2}, (False, [3])),
            ({"rev": 0}, (False, [1, 2, 3])),
            ({"rev": 99}, (True, [1, 2, 3])),
            ({"rev": 4, "epoch": "other"}, (True, [1, 2, 3])),
            ({"rev": 4, "conversation": str(uuid.uuid4())}, (True, [1, 2, 3])),
        ):
            await visitor.send({"type": "status", **asked})
            status = await visitor.until("status")
            seen = (status["full"], [m["seq"] for m in status["messages"]])
            assert seen == expected
            assert status["state"] == "ready"


async def test_long_history_comes_in_several_statuses(pair):
    async with await Client.open(pair.here) as visitor:
        for _ in range(12):
            id = await visitor.say("é" * 2000)
            await visitor.acknowledged(id)
        rev, rows = 0, []
        while True:
            await visitor.send({"type": "status", "rev": rev})
            status = await visitor.until("status")
            assert len(json.dumps(status, ensure_ascii=False).encode()) < 64 * 1024
            rows += status["messages"]
            rev = max([rev, *(m["rev"] for m in status["messages"])])
            if not status["more"]:
                break
        assert {m["text"] for m in rows if m["role"] == "visitor"} == {"é" * 2000}


async def test_feedback_reaches_every_tab_once(pair):
    async with (
        await Client.open(pair.here) as visitor,
        await visitor.again(server=pair.there) as tab,
    ):
        await visitor.say("/words 2 5")
        reply = await tab.reply()
        for value in (1, 1, 0):
            await visitor.send({"type": "feedback", "message": reply["id"], "value": value})
        last = await tab.until(
            lambda f: f["type"] == "message" and f["message"].get("feedback") == 0
        )
        assert last["message"]["rev"] == reply["rev"] + 2


async def test_a_word_why_is_a_change_that_only_staff_read(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/words 2 5")
        reply = await visitor.reply()
        for comment in ("Too short", "Too short", "x" * 501, "Far too short"):
            await visitor.send(
                {"type": "feedback", "message": reply["id"], "value": -1, "comment": comment}
            )
        refused = await visitor.until("error")
        assert (refused["code"], refused["about"]) == ("too_long", reply["id"])
        last = await visitor.until(
            lambda f: f["type"] == "message" and f["message"]["rev"] == reply["rev"] + 2
        )
        assert last["message"]["feedback"] == -1
        assert "too short" not in json.dumps(visitor.frames).lower()


async def test_quick_replies_come_with_the_end_of_a_reply(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/offer Oak | Elm")
        reply = await visitor.reply()
        assert (reply["text"], reply["replies"]) == ("Which one?", ["Oak", "Elm"])
        begun = next(f["message"] for f in visitor.frames if streaming(f))
        assert "replies" not in begun


async def test_failure_before_the_first_word_is_not_seen(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say(f"/flaky 1 {uuid.uuid4()}")
        reply = await visitor.reply()
        assert (reply["state"], reply["attempt"]) == ("complete", 1)


@pytest.mark.parametrize("command", ["/fail", "/refuse", "/empty", "/stall"])
async def test_where_the_model_fails_the_guided_seller_answers(pair, command):
    async with await Client.open(pair.here) as visitor:
        await visitor.say(command)
        reply = await visitor.reply(timeout=25)
        assert reply["state"] == "complete"
        assert reply["text"]


async def test_failure_after_the_first_word_is_visible_and_keeps_the_words(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/fail-after 3")
        reply = await visitor.reply()
        assert (reply["state"], reply["text"]) == ("failed", "w1 w2 w3")
        assert reply["error"]["code"] == "failed"
        assert reply["error"]["message"]
        await visitor.send({"type": "regenerate", "message": reply["id"], "attempt": 1})
        assert (await visitor.reply())["attempt"] == 2


async def test_a_tool_that_hands_over_says_so_to_the_visitor(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say('/tool hand_over {"reason": "wants a person"}')
        line = await visitor.until(
            lambda f: f["type"] == "message" and f["message"]["role"] == "system"
        )
        assert "team" in line["message"]["text"].lower()
        assert (await visitor.reply())["text"]


@pytest.mark.parametrize(
    "call",
    [
        '/tool save_lead {"email": "not.said@example.com"}',
        "/tool save_lead {broken",
        "/tool drop_table {}",
        '/tool save_lead {"name": ["nested", {"a": 1}]}',
        '/tool-loop save_lead {"name": "Ada"}',
    ],
)
async def test_a_hostile_tool_call_breaks_nothing(pair, call):
    async with await Client.open(pair.here) as visitor:
        await visitor.say(call)
        reply = await visitor.reply()
        assert reply["state"] == "complete"
        assert [row[1] for row in await fresh(visitor)] == ["agent", "visitor", "agent"]


async def test_ids_of_others_are_not_found(pair):
    async with await Client.open(pair.here) as stranger, await Client.open(pair.there) as visitor:
        await stranger.say("/words 2 5")
        theirs = (await stranger.reply())["id"]
        mine = await visitor.acknowledged(await visitor.say("/words 2 5"))
        await visitor.reply()
        for id in (theirs, str(uuid.uuid4()), "no-id"):
            for frame in (
                {"type": "stop", "message": id},
                {"type": "regenerate", "message": id, "attempt": 1},
                {"type": "feedback", "message": id, "value": 1},
            ):
                await visitor.send(frame)
                error = await visitor.until("error")
                assert (error["code"], error["final"]) == ("not_found", True)
            assert (await get(pair.here, f"/api/voice/{id}", visitor.token))[0] == 404
        for frame in (
            {"type": "stop", "message": mine["id"]},
            {"type": "regenerate", "message": mine["id"], "attempt": 1},
            {"type": "feedback", "message": mine["id"], "value": 1},
        ):
            await visitor.send(frame)
            assert (await visitor.until("error"))["code"] == "not_allowed"


async def test_a_reply_is_spoken_as_it_is_written_and_can_be_listed(pair):
    async with await Client.open(pair.here) as visitor, await visitor.again(rev=0) as silent:
        await visitor.send({"type": "sound", "on": True})
        async with await visitor.again(server=pair.there) as elsewhere:
            await elsewhere.send({"type": "sound", "on": True})
            await elsewhere.send({"type": "status", "rev": 0})  # answered after it
            await elsewhere.until("status")
            await visitor.say("/say One sentence here. And another one!")
            reply = await visitor.reply()
            await elsewhere.reply()
            await silent.reply()
            spoken = [f for f in visitor.frames if f["type"] == "speech"]
            assert [f["text"] for f in spoken] == ["One sentence here.", "And another one!"]
            assert [(f["n"], f.get("last")) for f in spoken] == [(0, None), (1, True)]
            assert {(f["message"], f["attempt"]) for f in spoken} == {(reply["id"], 1)}
            assert [f for f in elsewhere.frames if f["type"] == "speech"] == spoken
            assert not any(f["type"] == "speech" for f in silent.frames)
        status, body, _ = await get(pair.here, f"/api/voice/{reply['id']}", visitor.token)
        said = [{k: f[k] for k in ("n", "text", "off", "size")} for f in spoken]
        assert (status, body) == (200, {"segments": said, "attempt": 1})
        for f in spoken:
            assert reply["text"][f["off"] :][: f["size"]].strip() == f["text"]
        await visitor.send({"type": "sound", "on": False})
        await visitor.say("/say Nobody hears this.")
        await visitor.reply()
        assert [f for f in visitor.frames if f["type"] == "speech"] == spoken


async def test_token_opens_the_same_conversation_again(pair):
    async with await Client.open(pair.here) as visitor:
        await visitor.say("/words 2 5")
        await visitor.reply()
        _, init, _ = await post(
            pair.there, "/api/chat/init", {"site": "demo", "token": visitor.token}
        )
        assert init["visitor"] == visitor.init["visitor"]
        assert init["conversation"]["rev"] == 4
        assert [m["seq"] for m in init["messages"]] == [1, 2, 3]
        assert init["earlier"] is False
