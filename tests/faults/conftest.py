"""One stack for all cases: what a case breaks is mended in it, and made whole after it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.client import Client
from tests.faults.world import World
from tests.servers import Databases, Postgres, Redis, Stack, example_env, free_port
from tests.upstream import Upstream

# Beside those of `tests.servers.TIMES`, so that every time setting runs at a tenth.
MORE_TIMES = (
    "CHAT_SAVE_INTERVAL",
    "CHAT_STATEMENT_TIMEOUT",
    "CHAT_HEARTBEAT",
    "CHAT_SLOW_READER_TIMEOUT",
    "CHAT_QUEUE_TIMEOUT",
    "CHAT_BUDGET_LOOK",
    "CHAT_WATCH_INTERVAL",
)


@pytest.fixture(scope="session")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A cluster that these tests may stop."""
    made = Postgres(tmp_path_factory.mktemp("postgres"), own=True)
    yield made
    made.close()


@pytest.fixture(scope="session")
def model_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def breakable(
    collected: None,
    own_postgres: Postgres,
    model_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """Two servers on a PostgreSQL and a Redis of their own, with every time at a tenth."""
    folder = tmp_path_factory.mktemp("faults")
    times = example_env()
    env = {
        **{name: str(float(times[name]) / 10) for name in MORE_TIMES},
        "CHAT_BACKEND": "completions",
        "CHAT_BUDGET_ADDRESS": "100",  # all visitors come from one
        "CHAT_RATES": "on",  # they ask Redis; so many that nobody meets them
        **{name: "100000/minute" for name in times if name.startswith("CHAT_RATE_")},
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
    }
    with ExitStack() as cleanup:
        databases = Databases(folder, lambda: own_postgres)
        cleanup.callback(databases.close)
        url = cleanup.enter_context(databases.fresh("postgres"))
        stack = Stack(folder, url, Redis(folder).start(), fast=True, env=env)
        cleanup.callback(stack.close)
        stack.start(2)
        with ThreadPoolExecutor(1) as thread:  # the loop of this one is the tests'
            thread.submit(asyncio.run, _warm(stack)).result()
        yield stack


async def _warm(stack: Stack) -> None:
    """The guided seller reads its knowledge at first: at a tenth of the time that is too long."""
    for server in stack.servers:
        async with await Client.open(server) as visitor:
            for words in ("hello", "what does a bike cost?"):
                await visitor.say(words)
                await visitor.reply()


@pytest.fixture
async def world(breakable: Stack, own_postgres: Postgres, model_port: int) -> AsyncIterator[World]:
    async with Upstream(model_port) as model:
        made = await World(breakable, own_postgres, model).open()
        try:
            yield made
        finally:
            await made.repair()
            await made.close()
