"""More replies at once than a process can write: the next ones wait, and then are told."""

import asyncio
import time

import pytest

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
