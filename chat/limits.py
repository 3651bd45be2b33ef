"""How often, and how many at once: rates in Redis where there is one, else in memory; sockets.

Rates protect comfort, not money, which has budgets of its own (`budgets.py`).
"""

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

from django.conf import settings
from django.utils.crypto import salted_hmac
from limits import RateLimitItem, RateLimitItemPerSecond, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

logger = logging.getLogger(__name__)

PATIENCE = 0.5  # seconds for Redis to answer
SILENCE = 10.0  # seconds in which it is not asked again after it did not
KINDS = (
    *("visitor", "address", "site", "init", "new_visitors", "frames", "export", "erase"),
    *("voice", "transcribe"),
)
_silent_until = 0.0
L = TypeVar("L")
T = TypeVar("T")


@cache
def rates() -> dict[str, list[RateLimitItem]]:
    """The rates of the settings; raises ValueError naming the variable that makes no sense."""
    found = {}
    for kind in KINDS:
        name = f"CHAT_RATE_{kind.upper()}"
        try:
            found[kind] = parse_many(getattr(settings, name))
        except ValueError:
            raise ValueError(f'{name} is no list of rates like "30/minute; 300/hour".') from None
    return found


def frames() -> tuple[int, float]:
    """So many frames on a socket, within so many seconds, and no more."""
    rate = rates()["frames"][0]
    return rate.amount, float(rate.get_expiry())


def network(address: str) -> str:
    """What counts as one client: an IPv4 address, the first half of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def mark(address: str) -> str:
    """What stands for the address's network where it is kept: nobody reads it out of that."""
    return salted_hmac("chat.network", network(address), algorithm="sha256").hexdigest()[:32]


# --- How often ----------------------------------------------------------------------------------


async def wait(*counted: tuple[str, str], cost: int = 1) -> int:
    """Counts `cost` of each kind for its key; seconds to wait, 0: go on.

    In the order given, and what one of them refuses counts for none after it: a visitor who is too
    fast uses up nothing of the site's.
    """
    for kind, key in counted if settings.CHAT_RATES else ():
        if seconds := await _wait(kind, key, cost):
            return seconds
    return 0


async def _wait(kind: str, key: str, cost: int) -> int:
    async def count(limiter: SlidingWindowCounterRateLimiter) -> int:
        for rate in rates()[kind]:
            if not await limiter.hit(rate, kind, key, cost=cost):
                window = await limiter.get_window_stats(rate, kind, key)
                return max(1, int(window.reset_time - time.time()) + 1)
        return 0

    return await _by(_shared, _own, count)


async def struck(key: str, most: int, within: int) -> bool:
    """Counts a fault; whether it is the `most`th within so many seconds, and so the last one.

    Not a rate: it counts without CHAT_RATES as well. After the last one it begins anew.
    """
    faults = RateLimitItemPerSecond(most - 1, within)

    async def count(limiter: MovingWindowRateLimiter) -> bool:
        if await limiter.hit(faults, "faults", key):
            return False
        await limiter.clear(faults, "faults", key)
        return True

    return await _by(_shared_exact, _own_exact, count)


async def _by(
    shared: Callable[[], L], own: Callable[[], L], count: Callable[[L], Awaitable[T]]
) -> T:
    """By Redis; while it is down each process counts for itself."""
    global _silent_until
    if time.monotonic() >= _silent_until:
        try:
            async with asyncio.timeout(PATIENCE):
                return await count(shared())
        except Exception as error:
            logger.warning("rates unknown", extra={"error": type(error).__name__})
            _silent_until = time.monotonic() + SILENCE
    return await count(own())


@cache
def _memory() -> Storage:
    return MemoryStorage()


@cache
def _storage() -> Storage:
    if not settings.REDIS_URL:
        return _memory()
    return RedisStorage(f"async+{settings.REDIS_URL}", implementation="redispy")


async def forget(visitor: str) -> None:
    """Lets go of what was counted for a visitor; without Redis it would run out within a day."""
    for limiter in {_own(), _shared()}:
        for kind in ("visitor", "frames", "export", "voice", "transcribe"):
            try:
                async with asyncio.timeout(PATIENCE):
                    for rate in rates()[kind]:
                        await limiter.clear(rate, kind, visitor)
            except Exception as error:
                logger.warning("rates unknown", extra={"error": type(error).__name__})
                break


@cache
def _own() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(_memory())


@cache
def _shared() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(_storage())


@cache
def _own_exact() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(_memory())


@cache
def _shared_exact() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(_storage())


# --- How many at once ---------------------------------------------------------------------------


class Seat:
    """What one open socket takes up in this process: of all, of its address's, of its visitor's."""

    _taken: Counter[tuple[str, str]] = Counter()  # by all seats

    def __init__(self) -> None:
        self._mine: list[tuple[str, str]] = []

    def take(self, address: str) -> bool:
        """A socket opens; False: there are too many."""
        return self._take("process", "", settings.CHAT_SOCKETS) and self._take(
            "address", network(address), settings.CHAT_SOCKETS_PER_ADDRESS
        )

    def take_for(self, visitor: str) -> bool:
        """It is known by now whose it is; False: this visitor has too many."""
        return self._take("visitor", visitor, settings.CHAT_SOCKETS_PER_VISITOR)

    def _take(self, kind: str, key: str, most: int) -> bool:
        if settings.CHAT_RATES and self._taken[kind, key] >= most:
            return False
        self._taken[kind, key] += 1
        self._mine.append((kind, key))
        return True

    @classmethod
    def all(cls) -> int:
        return cls._taken["process", ""]

    def leave(self) -> None:
        """The socket is closed. What was not taken is not given back."""
        for place in self._mine:
            self._taken[place] -= 1
            if self._taken[place] <= 0:
                del self._taken[place]
        self._mine.clear()


def open_sockets() -> int:
    """How many there are in this process, lines over HTTP among them."""
    return Seat.all()
