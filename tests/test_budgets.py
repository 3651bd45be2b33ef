"""The budgets: nothing is held beyond a cap, whoever asks at the same time."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from chat import budgets
from chat.budgets import Payer, Refused, release, reserve, settle
from chat.money import Spend, dollars
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db
CENT = Decimal("0.01")


@pytest.fixture(autouse=True)
def _fresh(settings: Any) -> Iterator[None]:
    settings.CHAT_BUDGET_VISITOR, settings.CHAT_BUDGET_ADDRESS = 0.5, 2
    settings.CHAT_BUDGET_SITE, settings.CHAT_BUDGET_WHOLE = 25, 100
    budgets._noted.clear()
    yield
    budgets._noted.clear()


@pytest.fixture
def payer() -> Payer:
    return Payer(site=make_site().pk, visitor=uuid.uuid4(), network="net")


def rows() -> dict[str, tuple[Decimal, Decimal]]:
    """What is spent and what is held, by scope; where there are several, together."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for row in Spend.objects.all():
        spent, held = found.get(row.scope, (Decimal(0), Decimal(0)))
        found[row.scope] = (spent + dollars(row.spent), held + dollars(row.held))
    return found


def refused(payer: Payer, worst: Decimal) -> str:
    with pytest.raises(Refused) as caught:
        reserve(payer, worst)
    return caught.value.reason


def test_what_is_held_is_counted_when_the_cost_is_known(payer: Payer) -> None:
    first, second = reserve(payer, 3 * CENT), reserve(payer, 2 * CENT)
    assert set(rows()) == {"visitor", "address", "site", "whole"}
    assert set(rows().values()) == {(0, 5 * CENT)}
    settle(first, CENT)
    assert set(rows().values()) == {(CENT, 2 * CENT)}
    release(second)
    assert set(rows().values()) == {(CENT, 0)}


@pytest.mark.parametrize(
    ("scope", "setting"),
    [
        ("visitor", "CHAT_BUDGET_VISITOR"),
        ("address", "CHAT_BUDGET_ADDRESS"),
        ("site", "CHAT_BUDGET_SITE"),
        ("whole", "CHAT_BUDGET_WHOLE"),
    ],
)
def test_what_fits_one_budget_not_is_held_in_none(
    payer: Payer, settings: Any, scope: str, setting: str
) -> None:
    setattr(settings, setting, 0.05)
    reserve(payer, 3 * CENT)
    assert refused(payer, 3 * CENT) == scope
    assert set(rows().values()) == {(0, 3 * CENT)}
    reserve(payer, 2 * CENT)  # to the last cent
    assert refused(payer, Decimal("0.000000001")) == scope


def test_a_budget_of_nothing_pays_for_nothing(payer: Payer, settings: Any) -> None:
    settings.CHAT_BUDGET_WHOLE = 0
    assert refused(payer, CENT) == "whole"
    assert budgets.standing().spent == {""}


def test_others_have_their_own(payer: Payer, settings: Any) -> None:
    settings.CHAT_BUDGET_VISITOR = settings.CHAT_BUDGET_ADDRESS = 0.01
    reserve(payer, CENT)
    assert refused(replace(payer, network="other"), CENT) == "visitor"
    assert refused(replace(payer, visitor=uuid.uuid4()), CENT) == "address"
    reserve(replace(payer, visitor=uuid.uuid4(), network="other"), CENT)


def test_a_sites_own_budget_goes_before_the_setting(payer: Payer) -> None:
    assert refused(replace(payer, site_cap=Decimal("0.02")), 3 * CENT) == "site"
    assert refused(replace(payer, site_cap=Decimal(0)), CENT) == "site"


def test_a_conversation_pays_for_its_replies(settings: Any) -> None:
    talker = Talker(make_site(daily_budget="1.50"))
    talker.says("Hello")
    payer = Payer.of(talker.row())
    assert payer == Payer(talker.site.pk, Decimal("1.50"), talker.visitor, "")


