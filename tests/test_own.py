"""Export and erase over the wire: in every process, on every kind of line, amid a reply."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from chat import wire
from tests.client import Client, get, post
from tests.servers import Server, Stack
from tests.test_frames import Line
from tests.test_processes import streaming

EXPORT, INIT = "/api/chat/export", "/api/chat/init"
WITHIN = 5.0  # seconds in which every socket has to know


@pytest.fixture(params=["sqlite", "postgres"])
def single(request: pytest.FixtureRequest, stack: Any) -> Stack:
    made: Stack = stack(request.param)
    return made


async def erase(server: Server, token: str) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.delete(f"{server.url}/api/chat", headers=headers) as response,
    ):
        return response.status, await response.json()


def stored(stack: Stack, of: str) -> str:
    """Everything in the database's tables of the chat that names `of`."""
    code = (
        "from django.apps import apps; "
        "rows = [str(r) for m in apps.get_models() for r in m._default_manager.values()]; "
        f"print([r for r in rows if {of!r} in r])"
    )
    return stack.manage("shell", "-v", "0", "-c", code).strip()


async def test_export_is_a_file_with_all_that_was_said(single: Stack) -> None:
    async with await Client.open(single.server) as visitor:
        status, empty, _ = await get(single.server, EXPORT, visitor.token)
        assert (status, empty) == (200, {"visitor": {}, "conversations": []})
        await visitor.say("/say the first ünïcödé answer")
        await visitor.reply()
        await visitor.send({"type": "restart"})
        await visitor.until(lambda frame: frame["type"] == "status" and frame["full"])
        for n in range(3):
            await visitor.say(f"/say answer {n}")
            await visitor.reply()
        status, told, headers = await get(single.server, EXPORT, visitor.token)
    assert status == 200
    assert headers["Content-Disposition"] == 'attachment; filename="chat.json"'
    assert headers["Cache-Control"] == "no-store"
    assert told["visitor"]["id"] == visitor.init["visitor"]
    first, second = told["conversations"]
    assert (first["state"], second["state"]) == ("closed", "open")
    assert [m["text"] for m in first["messages"]][-1] == "the first ünïcödé answer"
    assert [m["seq"] for m in second["messages"]] == list(range(1, 8))


async def test_erase_empties_the_database_and_answers_the_same_again(single: Stack) -> None:
    async with (
        await Client.open(single.server) as visitor,
        await Client.open(single.server) as other,
    ):
        for each in (visitor, other):
            await each.say("/say my-canary-words")
            await each.reply()
        id = visitor.init["visitor"]
        assert stored(single, id) != "[]"
        assert await erase(single.server, visitor.token) == (200, {"erased": True})
        assert await visitor.closed() == wire.CLOSE_ERASED
        assert stored(single, id) == "[]"
        assert stored(single, visitor.init["conversation"]["id"]) == "[]"
        assert await erase(single.server, visitor.token) == (200, {"erased": True})
        assert other.close_code is None
        _, told, _ = await get(single.server, EXPORT, other.token)
        assert "my-canary-words" in json.dumps(told)
    lines = [line for line in single.log.splitlines() if "visitor erased" in line]
    assert len(lines) == 1
    assert "1 conversations, 3 messages, 0 leads" in lines[0]
    assert id not in single.log


async def test_what_was_issued_before_is_worth_nothing(single: Stack) -> None:
    async with await Client.open(single.server) as visitor:
        await visitor.say("/say something")
        await visitor.reply()
        await erase(single.server, visitor.token)
    for path in (EXPORT, "/api/chat/messages", "/api/chat/events?rev=0"):
        status, body, _ = await get(single.server, path, visitor.token)
        assert (status, body["error"]["code"]) == (401, "bad_token")
    status, body, _ = await post(single.server, INIT, {"site": "demo", "token": visitor.token})
    assert (status, body["error"]["code"]) == (401, "bad_token")
    socket = await Client.socket(single.server)
    await socket.send({"type": "connect", "v": 1, "token": visitor.token, "rev": 4})
    assert await socket.closed() == wire.CLOSE_ERASED


# --- Two processes ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pair(session_stack: Any) -> Stack:
    made: Stack = session_stack("postgres", servers=2, redis=True)
    return made


@pytest.fixture
async def tabs(pair: Stack) -> AsyncIterator[list[Client]]:
    """One visitor's sockets: in the first process, in the second, and one over HTTP."""
    one = await Client.open(pair.server)
    await one.say("/say hello")
    await one.reply()
    found = [one, await one.again(server=pair.servers[1])]
    found.append(await Line.open(pair.servers[1], token=one.token))
    yield found
    for each in found[:2]:
        await each.close()
    await found[2].session.close()  # type: ignore[attr-defined]


