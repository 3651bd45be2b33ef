"""Where a synthesis puts its audio, from a thread; and how it is told that nobody listens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voice.voices import NobodyListens


class Sink:
    """`take` gets each piece of audio, in the thread that speaks."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._abort: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        """Raises `NobodyListens`, as all of this does."""
        self.check()
        if data:
            self._take(data)

    def check(self) -> None:
        if self._gone.is_set():
            raise NobodyListens

    @property
    def left(self) -> bool:
        return self._gone.is_set()

    def wait(self, seconds: float) -> None:
        """Sleeps, unless everybody leaves."""
        if self._gone.wait(seconds):
            raise NobodyListens

    @contextmanager
    def aborting(self, abort: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `abort` is called when nobody listens any more, in any thread."""
        with self._lock:
            self._abort = abort
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._abort = None

    def leave(self) -> None:
        """Nobody listens any more."""
        self._gone.set()
        with self._lock:
            if self._abort is not None:
                self._abort()
