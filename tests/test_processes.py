"""What processes do to each other and to themselves: killed, stopped, paused, cut off from Redis.

Times run at a tenth: a lease lasts 1.5 s, a sweep comes every 0.3 s.
"""

import asyncio
import signal
import time

import psycopg
import pytest

from tests.client import Client, get
from tests.servers import Server, Stack

WORDS_60 = " ".join(f"w{n}" for n in range(1, 61))


def streaming(frame) -> bool:
    return frame["type"] == "message" and frame["message"]["state"] == "streaming"


async def history(server: Server, token: str) -> list[dict]:
    status, body, _ = await get(server, "/api/chat/messages", token)
    assert status == 200
    return body["messages"]


async def restarted(server: Server) -> None:
    await asyncio.to_thread(server.restart)


async def words(client: Client, count: int) -> None:
    """Waits until so many pieces of a reply have been seen."""
    for _ in range(count):
        await client.until("delta")


# With the tests' clients, and with a machine that takes its time to start a server.
PATIENT = {
    "CHAT_SILENCE_TIMEOUT": "90",
    "CHAT_CONNECT_TIMEOUT": "10",
    "CHAT_REPLY_DEADLINE": "40",
}


@pytest.fixture(params=["sqlite", "postgres"])
def single(request, stack) -> Stack:
    return stack(request.param, fast=True, env=PATIENT)


@pytest.fixture
def two(stack) -> Stack:
    return stack("postgres", servers=2, redis=True, fast=True, env=PATIENT)


async def test_killed_in_mid_reply_and_restarted_it_goes_on_in_the_same_message(single):
    visitor = await Client.open(single.server)
    await visitor.say("/words 60 25")
    begun = (await visitor.until(streaming))["message"]
    await words(visitor, 8)
    await asyncio.sleep(0.45)  # a save comes every 0.4 s
    single.server.kill()
    await visitor.closed()
    await restarted(single.server)
    started = time.monotonic()
    async with await visitor.again() as again:
        kept = again.frames[0]["open"]["message"]
        assert kept["id"] == begun["id"]
        assert kept["text"]
        assert WORDS_60.startswith(kept["text"])
        reply = await again.reply()
        assert time.monotonic() - started < 10
        assert (reply["id"], reply["attempt"], reply["text"]) == (begun["id"], 2, WORDS_60)
        assert again.shown(reply["id"]) == WORDS_60
        assert [m["seq"] for m in await history(single.server, again.token)] == [1, 2, 3]


async def test_killed_before_it_answered_the_message_is_answered_after_the_restart(single):
    visitor = await Client.open(single.server)
    id = await visitor.say("/words 2 5")
    await visitor.acknowledged(id)
    single.server.kill()
    await visitor.closed()
    await restarted(single.server)
    async with await visitor.again(rev=0) as again:
        for _ in range(100):
            rows = await history(single.server, again.token)
            if len(rows) == 3 and rows[2]["state"] == "complete":
                break
            await asyncio.sleep(0.1)
        assert (rows[2]["text"], rows[2]["reply_to"]) == ("w1 w2", rows[1]["id"])


