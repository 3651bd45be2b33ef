"""One synthesis in flight for each text and voice, whoever asks for it, in whatever process.

Audio comes from a thread and goes to all who listen, from its beginning, as it comes. When the last
of them has left the service is hung up on; what is spoken ahead of its listeners goes on alone.
What another process speaks already is waited for, within VOICE_QUEUE, and read where it is kept.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import cache
from typing import Protocol

from django.conf import settings

from voice import places
from voice.sink import Sink
from voice.voices import NobodyListens, SpeechFailed, Voice

logger = logging.getLogger(__name__)


class Bill(Protocol):
    cost: Decimal


Speak = Callable[[str, Voice, Sink], None]
Pay = Callable[[], AbstractAsyncContextManager[Bill]]
Keep = Callable[[bytes], Awaitable[None]]
Kept = Callable[[], Awaitable[bytes | None]]
Ended = Callable[[Exception | None], None]


@cache
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.VOICE_CONCURRENCY, thread_name_prefix="voice")


class Synthesis:
    """`failure` is set where it ended badly; what `pay` raised, too."""

    def __init__(self, key: str, text: str, voice: Voice) -> None:
        self.key, self.text, self.voice = key, text, voice
        self.failure: Exception | None = None
        self.over = False
        self._pieces: list[bytes] = []
        self._listeners = 0
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sink = Sink(self._write)

    async def run(self, speak: Speak, pay: Pay, keep: Keep, kept: Kept, ended: Ended) -> None:
        claimed = False
        try:
            claimed, waited = await self._claim()
            if waited and (audio := await kept()) is not None:
                self._take(audio)
            else:
                await self._speak(speak, pay)
                await keep(b"".join(self._pieces))
        except Exception as error:
            self.failure = error
        except asyncio.CancelledError:
            self.failure = NobodyListens()
            raise
        finally:
            self.over = True
            self._tell()
            if not isinstance(self.failure, NobodyListens):
                ended(self.failure)
            if claimed:
                await asyncio.to_thread(places.release, self.key)

    async def _claim(self) -> tuple[bool, bool]:
        """Whether it is claimed for this process, and whether another one spoke it until now."""
        if not settings.REDIS_URL:
            return False, False
        until, waited = time.monotonic() + settings.VOICE_QUEUE, False
        while not (mine := await asyncio.to_thread(places.claim, self.key)):
            waited = True
            if time.monotonic() > until:
                break
            await asyncio.sleep(places.AGAIN)
            self._sink.check()
        return mine, waited

    async def _speak(self, speak: Speak, pay: Pay) -> None:
        async with pay() as bill:
            call = self._loop.run_in_executor(threads(), speak, self.text, self.voice, self._sink)
            try:
                await asyncio.shield(call)
            except SpeechFailed as failed:
                if failed.free:
                    bill.cost = Decimal(0)
                raise
            except asyncio.CancelledError:
                self._sink.leave()
                raise

    def _write(self, data: bytes) -> None:
        self._loop.call_soon_threadsafe(self._take, data)

    def _take(self, data: bytes) -> None:
        self._pieces.append(data)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def begun(self) -> "Listener":
        """Waits for the first audio; raises `failure` where none comes."""
        listener = Listener(self)
        try:
            while not self._pieces and not self.over:
                await self._news.wait()
            if not self._pieces and self.failure is not None:
                raise self.failure
        except BaseException:
            listener.leave()
            raise
        return listener

    @property
    def first(self) -> bytes:
        """The first audio that came."""
        return self._pieces[0]

    async def ended(self) -> None:
        """Waits for its end, without listening."""
        while not self.over:
            await self._news.wait()

    async def listen(self, listener: "Listener") -> AsyncIterator[bytes]:
        """All of it, from the beginning; raises `failure` where it broke off."""
        at = 0
        try:
            while True:
                while at < len(self._pieces):
                    at += 1
                    yield self._pieces[at - 1]
                if self.over:
                    break
                await self._news.wait()
            if self.failure is not None:
                raise self.failure
        finally:
            listener.leave()

    def joined(self) -> None:
        self._listeners += 1

    def left(self) -> None:
        self._listeners -= 1
        self._leave()

    def _leave(self) -> None:
        if not self._listeners and not self.over:
            self._sink.leave()

    @property
    def gone(self) -> bool:
        """Whether it was hung up on: whoever comes now needs a new one."""
        return self._sink.left

    def hush(self) -> None:
        """Nobody will come to listen: it ends, unless somebody does already."""
        self._leave()


class Listener:
    """Somebody who wants to hear it, until they leave; or are let go of, unheard."""

    def __init__(self, synthesis: Synthesis) -> None:
        self._synthesis: Synthesis | None = synthesis
        synthesis.joined()

    def leave(self) -> None:
        synthesis, self._synthesis = self._synthesis, None
        if synthesis is not None:
            synthesis.left()

    def __del__(self) -> None:
        self.leave()  # of an answer that nobody began to read


class Syntheses:
    """What this process speaks right now."""

    def __init__(self) -> None:
        self._running: dict[str, Synthesis] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def of(self, key: str) -> Synthesis | None:
        return self._running.get(key)

    def start(
        self, text: str, voice: Voice, *, speak: Speak, pay: Pay, keep: Keep, kept: Kept,
        ended: Ended,
    ) -> Synthesis:  # fmt: skip
        """The one that runs for this text and voice, or a new one. Somebody must listen soon."""
        key = voice.key(text)
        running = self._running.get(key)
        if running is not None and not running.gone:
            return running
        made = self._running[key] = Synthesis(key, text, voice)
        task = asyncio.create_task(made.run(speak, pay, keep, kept, ended))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._over(made, done))
        return made

    def _over(self, made: Synthesis, done: "asyncio.Task[None]") -> None:
        self._tasks.discard(done)
        if self._running.get(made.key) is made:
            del self._running[made.key]

    async def settled(self) -> None:
        """Waits until each has ended and is kept."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Ends all of them: the process does."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


syntheses = Syntheses()