def test_every_day_has_its_own_budget_and_a_call_stays_with_its_day(
    payer: Payer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHAT_BUDGET_VISITOR = 0.01
    late = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    monkeypatch.setattr("chat.budgets.timezone.now", lambda: late)
    held = reserve(payer, CENT)
    assert refused(payer, CENT) == "visitor"
    monkeypatch.setattr("chat.budgets.timezone.now", lambda: late.replace(day=2, hour=0))
    reserve(payer, CENT)
    settle(held, CENT)
    days = {row.day.day: (row.spent, row.held) for row in Spend.objects.filter(scope="whole")}
    assert {day: (spent > 0, held > 0) for day, (spent, held) in days.items()} == {
        1: (True, False),
        2: (False, True),
    }


def test_rows_lead_to_no_visitor_and_no_address(payer: Payer) -> None:
    reserve(payer, CENT)
    keys = set(Spend.objects.values_list("key", flat=True))
    assert not any(payer.visitor.hex[:8] in key or "net" in key for key in keys)
    assert len(keys) == 4


def test_who_asks_for_more_than_a_day_has_is_refused_at_once(payer: Payer) -> None:
    assert refused(payer, Decimal("0.51")) == "visitor"
    assert rows() == {}


def test_a_dearer_call_than_was_held_counts_in_full(payer: Payer) -> None:
    settle(reserve(payer, CENT), 3 * CENT)
    assert set(rows().values()) == {(3 * CENT, 0)}


def test_stopped_by_hand_nothing_is_held(payer: Payer) -> None:
    brake = budgets.stop(True, "vera")
    assert brake is not None
    assert (brake.by, brake.since is None) == ("vera", False)
    assert budgets.stop(True, "root") is None
    assert budgets.standing().stopped
    assert refused(payer, CENT) == "stopped"
    assert rows() == {}
    assert budgets.stop(False, "vera")
    reserve(payer, CENT)


def test_a_spent_budget_stands_until_it_is_raised(payer: Payer, settings: Any) -> None:
    settings.CHAT_BUDGET_SITE = 0.05
    settle(reserve(payer, 5 * CENT), 5 * CENT)
    assert budgets.standing().spent == set()
    assert refused(payer, CENT) == "site"
    assert budgets.standing().spent == {"acme"}
    settings.CHAT_BUDGET_SITE = 1
    reserve(payer, CENT)
    assert budgets.standing().spent == set()


# --- Many at once -------------------------------------------------------------------------------


def at_once(count: int, work: Callable[[int], int]) -> list[int]:
    """What `work` gives in so many threads that begin together."""
    ready = threading.Barrier(count)

    def run(n: int) -> int:
        ready.wait()
        try:
            return work(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_threads_that_hammer_never_hold_more_than_the_cap(payer: Payer, settings: Any) -> None:
    """Ten threads, twelve calls each; visitors and addresses change all the time."""
    settings.CHAT_BUDGET_WHOLE = 0.5

    def hammer(n: int) -> int:
        held = 0
        for k in range(12):
            other = replace(payer, visitor=uuid.uuid4(), network=f"{n}.{k}")
            with suppress(Refused):
                reserve(other, CENT)
                held += 1
        return held

    assert sum(at_once(10, hammer)) == 50
    assert rows()["whole"] == rows()["site"] == rows()["visitor"] == (0, 50 * CENT)


@pytest.mark.django_db(transaction=True)
def test_threads_that_reserve_settle_and_release_lose_no_cent(payer: Payer, settings: Any) -> None:
    settings.CHAT_BUDGET_VISITOR = 0.05  # so that some are refused

    def work(n: int) -> int:
        paid = 0
        for k in range(10):
            try:
                held = reserve(payer, 2 * CENT)
            except Refused:
                continue
            if k % 2:
                release(held)
            else:
                settle(held, Decimal("0.0001"))
                paid += 1
        return paid

    paid = sum(at_once(8, work))
    assert paid > 0
    assert set(rows().values()) == {(paid * Decimal("0.0001"), 0)}
