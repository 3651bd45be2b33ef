"""A process that is told to stop under load, and one that is killed, with the ordinary times."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.client import Client
from tests.conftest import MakeStack
from tests.faults.world import Visitor, World
from tests.servers import Stack, free_port
from tests.upstream import Upstream

CHATS = 30
LONG = " ".join(f"w{n}" for n in range(1, 101))
WITHIN = 20.0  # seconds: to leave, and to take over what another has left

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def world(stack: MakeStack, databases: object) -> AsyncIterator[World]:
    port = free_port()
    made: Stack = stack(
        "postgres",
        servers=2,
        redis=True,
        env={
            "CHAT_BACKEND": "completions",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "CHAT_BUDGET_ADDRESS": "100",  # they all come from one
        },
    )
    async with Upstream(port) as model:
        world = await World(made, None, model).open()  # type: ignore[arg-type]
        yield world
        await world.close()


async def writing(world: World) -> list[Visitor]:
    """Chats with a tab on either server; the first server writes a long reply to each."""
    visitors = [Visitor(world, tenth=False) for _ in range(CHATS)]
    for visitor in visitors:
        visitor.open()
        visitor.first.say("[words 100 100]")
        await asyncio.sleep(0.02)
    for visitor in visitors:
        for tab in visitor.tabs:
            await tab.until(lambda tab=tab: tab.reply() and tab.reply()["text"], 30, "words")
    return visitors


async def all_are_whole(visitors: list[Visitor]) -> None:
    for visitor in visitors:
        for tab in visitor.tabs:
            await tab.until(lambda tab=tab: tab.ready and not tab.reply(), 75, "an end")
        messages = await visitor.checked()
        assert (messages[-1]["state"], messages[-1]["text"]) == ("complete", LONG)
        await visitor.close()


async def test_under_load_it_tells_everybody_saves_and_is_out_in_time(world: World) -> None:
    visitors = await writing(world)
    idle = [await Client.open(world.here) for _ in range(10)]
    told = time.monotonic()
    world.here._signal(signal.SIGTERM)
    late = asyncio.create_task(asks_in_the_last_moment(world))
    code = await asyncio.to_thread(world.here.wait, WITHIN)
    out = time.monotonic() - told
    assert out < WITHIN
    assert code in (0, -signal.SIGTERM)
    await late
    for client in idle:
        assert await client.closed() == 1012
    for visitor in visitors:
        assert 1012 in visitor.first.closes
        assert visitor.second.closes == []
    begun_again = [t for v in visitors for t in v.second.began_again.values()]
    assert len(begun_again) == CHATS, "its replies were left to the other process"
    loop = asyncio.get_running_loop().time()
    elapsed = time.monotonic() - told
    last = max(begun_again) - (loop - elapsed)
    assert last < out + 5, "their leases were released: nobody waited for the end of one"
    back = sorted(visitor.first.came_back[0] for visitor in visitors)
    assert back[-1] - back[0] > 2.5, "clients spread out over five seconds"
    await all_are_whole(visitors)


async def asks_in_the_last_moment(world: World) -> None:
    """Who says something while it stops is answered by the other process, or comes back with it."""
    visitor = Visitor(world)
    visitor.first.start()
    visitor.second.start()
    visitor.first.say("[words 3 5]")
    messages = await visitor.checked()
    assert messages[-1]["text"] == "w1 w2 w3"
    await visitor.close()


async def test_what_a_killed_process_wrote_goes_on_in_time(world: World) -> None:
    visitors = await writing(world)
    world.here.kill()
    killed = asyncio.get_running_loop().time()
    for visitor in visitors:
        tab = visitor.second
        await tab.until(lambda tab=tab: tab.began_again, WITHIN + 5, "somebody takes over")
    last = max(time for visitor in visitors for time in visitor.second.began_again.values())
    assert last - killed < WITHIN
    await all_are_whole(visitors)
