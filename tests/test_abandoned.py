"""Work that fails when nobody waits for it any more leaves no traceback in the log."""

import asyncio
import gc
import uuid
from typing import Any

import pytest
from django.db import OperationalError

from chat import knowing, turns
from chat.budgets import Payer
from chat.models import Site


class Gone(OperationalError):
    """The database is away."""


async def away(*args: Any, **kwargs: Any) -> None:
    raise Gone


@pytest.fixture
async def complaints() -> list[dict[str, Any]]:
    """What asyncio had to say of tasks whose failure nobody heard."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))
    return heard


async def test_a_search_of_a_message_that_could_not_be_stored(
    monkeypatch: pytest.MonkeyPatch, complaints: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(knowing, "searching", away)
    site = Site(key="demo", language="en", daily_budget=None)
    searching = knowing.Searching(site, Payer(1, None, uuid.uuid4(), ""), "", "a bike")
    assert await searching("a bike") == []
    knowing.Searching(site, Payer(1, None, uuid.uuid4(), ""), "", "another one")
    await asyncio.sleep(0.01)
    del searching
    gc.collect()
    assert complaints == []


async def test_the_writing_of_a_reply_that_could_not_be_claimed(
    monkeypatch: pytest.MonkeyPatch, complaints: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(turns, "query", away)
    turn = turns.Turn(uuid.uuid4())
    await turn.run()
    assert turn.done.is_set()
    del turn
    gc.collect()
    assert complaints == []
