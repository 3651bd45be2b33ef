"""The budgets: money is held before a call is paid for, and counted when its cost is known.

Four accounts pay for a call, each with its own budget for the day (UTC): the visitor, the address,
the site, and all sites together. What does not fit into one of them is held in none. All of this is
synchronous and atomic, and holds over processes and restarts, since the database alone counts.

What a killed process held stays held until the day is over, as if it had been spent: whether the
model's server charged for it nobody knows. For the same reason `settle` is to be tried once only.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chat.llm.prices import Price
from chat.models import Conversation
from chat.money import Brake, ModelPrice, Spend, billionths
from salesagent.prepared import by_hand

logger = logging.getLogger(__name__)

Scope = Spend.Scope
_SALT = "chat.spend"
_noted: set[tuple[object, ...]] = set()  # what this process has marked as used up


class Refused(Exception):
    """Nothing may be paid for. `reason`: "stopped" by hand, or the scope whose budget is spent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Payer:
    """For whom a call is paid; of what is None there is no account."""

    site: int | None = None
    site_cap: Decimal | None = None  # None: CHAT_BUDGET_SITE
    visitor: uuid.UUID | None = None
    network: str = ""  # `limits.mark` of the address

    @classmethod
    def of(cls, conversation: Conversation) -> "Payer":
        """The visitor of a conversation, at the address that they wrote from last."""
        return cls(
            site=conversation.site_id,
            site_cap=conversation.site.daily_budget,
            visitor=conversation.visitor_id,
            network=conversation.network,
        )


class Account(NamedTuple):
    scope: str
    key: str
    site: int | None
    cap: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held, in billionths, on which day and in which accounts."""

    day: date
    accounts: Sequence[Account]
    amount: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What processes look at now and then. `spent`: public keys of sites, "" for all together."""

    stopped: bool = False
    spent: frozenset[str] = frozenset()


# --- What is held and counted -------------------------------------------------------------------

# The rows are locked in the order they are given in, so two calls never wait for each other; the
# one that all share comes last, and is locked the shortest.
_HOLD = """
    INSERT INTO {spend} (day, scope, key, site_id, spent, held, cap) VALUES {rows}
    ON CONFLICT (day, scope, key) DO UPDATE
    SET held = {spend}.held + excluded.held, cap = excluded.cap
    WHERE {spend}.spent + {spend}.held + excluded.held <= excluded.cap
    RETURNING scope, EXISTS (SELECT 1 FROM {brake} WHERE stopped)
"""
# The account of a visitor who was erased meanwhile does not come back.
_SETTLE = """
    INSERT INTO {spend} (day, scope, key, site_id, spent, held, cap)
    SELECT column1, column2, column3, CAST(column4 AS bigint), column5, column6, column7
    FROM (VALUES {rows}) AS given
    WHERE column2 <> 'visitor' OR EXISTS (
        SELECT 1 FROM {spend} WHERE day = column1 AND scope = column2 AND key = column3
    )
    ON CONFLICT (day, scope, key) DO UPDATE
    SET spent = {spend}.spent + excluded.spent, held = {spend}.held + excluded.held
"""
_ROW = "(%s, %s, %s, %s, %s, %s, %s)"


def reserve(payer: Payer, worst: Decimal) -> Reservation:
    """Holds `worst` dollars in every account, committed on return; raises `Refused`, then in none.

    May be done twice: then twice as much is held.
    """
    day = timezone.now().date()
    held = Reservation(day, accounts(payer, day), billionths(worst))
    try:
        with transaction.atomic():
            fits = _hold(held)
            if len(fits) < len(held.accounts):
                missing = next(a.scope for a in held.accounts if a.scope not in fits)
                raise Refused(missing)
    except Refused as refused:
        if refused.reason in (Scope.SITE, Scope.WHOLE):
            _note(held, refused.reason)
        raise
    return held


def _hold(held: Reservation) -> set[str]:
    """The scopes in which it fits; raises `Refused` where all is stopped."""
    able = [account for account in held.accounts if held.amount <= account.cap]
    if len(able) < len(held.accounts):  # more than a whole day's budget: no row is needed to tell
        return {account.scope for account in able}
    rows = [(held.day, a.scope, a.key, a.site, 0, held.amount, a.cap) for a in held.accounts]
    found = _execute(_HOLD, rows)
    if any(stopped for _, stopped in found):
        raise Refused("stopped")
    return {scope for scope, _ in found}


