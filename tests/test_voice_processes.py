"""Two processes that speak, with a Redis between them: what they share of the voice's service."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.servers import Stack
from tests.smallest import Smallest
from tests.test_voice import ENV, fresh, listen, told

AT_ONCE = 2


@pytest.fixture
def service() -> Iterator[Smallest]:
    with Smallest() as made:
        yield made


@pytest.fixture
def two(stack, service: Smallest, tmp_path: Path) -> Stack:
    env = {**ENV, "SMALLEST_BASE_URL": service.url, "VOICE_CACHE_DIR": str(tmp_path / "clips")}
    env |= {"VOICE_CONCURRENCY": str(AT_ONCE), "VOICE_QUEUE": "20"}
    return stack(servers=2, redis=True, env=env)


@pytest.fixture
async def visitors(two: Stack) -> AsyncIterator[list[Client]]:
    """One in each process."""
    clients = [await Client.open(server) for server in two.servers]
    yield clients
    for each in clients:
        await each.close()


async def test_all_processes_together_keep_to_what_the_plan_allows(
    visitors: list[Client], service: Smallest
) -> None:
    service.always = "drip 0.05"
    replies = [(each, await told(each, fresh())) for each in visitors for _ in range(4)]
    heard = await asyncio.gather(*(listen(each, f"{reply}/0") for each, reply in replies))
    assert {status for status, _, _ in heard} == {200}
    assert len(service.texts) == 2 * 4
    assert service.most_at_once == AT_ONCE


async def test_a_text_is_spoken_once_by_all_processes_together(
    visitors: list[Client], service: Smallest
) -> None:
    text = fresh()
    replies = [(each, await told(each, text)) for each in visitors]
    service.always = "drip 0.1"
    heard = await asyncio.gather(*(listen(each, f"{reply}/0") for each, reply in replies))
    assert len({audio for _, _, audio in heard}) == 1
    assert len(heard[0][2]) > 20_000
    assert service.texts == [text]


async def test_who_gives_up_leaves_it_to_the_others(
    visitors: list[Client], service: Smallest
) -> None:
    """The first is hung up on before it has spoken, so the second speaks."""
    text = fresh()
    replies = [await told(each, text) for each in visitors]
    service.always = "hold"
    first = asyncio.create_task(listen(visitors[0], f"{replies[0]}/0"))
    while not service.requests:  # noqa: ASYNC110 - they come in another thread
        await asyncio.sleep(0.01)
    second = asyncio.create_task(listen(visitors[1], f"{replies[1]}/0"))
    await asyncio.sleep(0.3)
    assert len(service.requests) == 1
    first.cancel()
    service.go.set()
    assert len((await second)[2]) > 20_000


async def test_without_redis_each_process_speaks_for_itself(
    visitors: list[Client], two: Stack, service: Smallest
) -> None:
    text = fresh()
    replies = [(each, await told(each, text)) for each in visitors]
    two.redis.stop()
    service.always = "drip 0.1"
    heard = await asyncio.gather(*(listen(each, f"{reply}/0") for each, reply in replies))
    assert [status for status, _, _ in heard] == [200, 200]
    assert len({audio for _, _, audio in heard}) == 1
    assert service.texts == [text, text]
