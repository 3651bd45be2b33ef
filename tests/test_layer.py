"""The line to other processes: who is there, and what goes over it where nobody is."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from chat import layer as layers
from chat.layer import Layer
from tests.servers import Redis

TALK = uuid.uuid4()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def fast(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "HERE", 0.1)
    monkeypatch.setattr(layers, "ALONE", 0.4)
    monkeypatch.setattr(layers, "REST", 0.1)
    monkeypatch.setattr(
        layers, "get_channel_layer", lambda: RedisPubSubChannelLayer(hosts=[redis.url])
    )


class Process:
    """One end of the line, and what came over it."""

    def __init__(self, name: str) -> None:
        self.heard: list[Mapping[str, Any]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.layer = Layer(name, {TALK}, self._hears, self._spawn)

    async def _hears(self, event: Mapping[str, Any]) -> None:
        self.heard.append(event)

    def _spawn(self, work: Any) -> "asyncio.Task[Any]":
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]


@asynccontextmanager
async def process(name: str) -> AsyncIterator[Process]:
    made = Process(name)
    made.layer.start()
    await until(lambda: bool(made.layer.subscribed))
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)


async def until(holds: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_process_alone_tells_nobody_until_another_comes() -> None:
    async with process("one") as one:
        assert not one.layer.alone  # that it heard of nobody yet says nothing
        await until(lambda: one.layer.alone)
        before = len(one.tasks)
        one.layer.tell(TALK, {"type": "state"})
        one.layer.send_all({"type": "sweep"})
        assert len(one.tasks) == before
        async with process("two") as two:
            await until(lambda: not one.layer.alone)
            one.layer.tell(TALK, {"type": "state"})
            one.layer.ask("two", {"type": "watch"})
            one.layer.tell(uuid.uuid4(), {"type": "state"})  # in which it has no socket
            await until(lambda: len(two.heard) == 2)
            for _ in range(10):
                await asyncio.sleep(0.1)
                assert not one.layer.alone
                assert not two.layer.alone
            assert {event["type"] for event in two.heard} == {"state", "watch"}
            assert {event["from"] for event in two.heard} == {"one"}
        await until(lambda: one.layer.alone)
        assert one.heard == []  # neither signs of life nor its own events


async def test_a_process_that_hears_nothing_is_not_sure_to_be_alone(redis: Redis) -> None:
    async with process("one") as one:
        await until(lambda: one.layer.alone)
        redis.pause()
        await until(lambda: not one.layer.alone)
        redis.resume()
        await until(lambda: one.layer.alone)
        redis.stop()
        await until(lambda: one.layer.degraded)
        assert not one.layer.alone
        await asyncio.to_thread(redis.start)
        await until(lambda: not one.layer.degraded)
        assert not one.layer.alone  # whoever came meanwhile could not say so
        await until(lambda: one.layer.alone)


async def test_where_there_can_be_no_other_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layers, "get_channel_layer", lambda: None)
    one = Process("one")
    one.layer.start()
    one.layer.tell(TALK, {"type": "state"})
    await one.layer.follow(TALK)
    assert one.tasks == []
    assert await one.layer.answers()
