"""A process that is told to stop under load, and one that is killed, with the ordinary times."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from tests.client import Client
from tests.conftest import MakeStack
from tests.faults.world import Visitor, World
from tests.follower import Follower
from tests.servers import Stack, free_port
from tests.upstream import Upstream

CHATS = 30
LONG = " ".join(f"w{n}" for n in range(1, 151))
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
            "CHAT_BUDGET_SITE": "100",
        },
    )
    async with Upstream(port) as model:
        world = await World(made, None, model).open()  # type: ignore[arg-type]
        yield world
        await world.close()


async def writing(world: World) -> list[Visitor]:
    """Chats with a tab on either server; the first server is writing a long reply to each."""
    visitors = [Visitor(world, tenth=False) for _ in range(CHATS)]
    for visitor in visitors:
        visitor.open()
    for tab in tabs_of(visitors):
        await tab.until(lambda tab=tab: tab.ready, 60, "a line")
    for visitor in visitors:
        visitor.first.say("[words 150 80]")
    for tab in tabs_of(visitors):
        await tab.until(lambda tab=tab: len(tab.copy.all()) == 3, 60, "a reply")
    for visitor in visitors:  # on a slow machine some are through
        words = lambda visitor=visitor: visitor.second.copy.all()[-1]["text"]  # noqa: E731
        await visitor.second.until(words, 30, "words")
    return visitors


def tabs_of(visitors: list[Visitor]) -> list[Follower]:
    return [tab for visitor in visitors for tab in visitor.tabs]


async def all_are_whole(visitors: list[Visitor], begun_again: list[Visitor]) -> None:
    for visitor in visitors:
        for tab in visitor.tabs:
            await tab.until(lambda tab=tab: tab.ready and not tab.reply(), 75, "an end")
        messages = await visitor.checked()
        assert messages[-1]["state"] == "complete"
        if visitor in begun_again:
            assert (messages[-1]["attempt"], messages[-1]["text"]) == (2, LONG)
        await visitor.close()


async def test_under_load_it_tells_everybody_saves_and_is_out_in_time(world: World) -> None:
    idle = [await Client.open(world.here) for _ in range(10)]
    visitors = await writing(world)
    told = asyncio.get_running_loop().time()
    world.here.terminate()
    late = asyncio.create_task(asks_in_the_last_moment(world))
    code = await asyncio.to_thread(world.here.wait, WITHIN)
    out = asyncio.get_running_loop().time() - told
    assert out < WITHIN
    assert code in (0, -signal.SIGTERM)
    await late
    for client in idle:
        assert await client.closed() == 1012
    for visitor in visitors:
        await visitor.first.until(lambda tab=visitor.first: tab.ready, 30, "it comes back")
        assert 1012 in visitor.first.closes, "each socket was told"
        assert visitor.second.closes == []
    begun_again = [visitor for visitor in visitors if visitor.second.began_again]
    assert begun_again, "its replies were left to the other process"
    last = max(time for v in begun_again for time in v.second.began_again.values())
    assert last - told < out + 5, "their leases were released: nobody waited for the end of one"
    back = sorted(visitor.first.came_back[0] for visitor in visitors)
    assert back[-1] - back[0] > 2.5, "clients spread out over five seconds"
    await all_are_whole(visitors, begun_again)


async def asks_in_the_last_moment(world: World) -> None:
    """Who says something while it stops is answered by the other process, or comes back with it."""
    visitor = Visitor(world)
    visitor.first.start()
    visitor.second.start()
    visitor.first.say("[words 3 5]")
    messages = await visitor.checked()
    assert messages[-1]["text"] == "w1 w2 w3"
    await visitor.close()


@pytest.mark.matrix  # in small, and at a tenth, `make test` has it in test_processes.py
async def test_what_a_killed_process_wrote_goes_on_in_time(world: World) -> None:
    visitors = await writing(world)
    world.here.kill()
    killed = asyncio.get_running_loop().time()
    under_way = [visitor for visitor in visitors if visitor.second.reply()]
    assert under_way
    for visitor in under_way:
        tab = visitor.second
        # Or its end was stored just before, and nobody was told.
        over = lambda tab=tab: tab.began_again or not tab.reply()  # noqa: E731
        await tab.until(over, WITHIN + 5, "somebody takes over")
    begun_again = [visitor for visitor in under_way if visitor.second.began_again]
    last = max(time for v in begun_again for time in v.second.began_again.values())
    assert last - killed < WITHIN
    await all_are_whole(visitors, begun_again)
