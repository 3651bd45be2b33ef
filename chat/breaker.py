"""A circuit breaker: a server that keeps failing is left alone for a while, then tried by one."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chat.llm import LLMError


class Breaker:
    """Counts the failures of one model's server.

    `failures` of them within `window` seconds open it; for `rest` seconds nobody asks. Then one
    request is let through: its success closes the breaker, its failure opens it again. A request
    that was called off says nothing either way. `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        *,
        failures: int,
        window: float,
        rest: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._window = window
        self._rest = rest
        self._clock = clock
        self._failed: deque[float] = deque(maxlen=failures)
        self._open_until: float | None = None  # None: closed
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether the server counts as gone, also while one request tries whether it is back."""
        return self._open_until is not None

    def admits(self) -> bool:
        """Whether a request may be made now."""
        if self._open_until is None:
            return True
        return not self._trying and self._clock() >= self._open_until

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Around one request that was admitted; learns from how it ends."""
        trying = self._trying = self.open
        try:
            yield
        except LLMError as error:
            # What a server refuses says nothing of its health: a visitor's words can cause it.
            if error.code != "refused":
                self._note_failure(trying)
            raise
        else:
            self._failed.clear()
            self._open_until = None
        finally:
            if trying:
                self._trying = False

    def note(self, *, well: bool) -> None:
        """How a request that was admitted has ended, where `watching` cannot stand around it."""
        if well:
            self._failed.clear()
            self._open_until = None
        else:
            self._note_failure(self.open)

    def _note_failure(self, trying: bool) -> None:
        now = self._clock()
        self._failed.append(now)
        oldest = self._failed[0]
        if trying or (len(self._failed) == self._limit and now - oldest <= self._window):
            self._open_until = now + self._rest