def settle(held: Reservation, cost: Decimal) -> None:
    """The call has ended and cost this much; 0 gives all back. To be done once only."""
    spent = billionths(cost)
    rows = [(held.day, a.scope, a.key, a.site, spent, -held.amount, a.cap) for a in held.accounts]
    _execute(_SETTLE, rows)


def release(held: Reservation) -> None:
    """The call was not made, or is known to have cost nothing."""
    settle(held, Decimal(0))


def forget(visitor: uuid.UUID, since: date) -> int:
    """Deletes a visitor's accounts of all days since then; how many there were."""
    rows = Spend.objects.filter(scope=Scope.VISITOR, day__gte=since)
    days = rows.order_by("day").values_list("day", flat=True).distinct()
    keys = [_hashed(day, Scope.VISITOR, visitor.hex) for day in days]
    return rows.filter(key__in=keys).delete()[0]


def _execute(statement: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, bool]]:
    spend, brake = Spend._meta.db_table, Brake._meta.db_table
    text = statement.format(spend=spend, brake=brake, rows=", ".join([_ROW] * len(rows)))
    values = [connection.ops.adapt_datefield_value(v) if isinstance(v, date) else v
              for row in rows for v in row]  # fmt: skip
    return by_hand(text, values)


def accounts(payer: Payer, day: date) -> list[Account]:
    """Who pays, in the order in which rows are locked."""
    found = []
    if payer.visitor is not None:
        key = _hashed(day, Scope.VISITOR, payer.visitor.hex)
        found.append(Account(Scope.VISITOR, key, None, _cap(settings.CHAT_BUDGET_VISITOR)))
    if payer.network:
        key = _hashed(day, Scope.ADDRESS, payer.network)
        found.append(Account(Scope.ADDRESS, key, None, _cap(settings.CHAT_BUDGET_ADDRESS)))
    if payer.site is not None:
        cap = settings.CHAT_BUDGET_SITE if payer.site_cap is None else payer.site_cap
        found.append(Account(Scope.SITE, str(payer.site), payer.site, _cap(cap)))
    found.append(Account(Scope.WHOLE, "", None, _cap(settings.CHAT_BUDGET_WHOLE)))
    return found


def _cap(stated: float | Decimal) -> int:
    return billionths(Decimal(str(stated)))


def _hashed(day: date, scope: str, key: str) -> str:
    return salted_hmac(_SALT, f"{day} {scope} {key}", algorithm="sha256").hexdigest()[:32]


def _note(held: Reservation, scope: str) -> None:
    """Marks the row as used up, for staff and `standing`: once, for a flood goes on for long."""
    account = next(a for a in held.accounts if a.scope == scope)
    mark = (held.day, *account)
    if mark in _noted:
        return
    Spend.objects.bulk_create(
        [Spend(day=held.day, scope=account.scope, key=account.key, site_id=account.site,
               cap=account.cap, refused=timezone.now())],
        update_conflicts=True,
        unique_fields=["day", "scope", "key"],
        update_fields=["refused", "cap"],
    )  # fmt: skip
    if len(_noted) > 1000:
        _noted.clear()
    _noted.add(mark)


# --- What processes look at ---------------------------------------------------------------------


def standing() -> Standing:
    """How things stand today."""
    rows = Spend.objects.filter(
        day=timezone.now().date(), scope__in=(Scope.SITE, Scope.WHOLE), refused__isnull=False
    ).select_related("site")
    return Standing(
        stopped=Brake.objects.filter(stopped=True).exists(),
        spent=frozenset(row.site.key if row.site else "" for row in rows if row.used_up),
    )


def stated_prices() -> Mapping[str, Price]:
    """What staff have stated, by model."""
    rows = ModelPrice.objects.values_list("model", "input", "cached", "output")
    return {model: Price(*stated) for model, *stated in rows}


def stop(stopped: bool, by: str) -> Brake | None:
    """Pulls the brake, or lets it go; None where it was so already.

    From the commit on no process holds money for a call; the calls under way end as each process
    learns of it (`paid.look`).
    """
    with transaction.atomic():
        brake, _made = Brake.objects.select_for_update().get_or_create(pk=Brake.ROW)
        if brake.stopped == stopped:
            return None
        brake.stopped, brake.since, brake.by = stopped, timezone.now(), by[:150]
        brake.save()
    logger.warning("paid calls %s", "stopped" if stopped else "allowed again")
    return brake
