"""One open socket: what goes down it, in which order, and what happens when it cannot keep up."""

import asyncio
import logging
import types
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from django.conf import settings

from chat import metrics, wire
from chat.spoken import Spoken

logger = logging.getLogger(__name__)

NOTHING = -1  # `rev` of a socket that was shown nothing yet of the conversation it is in
MAX_QUEUED = 256 * 1024  # characters that wait for a slow reader; beyond it deltas are dropped


class Member(Protocol):
    """Whoever of the staff is at a socket."""

    @property
    def user(self) -> int: ...

    def sees(self, site: int) -> bool: ...


class Socket:
    """A visitor's socket, or one of staff, as seen by `live`.

    `rev` is the highest that was sent down of `conversation`. Everything goes through a queue of
    its own, so that a slow reader holds up nobody: when the queue is full deltas are dropped, and
    once it has drained the socket is given a fresh `status`.

    While it is read from the database what this socket has missed (`reading`), what comes in waits
    its turn. `reload` reads and sends that; with True as one `status` frame, whatever it is.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], Coroutine[Any, Any, None]],
        reload: Callable[[bool], Coroutine[Any, Any, None]],
    ) -> None:
        self.conversation: uuid.UUID | None = None
        self.visitor: uuid.UUID | None = None
        self.member: Member | None = None  # of staff, in place of a visitor
        self.rev = 0
        self.sound = False  # `live` sets it
        self.held = False
        self._send = send
        self._reload = reload
        self._waiting: list[Mapping[str, Any]] = []  # frames that came while held
        self._queue: deque[str] = deque()
        self._queued = 0
        self._writer: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None  # with what the writer waits for
        self._reloading: asyncio.Task[None] | None = None
        self._stale = False
        self._stale_status = False
        self._lock = asyncio.Lock()
        self._behind = False  # deltas were dropped
        self._slow = False  # a frame has not gone down in time
        self._writing_reply: str | None = None  # the reply that `typing` was sent for
        self._shown: tuple[str, int] | None = None  # the latest reply it knows, and its attempt
        self._spoken: Spoken | None = None  # what of a reply can be spoken,
        self._given = 0  # ... and how much of that it was told
        self.closed = False

    # --- What `live` tells ----------------------------------------------------------------------

    def enter(self, conversation: uuid.UUID) -> None:
        """From now on it is in this one; what waits is of another."""
        self.conversation, self.rev = conversation, NOTHING
        self._waiting.clear()

    def tell(self, shape: Mapping[str, Any]) -> None:
        """A message was stored or changed."""
        if self.held:
            self._waiting.append(wire.message(shape))
        elif shape["rev"] == self.rev + 1:
            self._message(shape)
        elif shape["rev"] > self.rev:
            metrics.RESYNCS.labels("gap").inc()
            self.catch_up()

    def delta(self, frame: Mapping[str, Any], encoded: str) -> None:
        """The next piece of a reply; `encoded` is `frame` as text, made once for all sockets."""
        if self.held:
            self._waiting.append(frame)
        elif frame["message"] != self._writing_reply:
            return  # its `message` frame has not come yet, or has ended it
        elif self._behind or self._queued > MAX_QUEUED:
            self._behind = True
        else:
            self._put(encoded)

    def sign(self, frame: Mapping[str, Any]) -> None:
        """A person types, or has stopped: nobody repeats that."""
        if self.held:
            self._waiting.append(frame)
        else:
            self.push(frame)

    def speak(self, spoken: Spoken) -> None:
        """More of a reply can be spoken; it is told what it does not know yet."""
        if spoken is not self._spoken:
            self._spoken, self._given = spoken, 0
        if self.held or not self.sound or self._shown != spoken.reply:
            return
        frames = spoken.frames[self._given :]
        self._given += len(frames)
        for frame in frames:
            self._put(frame)

    def catch_up(self, status: bool = False) -> "asyncio.Task[None]":
        """Has what was missed read and sent; what comes meanwhile waits."""
        self._stale = True
        self._stale_status |= status
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._catch_up())
        return self._reloading

    async def _catch_up(self) -> None:
        while self._stale and not self.closed:
            status, self._stale_status = self._stale_status, False
            self._stale = False
            try:
                await self._reload(status)
            except Exception as error:  # the database is away; the next heartbeat asks again
                logger.warning("catch-up failed", extra={"error": type(error).__name__})

    # --- What the consumer does -----------------------------------------------------------------

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Holds what comes in until `status` or `missed` has been called; one reader at a time."""
        async with self._lock:
            self.held = True
            try:
                yield
            finally:
                if self.held:
                    self._let_go(shown=None)

    def push(self, frame: Mapping[str, Any]) -> None:
        """Sends a frame that is for this socket alone."""
        if frame["type"] == "error":
            metrics.REFUSED.labels(frame["code"]).inc()
        self._put(wire.encode(frame))

    def status(self, frame: Mapping[str, Any], reached: int) -> None:
        """Sends a `status`, which brings this socket to rev `reached`, and lets go of the rest."""
        self.rev = reached
        reply = frame["open"]["message"] if frame["open"] else None
        self._writing_reply = reply["id"] if reply else None
        self._shown = (reply["id"], reply["attempt"]) if reply else self._shown
        self.push(frame)
        self._let_go(shown=reply)

    def missed(
        self,
        shapes: Sequence[Mapping[str, Any]],
        text_of: Callable[[Mapping[str, Any]], str | None],
        status: Mapping[str, Any] | None = None,
    ) -> None:
        """Sends what was missed as single frames, then `status`, then what came meanwhile.

        `text_of` gives the text that this process has sent so far of a streaming reply.
        """
        shown: Mapping[str, Any] | None = None
        for shape in shapes:
            if shape["rev"] <= self.rev:
                continue
            text = text_of(shape) if shape["state"] == "streaming" else None
            self._message(shape)
            if text:
                self.push(wire.delta(shape["id"], shape["attempt"], 0, text))
            if text is not None:
                shown = shape
        if status is not None:
            self.push(status)
            shown = status["open"]["message"] if status["open"] else shown
        self._let_go(shown)

    def _let_go(self, shown: Mapping[str, Any] | None) -> None:
        """Ends the hold. Deltas of the attempt `shown` are in what was just sent already."""
        known = (shown["id"], shown["attempt"]) if shown else None
        self.held = False
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            if frame["type"] == "message":
                self.tell(frame["message"])
            elif frame["type"] == "typing":
                self.sign(frame)
            elif (frame["message"], frame["attempt"]) != known:
                self.delta(frame, wire.encode(frame))
        if self._spoken is not None and not self.held:
            self.speak(self._spoken)

    def _message(self, shape: Mapping[str, Any]) -> None:
        self.rev = shape["rev"]
        if "attempt" in shape:
            self._shown = (shape["id"], shape["attempt"])
        if shape["state"] == "streaming":
            self._writing_reply = shape["id"]
            self.push(wire.typing("agent", True, "reading"))
            # Its words come as deltas, from the start.
            shape = {**shape, "text": ""}
        elif shape["id"] == self._writing_reply:
            self._writing_reply = None
            self.push(wire.typing("agent", False))
        self.push(wire.message(shape))

    # --- The line -------------------------------------------------------------------------------

    def _put(self, text: str) -> None:
        if self.closed:
            return
        self._queue.append(text)
        self._queued += len(text)
        if self._writer is not None:
            return
        writing = self._write()
        try:
            waits_for = writing.send(None)
        except StopIteration:  # as nearly always: the line took it at once, and no task is needed
            return
        self._writer = asyncio.create_task(_gone_on_with(writing, waits_for))
        self._be_patient()

    async def _write(self) -> None:
        try:
            while self._queue:
                text = self._queue.popleft()
                await self._send({"type": "websocket.send", "text": text})
                self._queued -= len(text)
                if self._patience is not None:
                    self._be_patient()
        except asyncio.CancelledError:
            if not self._slow:
                raise
            await self._close(wire.CLOSE_SLOW, "too slow")
        except Exception:  # the client has left; every server says so in an exception of its own
            self.closed = True
        finally:
            if self._patience is not None:
                self._patience.cancel()
            self._writer = self._patience = None
        if self._behind and not self.closed:
            self._behind = False
            metrics.RESYNCS.labels("slow_reader").inc()
            self.catch_up(status=True)

    def _be_patient(self) -> None:
        """From now on, with one frame. A timer costs less than `asyncio.timeout`."""
        if self._patience is not None:
            self._patience.cancel()
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(settings.CHAT_SLOW_READER_TIMEOUT, self._too_slow)

    def _too_slow(self) -> None:
        """A frame has not gone down in time."""
        self._slow = True
        if self._writer is not None:
            self._writer.cancel()

    async def emptied(self) -> None:
        """Waits until what is queued has gone down."""
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=settings.CHAT_SLOW_READER_TIMEOUT)

    async def close(self, code: int, reason: str = "") -> None:
        """Closes it after what is queued has gone down."""
        await self.emptied()
        await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._queue.clear()
        metrics.CLOSED.labels(code).inc()
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:  # it has left already
            return

    def gone(self) -> None:
        """The client has left."""
        self.closed = True
        self._queue.clear()
        for task in (self._reloading, self._writer):
            if task is not None:
                task.cancel()


async def _gone_on_with(work: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """The rest of `work`, which has begun and waits for something."""
    await _resumed(work, waits_for)


@types.coroutine
def _resumed(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    try:
        while True:
            try:
                come = yield waits_for
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(come)
    except StopIteration:
        return