async def test_every_open_socket_is_closed_with_4409(pair: Stack, tabs: list[Client]) -> None:
    stranger = await Client.open(pair.servers[1])
    assert await erase(pair.server, tabs[0].token) == (200, {"erased": True})
    codes = [await tab.closed(timeout=WITHIN) for tab in tabs]
    assert codes == [wire.CLOSE_ERASED] * 3
    assert stranger.close_code is None
    await stranger.close()


async def test_a_reply_under_way_elsewhere_ends_and_leaves_nothing(
    pair: Stack, tabs: list[Client]
) -> None:
    await tabs[0].say("/words 200 50")
    await tabs[1].until(streaming)
    await tabs[1].until("delta")
    assert await erase(pair.servers[1], tabs[0].token) == (200, {"erased": True})
    for tab in tabs:
        assert await tab.closed(timeout=WITHIN) == wire.CLOSE_ERASED
    await asyncio.sleep(1)  # a save would come every 0.5 s
    assert stored(pair, tabs[0].init["visitor"]) == "[]"
    assert "writing broke" not in pair.log
    assert "turn broke" not in pair.log


async def test_the_command_erases_too(pair: Stack, tabs: list[Client]) -> None:
    id = tabs[0].init["visitor"]
    said = await asyncio.to_thread(pair.manage, "erase", id)
    assert "1 conversations, 3 messages, 0 leads" in said
    for tab in tabs:
        assert await tab.closed(timeout=WITHIN) == wire.CLOSE_ERASED
    assert "nothing" in await asyncio.to_thread(pair.manage, "erase", id)


async def test_a_process_that_was_not_told_finds_out_by_itself(stack: Any) -> None:
    """Redis was away at that moment: the next question or message of a socket shows it."""
    two: Stack = stack("postgres", servers=2, redis=True)
    one = await Client.open(two.server)
    await one.say("/say hello")
    await one.reply()
    far = [await one.again(server=two.servers[1]) for _ in range(2)]
    assert two.redis is not None
    two.redis.stop()
    assert (await erase(two.server, one.token))[0] == 200
    assert await one.closed() == wire.CLOSE_ERASED
    assert [each.close_code for each in far] == [None, None]
    await far[0].send({"type": "status", "rev": one.rev})
    assert await far[0].closed() == wire.CLOSE_ERASED
    await far[1].say("/say too late")
    assert await far[1].closed() == wire.CLOSE_ERASED
    assert stored(two, one.init["visitor"]) == "[]"


# --- How often, and from where ------------------------------------------------------------------


async def test_a_flood_is_held_up(stack: Any) -> None:
    held: Stack = stack(
        env={"CHAT_RATES": "on", "CHAT_RATE_EXPORT": "2/minute", "CHAT_RATE_ERASE": "2/minute"}
    )
    async with await Client.open(held.server) as visitor:
        found = [await get(held.server, EXPORT, visitor.token) for _ in range(3)]
        assert [status for status, _, _ in found] == [200, 200, 429]
        assert int(found[2][2]["Retry-After"]) == found[2][1]["error"]["retry_after"] > 0
        erased = [await erase(held.server, visitor.token) for _ in range(3)]
        assert [status for status, _ in erased] == [200, 200, 429]


async def test_a_page_of_another_website_may_ask_for_neither(single: Stack) -> None:
    async with await Client.open(single.server) as visitor, aiohttp.ClientSession() as session:
        given = {"Authorization": f"Bearer {visitor.token}", "Origin": "https://evil.example"}
        for method, path in (("GET", EXPORT), ("DELETE", "/api/chat")):
            async with session.request(method, single.server.url + path, headers=given) as answer:
                assert answer.status == 403
        asked = {"Origin": single.server.url, "Access-Control-Request-Method": "DELETE"}
        async with session.options(f"{single.server.url}/api/chat", headers=asked) as answer:
            assert answer.headers["Access-Control-Allow-Methods"] == "DELETE"


# --- Consent ------------------------------------------------------------------------------------


async def test_a_site_that_asks_takes_words_with_an_agreement_alone(single: Stack) -> None:
    code = "from chat.models import Site; s = Site.objects.get(key='demo'); "
    single.manage("shell", "-c", f"{code} s.consent, s.consent_text = 'ask', 'May we?'; s.save()")
    async with await Client.open(single.server) as visitor:
        consent = visitor.init["site"]["consent"]
        assert consent == {
            "kind": "ask",
            "text": "May we?",
            "version": consent["version"],
            "accepted": False,
        }
        id = await visitor.say("/say hello")
        error = await visitor.until("error")
        assert (error["code"], error["client_id"], error["final"]) == ("not_allowed", id, True)
        assert stored(single, visitor.init["visitor"]) == "[]"
        await visitor.say("/say hello", id, consent=consent["version"])
        assert (await visitor.reply())["text"] == "hello"
        _, again, _ = await post(single.server, INIT, {"site": "demo", "token": visitor.token})
        assert again["site"]["consent"]["accepted"] is True
        _, told, _ = await get(single.server, EXPORT, visitor.token)
        assert told["visitor"]["consents"][0]["version"] == consent["version"]