async def test_killed_process_is_taken_over_by_the_other(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    await visitor.say("/words 60 25")
    begun = (await tab.until(streaming))["message"]
    await words(tab, 5)
    here.kill()
    killed = time.monotonic()
    again = (await tab.until(streaming))["message"]
    assert time.monotonic() - killed < 3
    assert (again["id"], again["attempt"], again["text"]) == (begun["id"], 2, "")
    reply = await tab.reply()
    assert reply["text"] == tab.shown(reply["id"]) == WORDS_60
    await tab.close()


async def test_new_words_after_the_writer_was_killed_are_answered(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    await visitor.say("/words 60 25")
    await words(tab, 5)
    here.kill()
    id = await tab.say("/words 3 5")
    mine = await tab.acknowledged(id)
    first, second = await tab.reply(), await tab.reply()
    assert (first["state"], second["state"], second["text"]) == (
        "interrupted",
        "complete",
        "w1 w2 w3",
    )
    assert WORDS_60.startswith(first["text"])
    assert second["reply_to"] == mine["id"]
    await tab.close()


async def test_stop_after_the_writer_was_killed_ends_the_reply(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    await visitor.say("/words 60 25")
    reply = (await tab.until(streaming))["message"]
    await words(tab, 3)
    here.kill()
    await tab.send({"type": "stop", "message": reply["id"]})
    ended = await tab.reply()
    assert (ended["id"], ended["state"]) == (reply["id"], "interrupted")
    await tab.close()


async def test_sigterm_tells_sockets_saves_and_leaves_the_reply_to_the_other(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    await visitor.say("/words 60 25")
    await words(tab, 8)
    started = time.monotonic()
    code = await asyncio.to_thread(here.stop)
    assert time.monotonic() - started < 5
    assert code in (0, -signal.SIGTERM)
    assert await visitor.closed() == 1012
    again = (await tab.until(streaming, timeout=2))["message"]
    assert again["attempt"] == 2
    assert (await tab.reply())["text"] == WORDS_60
    assert "Traceback" not in here.log
    await tab.close()


async def test_a_process_that_was_paused_does_not_write_over_its_successor(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    await visitor.say("/words 60 25")
    await words(tab, 5)
    here.pause()
    again = (await tab.until(streaming))["message"]
    assert again["attempt"] == 2
    here.resume()
    reply = await tab.reply()
    assert (reply["attempt"], reply["text"], tab.shown(reply["id"])) == (2, WORDS_60, WORDS_60)
    await asyncio.sleep(1)
    rows = await history(there, tab.token)
    assert (rows[-1]["attempt"], rows[-1]["text"]) == (2, WORDS_60)
    await visitor.close()
    await tab.close()


async def test_without_redis_a_chat_goes_on_and_others_catch_up(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    two.redis.stop()
    await visitor.say("/words 5 10")
    assert (await visitor.reply())["text"] == "w1 w2 w3 w4 w5"
    await tab.send({"type": "status", "rev": 0})
    assert len((await tab.until("status"))["messages"]) == 3
    _, health, _ = await get(here, "/api/health")
    assert (health["status"], health["checks"]["channel_layer"]["status"]) == (
        "degraded",
        "degraded",
    )
    await asyncio.to_thread(two.redis.start)
    for n in range(30):
        await visitor.say(f"/say again {n}")
        await asyncio.sleep(0.3)
        await tab.send({"type": "typing", "on": True})
        if any(f["type"] == "delta" and f["text"].startswith("again") for f in tab.frames):
            break
    await tab.until(lambda f: f["type"] == "delta" and f["text"].startswith("again"))
    assert (await get(here, "/api/health"))[1]["status"] == "ok"
    await visitor.close()
    await tab.close()


async def test_a_socket_that_never_connects_or_falls_silent_is_closed(stack):
    made = stack(fast=True)
    for visitor in (await Client.socket(made.server), await Client.open(made.server)):
        assert await visitor.closed(15) == 4408


async def test_a_restart_keeps_every_chat(single):
    visitors = [await Client.open(single.server) for _ in range(5)]
    for visitor in visitors:
        await visitor.say("/words 30 20")
        await visitor.until("delta")
    await restarted(single.server)
    for visitor in visitors:
        assert await visitor.closed() == 1012
        async with await visitor.again() as again:
            reply = again.frames[0]["open"] and await again.reply()
            rows = await history(single.server, again.token)
            assert rows[-1]["state"] == "complete"
            assert rows[-1]["text"] == " ".join(f"w{n}" for n in range(1, 31))
            assert not reply or reply["id"] == rows[-1]["id"]


async def test_bursts_over_two_processes_are_all_answered_in_the_end(two):
    """Every message once, no hole, and the last reply answers the last words."""
    first = await Client.open(two.servers[0])
    tabs = [first, *[await first.again(server=server) for server in (*two.servers, two.servers[1])]]
    for round in range(4):
        sent = [
            await tab.say(f"/say r{round}.{n}.{k}") for k in range(4) for n, tab in enumerate(tabs)
        ]
        acks = [await tabs[n % 4].acknowledged(id) for n, id in enumerate(sent)]
        assert len({ack["id"] for ack in acks}) == 16
        last = max(acks, key=lambda ack: ack["seq"])
        for tab in tabs:
            end = await tab.until(
                lambda f, last=last: (
                    f["type"] == "message"
                    and f["message"].get("reply_to") == last["id"]
                    and f["message"]["state"] == "complete"
                )
            )
            assert end["message"]["text"] == last["text"].removeprefix("/say ")
        rows = await history(two.server, first.token)
        assert [m["seq"] for m in rows] == list(range(rows[0]["seq"], rows[-1]["seq"] + 1))
        assert sum(m["state"] == "streaming" for m in rows) == 0
    for tab in tabs:
        await tab.close()


async def test_restart_beside_a_message_leaves_no_reply_going_on(two):
    here, there = two.servers
    for n in range(8):
        visitor = await Client.open(here)
        tab = await visitor.again(server=there)
        await visitor.say("/words 1 1")
        await tab.reply()
        await visitor.say("/words 30 20")
        await asyncio.sleep(n / 1000)
        await tab.send({"type": "restart"})
        await tab.until(lambda f: f["type"] == "status" and f["full"])
        await visitor.close()
        await tab.close()
    await asyncio.sleep(1)  # longer than any reply would go on
    query = "Message.objects.filter(text__contains='w2', conversation__state='closed')"
    code = f"from chat.models import Message; print({query}.filter(state='complete').count())"
    assert two.manage("shell", "-v0", "-c", code).strip() == "0"


async def test_redis_that_hangs_holds_up_nothing(stack):
    made = stack("postgres", redis=True, fast=True, env={**PATIENT, "CHAT_RATES": "on"})
    visitor = await Client.open(made.server)
    made.redis.pause()
    try:
        id = await visitor.say("/words 3 5")
        await visitor.acknowledged(id, timeout=3)
        assert (await visitor.reply(timeout=5))["text"] == "w1 w2 w3"
        async with asyncio.timeout(3):
            other = await Client.open(made.server)
    finally:
        made.redis.resume()
    await visitor.close()
    await other.close()


async def test_a_reply_that_its_own_process_forgot_is_not_waited_for(single):
    """As after a commit whose answer was lost."""
    visitor = await Client.open(single.server)
    await visitor.say("/words 2 5")
    await visitor.reply()
    await visitor.say("/words 100 50")
    begun = (await visitor.until(streaming))["message"]
    single.manage(
        "shell", "-v0", "-c",
        "from chat.models import Message, Conversation; from django.utils import timezone;"
        f"m = Message.objects.get(id='{begun['id']}');"
        "Message.objects.filter(id=m.id).update(attempt=7)",
    )  # fmt: skip
    await asyncio.sleep(0.6)  # its writer has noticed
    id = await visitor.say("/words 3 5")
    mine = await visitor.acknowledged(id)
    end = await visitor.until(
        lambda f: (
            f["type"] == "message"
            and f["message"].get("reply_to") == mine["id"]
            and f["message"]["state"] == "complete"
        ),
        timeout=3,
    )
    assert end["message"]["text"] == "w1 w2 w3"
    await visitor.close()


async def test_sockets_are_told_that_the_server_closes_or_the_model_fails(single):
    visitor = await Client.open(single.server)
    for _ in range(3):
        await visitor.say("/refuse")
        await visitor.reply()
    limited = await visitor.until(lambda f: f["type"] == "status" and f["state"] == "limited")
    assert limited["full"] is False
    await visitor.say("/words 2 5")
    await visitor.until(lambda f: f["type"] == "status" and f["state"] == "ready")
    await asyncio.to_thread(single.server.stop)
    assert await visitor.closed() == 1012
    states = [f["state"] for f in visitor.frames if f["type"] == "status"]
    assert states[-1] == "closing"


async def test_a_second_process_sees_every_frame_of_a_quick_reply(two):
    here, there = two.servers
    visitor = await Client.open(here)
    tab = await visitor.again(server=there)
    await visitor.say("/say quick")
    await tab.reply()
    seen = [
        (f["message"]["rev"], f["message"]["state"]) for f in tab.frames if f["type"] == "message"
    ]
    assert seen == [(1, "complete"), (2, "complete"), (3, "streaming"), (4, "complete")]
    await visitor.close()
    await tab.close()


# --- Nobody comes ---------------------------------------------------------------------------------

BLOCKED = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def is_told_that_nobody_comes(frame) -> bool:
    text = frame["message"]["text"] if frame["type"] == "message" else ""
    return text.startswith("Nobody from our team is free")


async def test_two_that_find_at_once_that_nobody_comes_say_it_once(two):
    visitor = await Client.open(two.servers[0])
    tab = await visitor.again(server=two.servers[1])
    await visitor.say('/tool hand_over {"reason": "wants a person"}')
    await visitor.reply()
    talk = visitor.frames[0]["conversation"]["id"]
    since = "UPDATE chat_conversation SET waiting_since = now() - interval '4 min' WHERE id = %s"
    async with (
        await psycopg.AsyncConnection.connect(two.database_url, autocommit=True) as database,
        await psycopg.AsyncConnection.connect(two.database_url) as holder,
    ):
        assert (await database.execute(since, [talk])).rowcount == 1
        # Whoever finds it late waits here, until both have found it.
        await holder.execute("SELECT 1 FROM chat_conversation WHERE id = %s FOR UPDATE", [talk])
        await database.execute("UPDATE chat_site SET answer_within = 3")
        for _ in range(200):
            blocked = await (await database.execute(BLOCKED)).fetchone()
            if blocked == (2,):
                break
            await asyncio.sleep(0.05)
        assert blocked == (2,)
        await holder.commit()
    for one in (visitor, tab):
        await one.until(is_told_that_nobody_comes)
    await asyncio.sleep(1)  # some sweeps of both
    for one in (visitor, tab):
        assert sum(map(is_told_that_nobody_comes, one.frames)) == 1
    rows = await history(two.servers[0], visitor.token)
    assert [row["role"] for row in rows].count("system") == 1
    assert sum(row["text"].startswith("Nobody from") for row in rows) == 1
    await tab.close()
    await visitor.close()
