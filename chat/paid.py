"""Calls that cost money: paid for before they are made, and stopped when staff say so.

    async with paid.call(Payer.of(conversation), worst) as bill:
        ...                # the call
        bill.cost = spent  # in dollars, as soon as that is known; until then all that is held

`worst` dollars are held before the block runs, and committed by then; when it ends, however it
ends, `bill.cost` is counted and the rest given back. A block that ends before its call was made
sets `bill.cost` to 0. Raises `Unpaid` where nothing may be paid for; also out of the middle of a
call, when all paid calls are stopped.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chat import budgets
from chat.budgets import Payer, Refused, Reservation, Standing
from chat.database import once, patiently, query
from chat.llm import prices

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds for the database to answer; after it nothing is paid for
_standing = Standing()
_under_way: set[asyncio.Timeout] = set()
_tasks: set[asyncio.Task[Any]] = set()


class Unpaid(Exception):
    """Nothing may be paid for. `reason`: "stopped", "unknown" (the database does not answer), or
    whose budget is spent: "visitor", "address", "site", "whole"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Bill:
    """What a call costs, in dollars."""

    cost: Decimal


class Advance:
    """Money that is being held while a call is still prepared, so that it need not wait for that.

    It is a guess: where it was too low, did not fit, or the database was away for that moment, the
    call itself holds what it needs. What no call has taken is given back by `drop`.
    """

    def __init__(self, payer: Payer, ample: Decimal) -> None:
        self.ample = ample
        self._holding: asyncio.Task[Reservation] | None = None
        if not _standing.stopped:
            self._holding = _spawn(_reserve(payer, ample))

    async def take(self, worst: Decimal) -> Reservation | None:
        """What is held, for a call that costs `worst` at the most; None: nothing that would do."""
        if self._holding is None or worst > self.ample:
            return None
        holding, self._holding = self._holding, None
        try:
            return await _held(holding)
        except Unpaid as unpaid:
            hangs = not holding.done()
            if hangs or unpaid.reason == "stopped":
                raise
            return None

    def drop(self) -> None:
        if self._holding is not None:
            _give_back_later(self._holding)
            self._holding = None


@asynccontextmanager
async def call(payer: Payer, worst: Decimal, advance: Advance | None = None) -> AsyncIterator[Bill]:
    """Around one call that costs `worst` dollars at the most."""
    if _standing.stopped:
        raise Unpaid("stopped")
    try:
        async with asyncio.timeout(None) as alarm:
            _under_way.add(alarm)
            held = await advance.take(worst) if advance is not None else None
            if held is None:
                held = await _held(_spawn(_reserve(payer, worst)))
            bill = Bill(worst)
            try:
                yield bill
            finally:
                _spawn(_settle(held, bill.cost))  # nobody waits for that
    except TimeoutError:
        if alarm.expired():
            raise Unpaid("stopped") from None
        raise
    finally:
        _under_way.discard(alarm)


async def _reserve(payer: Payer, worst: Decimal) -> Reservation:
    return await patiently(PATIENCE, budgets.reserve, payer, worst)


async def _held(holding: "asyncio.Task[Reservation]") -> Reservation:
    """What is held for a call; whoever is cut off meanwhile leaves nothing held behind."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(holding)
    except Refused as refused:
        logger.info("not paid for", extra={"reason": refused.reason})
        raise Unpaid(refused.reason) from None
    except asyncio.CancelledError:
        _give_back_later(holding)
        raise
    except Exception as error:
        _give_back_later(holding)
        logger.error("budgets unknown", extra={"error": type(error).__name__})
        raise Unpaid("unknown") from None


def _give_back_later(holding: "asyncio.Task[Reservation]") -> None:
    def give_back(done: "asyncio.Task[Reservation]") -> None:
        if not done.cancelled() and done.exception() is None:
            _spawn(_settle(done.result(), Decimal(0)))

    if holding.done():
        give_back(holding)
    else:
        holding.add_done_callback(give_back)


async def _settle(held: Reservation, cost: Decimal) -> None:
    try:
        await once(budgets.settle, held, cost)
    except Exception as error:  # all that was held counts as spent then
        logger.error("cost not counted", extra={"error": type(error).__name__})


def _spawn(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def settled() -> None:
    """Waits until every call that has ended is counted."""
    while _tasks:
        await asyncio.wait(set(_tasks))


# --- How things stand ---------------------------------------------------------------------------


async def look() -> bool:
    """Learns what staff have changed and which budgets are spent; whether sockets must hear of it.

    Where all is stopped the calls under way end here.
    """
    global _standing
    standing, table = await query(_read)
    prices.state(table)
    changed, _standing = standing != _standing, standing
    if standing.stopped:
        for alarm in list(_under_way):
            alarm.reschedule(asyncio.get_running_loop().time())
    return changed


def _read() -> tuple[Standing, Any]:
    return budgets.standing(), budgets.stated_prices()


def limited(site: str) -> bool:
    """Whether the model is not asked for this site, by its public key: money is why."""
    return _standing.stopped or not _standing.spent.isdisjoint(("", site))


def health() -> dict[str, str]:
    """Whether paid calls are made; of single sites not a word, for anybody may ask."""
    if _standing.stopped:
        return {"status": "degraded", "detail": "paid calls are stopped by hand"}
    if "" in _standing.spent:
        return {"status": "degraded", "detail": "the budget of the day is spent"}
    return {"status": "ok"}
