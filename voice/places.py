"""How many calls of the voice's service run at once, over all processes, and who speaks what.

An account may speak so much at once and no more, whatever process asks. By Redis where there is
one: each call holds a place there for as long as it can last, so that a killed process gives its
own back. Synchronous, for the threads that call.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import redis
from django.conf import settings

from voice.voices import SpeechFailed

logger = logging.getLogger(__name__)

LEASE = 60  # seconds that a call can last
AGAIN = 0.05  # seconds between two looks for a place
_KEY = "salesagent.voice.places"
_SPEAKING = "salesagent.voice.speaking."
_TAKE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


@cache
def _own() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(settings.VOICE_CONCURRENCY)


@cache
def _redis() -> Any:
    options = {"ssl_cert_reqs": "none"} if settings.CHAT_REDIS_CERTIFICATE == "none" else {}
    if not settings.REDIS_URL.startswith("rediss:"):
        options = {}
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, **options
    )


@contextmanager
def place(wait: Callable[[float], None]) -> Iterator[None]:
    """Around one call. Raises `SpeechFailed("busy")` where none is free within VOICE_QUEUE.

    `wait` sleeps for so many seconds, or raises where the call is not wanted any more.
    """
    until = time.monotonic() + settings.VOICE_QUEUE
    while not _own().acquire(blocking=False):
        _next_look(until, wait)
    try:
        with _shared(until, wait):
            yield
    finally:
        _own().release()


@contextmanager
def _shared(until: float, wait: Callable[[float], None]) -> Iterator[None]:
    mine = uuid.uuid4().hex
    while settings.REDIS_URL and not _take(mine):
        _next_look(until, wait)
    try:
        yield
    finally:
        if settings.REDIS_URL:
            try:
                _redis().zrem(_KEY, mine)
            except redis.RedisError:  # its time runs out
                pass


def _take(mine: str) -> bool:
    """Whether there is a place; without Redis's answer each process keeps to its own number."""
    try:
        return bool(_redis().eval(_TAKE, 1, _KEY, settings.VOICE_CONCURRENCY, LEASE, mine))
    except redis.RedisError as error:
        logger.warning("places unknown", extra={"error": type(error).__name__})
        return True


def claim(key: str) -> bool:
    """Whether no other process speaks this. Without Redis's answer each speaks for itself."""
    try:
        return bool(_redis().set(_SPEAKING + key, 1, nx=True, ex=LEASE))
    except redis.RedisError as error:
        logger.warning("claims unknown", extra={"error": type(error).__name__})
        return True


def release(key: str) -> None:
    """It was spoken, or was not; whoever waits for it goes on."""
    try:
        _redis().delete(_SPEAKING + key)
    except redis.RedisError:  # its time runs out
        pass


def _next_look(until: float, wait: Callable[[float], None]) -> None:
    if time.monotonic() >= until:
        raise SpeechFailed("busy", retry_after=settings.VOICE_QUEUE)
    wait(AGAIN)
