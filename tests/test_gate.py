"""More replies at once than a process can write: the next ones wait, and then are told."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from chat.gate import Gate
from chat.live import live
from tests.client import Client, get


def begun(frame) -> bool:
    return frame["type"] == "delta"


@pytest.fixture
async def full(stack):
    """Two places, both taken for as long as somebody keeps them; the visitors who have them."""
    server = stack(env={"CHAT_REPLIES": "2", "CHAT_QUEUE_TIMEOUT": "1.5"}).server
    visitors = [await Client.open(server) for _ in range(2)]
    for visitor in visitors:
        await visitor.say("/words 200 50")
        await visitor.until(begun)
    yield visitors
    for visitor in visitors:
        await visitor.close()


async def stop(visitor) -> None:
    streaming = [f["message"] for f in visitor.frames if f["type"] == "delta"][-1]
    await visitor.send({"type": "stop", "message": streaming})


async def test_the_next_one_waits_for_a_place(full):
    async with await Client.open(full[0].server) as third:
        await third.say("/say here I am")
        sign = await third.until("typing")
        assert sign["on"] is True
        await asyncio.sleep(0.5)
        assert not any(begun(frame) for frame in third.frames)
        await stop(full[0])
        assert (await third.reply())["text"] == "here I am"


async def test_who_waits_too_long_is_told_and_may_try_again(full):
    async with await Client.open(full[0].server) as third:
        asked = time.monotonic()
        await third.say("/say here I am")
        reply = await third.reply()
        assert 1.4 < time.monotonic() - asked < 10
        assert reply["state"] == "failed"
        assert reply["error"]["code"] == "busy"
        assert reply["error"]["message"].startswith("Many people are chatting right now")
        assert reply["text"] == ""
        await stop(full[0])
        await full[0].reply()
        await third.send({"type": "regenerate", "message": reply["id"], "attempt": 1})
        assert (await third.reply())["text"] == "here I am"


async def test_a_full_process_says_so(full):
    server = full[0].server
    _, health, _ = await get(server, "/api/health")
    assert (health["status"], health["checks"]["load"]["status"]) == ("degraded", "degraded")
    async with await Client.open(server) as third:
        assert third.frames[0]["state"] == "limited"
    for visitor in full:
        await stop(visitor)
        await visitor.reply()
    _, health, _ = await get(server, "/api/health")
    assert (health["status"], health["checks"]["load"]["status"]) == ("ok", "ok")


@pytest.mark.parametrize(("locale", "words"), [("de", "chatten"), ("fr", "discutent")])
async def test_who_waits_too_long_is_told_so_in_their_language(full, locale, words):
    async with await Client.open(full[0].server, locale=locale) as third:
        await third.say("/say here I am")
        assert words in (await third.reply())["error"]["message"]


async def test_a_process_that_runs_behind_is_overloaded_too(stack):
    """A loop always runs behind by more than nothing at all."""
    server = stack(env={"CHAT_LAG_LIMIT": "-1", "CHAT_QUEUE_TIMEOUT": "0.5"}).server
    async with await Client.open(server) as visitor:
        assert visitor.frames[0]["state"] == "limited"
        await visitor.say("/say here I am")
        assert (await visitor.until("typing"))["on"] is True
        assert (await visitor.reply())["error"]["code"] == "busy"
    _, health, _ = await get(server, "/api/health")
    assert health["checks"]["load"] == {
        "status": "degraded",
        "detail": "the process runs far behind; new replies wait",
    }


# --- Of one address -----------------------------------------------------------------------------


async def test_an_address_has_three_places_and_others_do_not_wait_for_it(stack):
    env = {"CHAT_RATES": "on", "TRUSTED_PROXY_HOPS": "1", "CHAT_QUEUE_TIMEOUT": "1.5"}
    server = stack(env=env).server

    async def at(address: str) -> Client:
        return await Client.open(server, headers={"X-Forwarded-For": address})

    async with AsyncExitStack() as opened:
        office = [await opened.enter_async_context(await at(f"2001:db8:1:2::{n}")) for n in "1234"]
        for visitor in office[:3]:
            await visitor.say("/words 200 50")
            await visitor.until(begun)
        elsewhere = await opened.enter_async_context(await at("2001:db8:1:3::1"))
        await elsewhere.say("/say I do not wait")
        assert (await elsewhere.reply(timeout=1.4))["text"] == "I do not wait"
        # One more of the office waits with a typing sign, and is let in as soon as another is done.
        await office[3].say("/say I waited")
        assert (await office[3].until("typing"))["on"] is True
        await asyncio.sleep(0.4)
        assert not any(begun(frame) for frame in office[3].frames)
        await stop(office[0])
        assert (await office[3].reply(timeout=5))["text"] == "I waited"
        # And who waits too long may try again.
        await office[0].say("/words 200 50")
        await office[0].until(begun)
        await office[3].say("/say here I am")
        reply = await office[3].reply()
        assert reply["error"]["code"] == "busy"
        for visitor in office[:3]:
            await stop(visitor)
            await visitor.reply()
        await office[3].send({"type": "regenerate", "message": reply["id"], "attempt": 1})
        assert (await office[3].reply())["text"] == "here I am"


async def test_who_is_called_off_while_waiting_gives_back_what_they_had(monkeypatch, settings):
    settings.CHAT_RATES, settings.CHAT_REPLIES_PER_ADDRESS = True, 1
    monkeypatch.setattr(live, "lag", 9.0)  # so that the address's place is taken, and no other
    gate = Gate()

    async def enter() -> bool:
        async with gate.place("office") as admitted:
            return admitted

    waiting = [asyncio.create_task(enter()) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert gate.waiting == 3
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    live.lag = 0.0
    assert gate.waiting == 0
    assert gate._networks == {}
    assert await enter() is True


async def test_who_waits_is_let_in_when_the_loop_has_caught_up(monkeypatch):
    monkeypatch.setattr(live, "lag", 9.0)
    gate = Gate()

    async def enter() -> bool:
        async with gate.place() as admitted:
            return admitted

    entering = asyncio.create_task(enter())
    await asyncio.sleep(0.05)
    assert (gate.behind, gate.full, gate.waiting) == (True, False, 1)
    live.lag = 0.0
    assert await entering is True
    assert gate.waiting == 0
