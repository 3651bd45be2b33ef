"""The chat's way from the event loop to the database: a few threads of its own."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)
from django.utils.translation import activate, get_language

P = ParamSpec("P")
T = TypeVar("T")

HANGS = 1.0  # seconds: a database that takes longer to fail would only do so again
AGAIN = 0.2  # seconds
KEPT = 60.0  # seconds that a thread of the chat keeps its connection: see `_let_go`

_chat = ThreadPoolExecutor(settings.CHAT_DATABASE_THREADS, thread_name_prefix="chat")
_search = ThreadPoolExecutor(2, thread_name_prefix="search")
_background = ThreadPoolExecutor(1, thread_name_prefix="background")
_calling = ThreadPoolExecutor(1, thread_name_prefix="calling")


async def query(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a synchronous function that uses the ORM, so that no slow request of others holds it.

    Once more where the connection was lost: what stands in `conversations` and `replies` may be
    done twice.
    """
    return await _on(_chat, _twice(function), *args, **kwargs)


async def patiently(
    patience: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """As `query`, and again for so many seconds while the database is away."""
    until = time.monotonic() + patience - AGAIN
    while True:
        try:
            return await query(function, *args, **kwargs)
        except (OperationalError, InterfaceError):
            if time.monotonic() > until:
                raise
        await asyncio.sleep(AGAIN)


async def once(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `query`, for what must not be done twice, even where nobody heard that it was done."""
    return await _on(_chat, function, *args, **kwargs)


async def searching(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """For searches, which compute for longer than they ask the database."""
    return await _on(_search, function, *args, **kwargs)


async def background(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """For what may take its time, as embedding and mailing do; one after the other."""
    return await _on(_background, function, *args, **kwargs)


async def calling(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """For what waits for servers of others: so that none of them holds up mails and embedding."""
    return await _on(_calling, function, *args, **kwargs)


async def _on(
    executor: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """What `database_sync_to_async` does, without asgiref's way from task to thread and back.

    That took as long as the query itself; it is for code that must run in one certain thread. Of
    what a task holds only its language comes along: asgiref's own hides itself in other threads.
    """
    language = get_language()

    def run() -> T:
        if language is not None:
            activate(language)
        try:
            return function(*args, **kwargs)
        finally:
            if executor is _chat:
                _let_go()
            else:
                close_old_connections()

    # In a context of its own, so that no language stays behind in the thread.
    return await asyncio.get_running_loop().run_in_executor(executor, copy_context().run, run)


def _let_go() -> None:
    """Leaves the connection to its thread, whose next query comes soon, if it is sound and young.

    To take one from the pool and to give it back costs as much as a statement.
    """
    own = connections[DEFAULT_DB_ALIAS]
    sound = own.autocommit and not own.errors_occurred
    if not sound or own.close_at is None or time.monotonic() >= own.close_at + KEPT:
        own.close_if_unusable_or_obsolete()


def close_after_request(**_: Any) -> None:
    """Every request of a page has a thread of its own, which would leave its connection open.

    For SQLite, whose connections are kept for ever; those of PostgreSQL go back into their pool.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        connections.close_all()


def _twice(function: Callable[P, T]) -> Callable[P, T]:
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        started = time.monotonic()
        try:
            return function(*args, **kwargs)
        except (OperationalError, InterfaceError):
            if time.monotonic() - started > HANGS:
                raise
            connection.close()
            return function(*args, **kwargs)

    return run
