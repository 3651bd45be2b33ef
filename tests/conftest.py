"""Fixtures for every test: the product in processes of its own, on either database.

def test_x(stack):          stack() is one server on SQLite; stack("postgres", servers=2,
                            redis=True, fast=True, env={...}) is what it says
async def test_y(sqlite_server), test_z(postgres_pair)
                            one for the whole session: for tests that harm nothing
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from django.db import connections

from tests import canaries
from tests.servers import Databases, Postgres, Redis, Server, Stack, collect_static

MakeStack = Callable[..., Stack]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "matrix: of `make faults`, and left out of `make test`")
    config.addinivalue_line("markers", "extras: of `make extras`, in environments of their own")
    config.addinivalue_line("markers", "process: starts servers of its own (marked by itself)")
    config.addinivalue_line("markers", "tells: logs what no log may hold, and so has to be caught")


listener = cache(canaries.listen)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    listener().hear()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Whatever a test does in this process: no secret and no visitor's word is in the log."""
    yield
    faults = listener().faults()
    if item.get_closest_marker("tells"):
        assert faults, "it was not caught"
    else:
        assert faults == [], "\n".join(faults)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Its servers have databases of their own: another DATABASE_URL proves nothing new.
        if {"databases", "own_postgres"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The chat's threads keep their connections, and no database is dropped before they close."""
    yield
    from chat.database import _chat

    threads = len(_chat._threads)
    together = threading.Barrier(threads) if threads else None

    def close() -> None:
        assert together is not None
        together.wait(10)
        connections.close_all()

    for closing in [_chat.submit(close) for _ in range(threads)]:
        closing.result()


@pytest.fixture(scope="session")
def collected() -> None:
    """Static files lie hashed in STATIC_ROOT, as a buildpack leaves them."""
    collect_static()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    folder = tmp_path_factory.mktemp("databases")
    postgres = cache(lambda: Postgres(folder))
    made = Databases(folder, postgres)
    yield made
    made.close()
    if postgres.cache_info().currsize:
        postgres().close()


def _maker(databases: Databases, folder: Path, cleanup: ExitStack) -> MakeStack:
    def make(
        database: str = "sqlite",
        *,
        servers: int = 1,
        redis: bool = False,
        fast: bool = False,
        env: dict[str, str] | None = None,
    ) -> Stack:
        url = cleanup.enter_context(databases.fresh(database))
        made = Stack(
            folder, url, Redis(folder).start() if redis else None, fast=fast, env=env or {}
        )
        cleanup.callback(made.close)
        return made.start(servers)

    return make


@pytest.fixture
def stack(collected: None, databases: Databases, tmp_path: Path) -> Iterator[MakeStack]:
    """Makes a stack for this test alone, started; it ends with the test."""
    with ExitStack() as cleanup:
        yield _maker(databases, tmp_path, cleanup)


@pytest.fixture(scope="session")
def session_stack(
    collected: None, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeStack]:
    """Makes a stack that all tests of the session share."""
    with ExitStack() as cleanup:
        yield lambda *args, **options: _maker(databases, tmp_path_factory.mktemp("stack"), cleanup)(
            *args, **options
        )


@pytest.fixture(scope="session")
def sqlite_server(session_stack: MakeStack) -> Server:
    """One server on SQLite, scripted, with the ordinary times."""
    return session_stack().server


@pytest.fixture(scope="session")
def postgres_pair(session_stack: MakeStack) -> Stack:
    """Two servers on PostgreSQL and Redis, scripted, with times at a tenth."""
    return session_stack("postgres", servers=2, redis=True, fast=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows the end of the logs of the servers it used."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    used = getattr(item, "funcargs", {})
    folder = used.get("tmp_path")
    logs = [*folder.glob("server-*.log")] if folder else []
    logs += [s.log_path for s in used.values() if isinstance(s, Server)]
    logs += [s.log_path for v in used.values() if isinstance(v, Stack) for s in v.servers]
    for log in logs:
        report.sections.append((str(log.name), log.read_text(errors="replace")[-6000:]))
