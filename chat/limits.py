"""How often: rates per visitor and per address, in Redis where there is one, else in memory."""

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from functools import cache

from django.conf import settings
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

logger = logging.getLogger(__name__)

PATIENCE = 0.5  # seconds for Redis to answer
SILENCE = 10.0  # seconds in which it is not asked again after it did not
_silent_until = 0.0
_limiter: SlidingWindowCounterRateLimiter | None = None
_sockets: Counter[str] = Counter()  # open ones of this process, by address


@cache
def rates() -> dict[str, list[RateLimitItem]]:
    """The rates of the settings; raises ValueError naming the variable that makes no sense."""
    found = {}
    for kind in ("visitor", "address", "init", "frames"):
        name = f"CHAT_RATE_{kind.upper()}"
        try:
            found[kind] = parse_many(getattr(settings, name))
        except ValueError:
            raise ValueError(f'{name} is no list of rates like "30/minute; 300/hour".') from None
    return found


def _storage() -> Storage:
    if settings.REDIS_URL:
        return RedisStorage(f"async+{settings.REDIS_URL}", implementation="redispy")
    return MemoryStorage()


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


async def wait(kind: str, key: str) -> int:
    """Counts one of `kind` (a key of `rates`) for `key`; seconds to wait, 0: go on.

    Where Redis is down nobody waits: rates protect comfort, the money has budgets of its own.
    """
    global _silent_until
    if not settings.CHAT_RATES or time.monotonic() < _silent_until:
        return 0
    try:
        async with asyncio.timeout(PATIENCE):
            return await _wait(kind, key)
    except Exception as error:
        logger.warning("rates unknown", extra={"error": type(error).__name__})
        _silent_until = time.monotonic() + SILENCE
    return 0


async def _wait(kind: str, key: str) -> int:
    global _limiter
    if _limiter is None:
        _limiter = SlidingWindowCounterRateLimiter(_storage())
    for rate in rates()[kind]:
        if not await _limiter.hit(rate, kind, key):
            window = await _limiter.get_window_stats(rate, kind, key)
            return max(1, int(window.reset_time - time.time()) + 1)
    return 0


def enter(address: str) -> bool:
    """A socket opens; False: there are too many from this address."""
    key = network(address)
    if settings.CHAT_RATES and _sockets[key] >= settings.CHAT_SOCKETS_PER_ADDRESS:
        return False
    _sockets[key] += 1
    return True


def leave(address: str) -> None:
    key = network(address)
    _sockets[key] -= 1
    if _sockets[key] <= 0:
        del _sockets[key]
