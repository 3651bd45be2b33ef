"""Tells open sockets what happens: those of this process directly, others by the channel layer.

The layer carries small events only: "these messages changed", "the state has", "end this reply", "a
socket here watches this reply". A lost one costs a heartbeat, for the database is the truth.
"""

import asyncio
import math
import os
import secrets
import socket as network
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chat import metrics, wire
from chat.layer import Layer
from chat.sockets import Socket
from chat.spoken import Speaking

FRAME = 0.016  # seconds: deltas are joined by display frame,
WIDE_FRAME = 0.050  # ... or by this while the loop lags, and towards other processes
LAG = 0.020
MOST_LAG = 1.0  # seconds that one look at the lag counts at most
TYPING_AGAIN = 20.0
MAX_WANTED = 1000
Person = Literal["visitor", "staff"]


class Stream:
    """A reply on its way to the sockets: joins its pieces, and knows what has been sent."""

    def __init__(self, live: "Live", conversation: uuid.UUID, message: str, attempt: int) -> None:
        self.conversation = conversation
        self.message = message
        self.attempt = attempt
        self.sent = ""  # what the sockets of this process have been given
        self.last_words = time.monotonic()
        self.watchers: dict[str, int] = {}  # other processes, and how much they were given
        self._live = live
        self._sockets: set[Socket] = set()
        self._pending = ""
        self._off = 0  # of `sent`, in UTF-16 units
        self._timer: asyncio.TimerHandle | None = None  # where the next piece comes too soon
        self._flushed = -math.inf
        self._remote: asyncio.Task[None] | None = None

    def emit(self, text: str) -> None:
        """The next piece: at once if the line was quiet, otherwise with the next frame."""
        self._pending += text
        if self._timer is None:
            window = WIDE_FRAME if self._live.behind else FRAME
            wait = self._flushed + window - time.monotonic()
            if wait <= 0:
                self._flush()
            else:
                self._timer = asyncio.get_running_loop().call_later(wait, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if not self._pending:
            return
        text, self._pending = self._pending, ""
        frame = (self.message, self.attempt, self._off, text)
        self.sent += text
        self._off += wire.units(text)
        self.last_words = self._flushed = time.monotonic()
        live = self._live
        if not self._sockets:  # as long as it holds any it is the one that `live` keeps
            self._sockets = live.sockets.get(self.conversation, set())
        if self._sockets:
            encoded = wire.encoded_delta(*frame)
            for socket in self._sockets:
                socket.delta(wire.delta(*frame), encoded)
            if live.speaking.wanted and self.conversation in live.speaking.wanted:
                live.speaking.grown(self.conversation, self.message, self.attempt, self.sent)
        if self.watchers and self._remote is None:
            self._remote = asyncio.create_task(self._serve_watchers())

    def end(self) -> str:
        """Sends what is pending and gives the whole text. Nothing is sent after."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()
        return self.sent

    def watch(self, process: str) -> None:
        """A socket of another process wants the deltas, from the start."""
        self.watchers[process] = 0
        if self._remote is None:
            self._remote = asyncio.create_task(self._serve_watchers())

    async def _serve_watchers(self) -> None:
        try:
            while any(given < len(self.sent) for given in self.watchers.values()):
                sent = self.sent
                for process, given in list(self.watchers.items()):
                    self.watchers[process] = len(sent)
                    frame = wire.delta(
                        self.message, self.attempt, wire.units(sent[:given]), sent[given:]
                    )
                    event = {"type": "delta", "conversation": self.conversation.hex}
                    self._live.layer.ask(process, {**event, "frame": frame})
                await asyncio.sleep(WIDE_FRAME)
        finally:
            self._remote = None


@dataclass(slots=True)
class Mirror:
    """A stream of another process, as far as it was given to the sockets of this one."""

    message: str
    attempt: int
    sent: str = ""

    def take(self, frame: Mapping[str, Any]) -> bool:
        """Takes in the next delta; False where one before it was lost."""
        if wire.units(self.sent) < frame["off"]:
            return False
        self.sent = wire.cut(self.sent, frame["off"]) + frame["text"]
        return True


class Live:
    """The sockets and streams of this process, and its line to the others."""

    def __init__(self) -> None:
        self.name = f"{network.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.sockets: dict[uuid.UUID, set[Socket]] = {}
        self.desk: set[Socket] = set()  # of staff, whatever they look at
        self.lines: set[Socket] = set()  # those over HTTP, which no server closes by itself
        self.streams: dict[uuid.UUID, Stream] = {}  # by conversation
        self.mirrors: dict[uuid.UUID, Mirror] = {}  # of streams of other processes
        self.speaking = Speaking(self.sockets)
        self.layer = Layer(self.name, self.sockets.keys(), self._heard, self.spawn)
        self.lag = 0.0  # seconds that the event loop runs behind, smoothed
        self.on_event: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None
        self._wanted: dict[uuid.UUID, set[str]] = {}  # who asked for a stream not begun yet
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def behind(self) -> bool:
        """Whether the event loop lags so far that frames are joined to longer ones."""
        return self.lag > LAG

    async def start(self) -> None:
        """Opens the line to other processes, where there can be any."""
        self.spawn(self._watch_lag())
        self.layer.start()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """A task that is held until it ends; asyncio itself keeps only a weak reference."""
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- Sockets --------------------------------------------------------------------------------

    async def join(self, socket: Socket, conversation: uuid.UUID) -> None:
        """From now on `socket` is told of this conversation, and of no other."""
        if socket.conversation != conversation:
            self.leave(socket)
            socket.enter(conversation)
            self.sockets.setdefault(conversation, set()).add(socket)
            self.speaking.look(conversation)
        await self.layer.follow(conversation)

    def leave(self, socket: Socket) -> None:
        conversation, socket.conversation = socket.conversation, None
        if conversation is None:
            return
        sockets = self.sockets.get(conversation, set())
        sockets.discard(socket)
        self.speaking.look(conversation)
        if not sockets:
            self.sockets.pop(conversation, None)
            self.mirrors.pop(conversation, None)
            self.layer.forget(conversation)

    def sound(self, socket: Socket, on: bool) -> None:
        """The visitor wants replies spoken from now on, the running one too, or no more."""
        socket.sound = on
        conversation = socket.conversation
        if conversation is None:
            return
        self.speaking.look(conversation)
        writing = self.streams.get(conversation) or self.mirrors.get(conversation)
        if on and writing is not None:
            self.speaking.grown(conversation, writing.message, writing.attempt, writing.sent)

    def sizes(self) -> dict[str, int]:
        """How many entries each thing has that is kept here."""
        return {
            "conversations": len(self.sockets),
            "streams": len(self.streams),
            "mirrors": len(self.mirrors),
            "spoken": len(self.speaking),
            "wanted": len(self._wanted),
            "subscribed": len(self.layer.subscribed),
            "background": len(self._tasks),
            "desk": len(self.desk),
        }

    def text_of(self, conversation: uuid.UUID, shape: Mapping[str, Any]) -> str | None:
        """What the sockets of this process were sent of a streaming reply; None: nothing yet."""
        for stream in (self.streams.get(conversation), self.mirrors.get(conversation)):
            if stream and (stream.message, stream.attempt) == (shape["id"], shape["attempt"]):
                return stream.sent
        return None

    # --- Telling --------------------------------------------------------------------------------

    async def tell(self, conversation: uuid.UUID, shapes: Iterable[Mapping[str, Any]]) -> None:
        """Messages were stored or changed, in order of `rev`; their transaction has committed."""
        told = list(shapes)
        self._tell_here(conversation, told)
        if told:
            self.layer.tell(conversation, {"type": "messages", "messages": told})

    def _tell_here(self, conversation: uuid.UUID, shapes: Iterable[Mapping[str, Any]]) -> None:
        sockets = list(self.sockets.get(conversation, ()))
        for shape in shapes:
            for socket in sockets:
                socket.tell(shape)

    async def state_changed(self, conversation: uuid.UUID) -> None:
        """The conversation's state has changed, which raises no `rev`: everybody gets `status`."""
        for socket in list(self.sockets.get(conversation, ())):
            socket.catch_up(status=True)
        self.layer.tell(conversation, {"type": "state"})

    def begin(self, conversation: uuid.UUID, message: str, attempt: int) -> Stream:
        """This process writes a reply now."""
        stream = Stream(self, conversation, message, attempt)
        self.streams[conversation] = stream
        for process in self._wanted.pop(conversation, ()):
            stream.watch(process)
        return stream

    def end(self, stream: Stream) -> None:
        if self.streams.get(stream.conversation) is stream:
            del self.streams[stream.conversation]

    def typing(self, conversation: uuid.UUID, stage: Any) -> None:
        """A sign of life of the reply being written."""
        for socket in self.sockets.get(conversation, ()):
            if not socket.held:
                socket.push(wire.typing("agent", True, stage))

    def person_types(self, conversation: uuid.UUID, role: Person, on: bool) -> None:
        """A visitor is typing, which staff see, or staff, which the visitor does."""
        self._person_types(conversation, role, on)
        self.layer.tell(conversation, {"type": "types", "role": role, "on": on})

    def _person_types(self, conversation: uuid.UUID, role: Person, on: bool) -> None:
        for socket in self.sockets.get(conversation, ()):
            if (socket.member is not None) == (role == "visitor"):
                socket.sign(wire.typing(role, on))

    def tell_desk(self, site: int, frame: Mapping[str, Any], user: int | None = None) -> None:
        """News for all staff who see `site`, or one of them, wherever their sockets are."""
        self._tell_desk(site, frame, user)
        self.layer.send_all({"type": "desk", "site": site, "frame": frame, "user": user})

    def _tell_desk(self, site: int, frame: Mapping[str, Any], user: int | None) -> None:
        for socket in self.desk:
            member = socket.member
            if member is not None and member.sees(site) and user in (None, member.user):
                socket.push(frame)

    def typing_again(self) -> None:
        """Repeats the sign where no words have come for a while."""
        now = time.monotonic()
        for stream in self.streams.values():
            if now - stream.last_words >= TYPING_AGAIN:
                stream.last_words = now
                self.typing(stream.conversation, "writing")
                for process in stream.watchers:
                    event = {"type": "typing", "conversation": stream.conversation.hex}
                    self.layer.ask(process, event)

    async def erased(self, visitor: uuid.UUID) -> None:
        """Nothing is stored of a visitor any more: their sockets close, in every process."""
        await self.erased_here(visitor)
        await self.layer.ask_all({"type": "erased", "visitor": visitor.hex})

    async def erased_here(self, visitor: uuid.UUID) -> None:
        everybody = [socket for sockets in self.sockets.values() for socket in sockets]
        theirs = [socket for socket in everybody if socket.visitor == visitor]
        await asyncio.gather(*(each.close(wire.CLOSE_ERASED, "erased") for each in theirs))

    async def tell_all(self) -> None:
        """The state of this process has changed: every socket gets a `status`, a few at a time."""
        waiting: list[asyncio.Task[None]] = []
        for sockets in list(self.sockets.values()):
            for socket in list(sockets):
                waiting.append(socket.catch_up(status=True))
                if len(waiting) % 50 == 0:
                    await asyncio.sleep(0)
        if waiting:
            await asyncio.wait(waiting)

    async def hang_up(self) -> None:
        """The process ends. Servers close WebSockets, but wait for an answer over HTTP to end."""
        await asyncio.gather(
            *(line.close(wire.CLOSE_RESTARTING, "restarting") for line in list(self.lines))
        )

    # --- Other processes ------------------------------------------------------------------------

    def watch(self, process: str, conversation: uuid.UUID) -> None:
        """Wants the deltas of a reply that another process writes."""
        if process and process != self.name:
            self.layer.ask(process, {"type": "watch", "conversation": conversation.hex})

    async def _heard(self, event: Mapping[str, Any]) -> None:
        conversation = uuid.UUID(event["conversation"]) if "conversation" in event else None
        if event["type"] == "watch" and conversation:
            stream = self.streams.get(conversation)
            if stream is not None:
                stream.watch(event["from"])
            else:  # its reply is about to begin here
                if len(self._wanted) >= MAX_WANTED:
                    self._wanted.clear()
                    metrics.LAYER_OVERFLOWS.inc()
                self._wanted.setdefault(conversation, set()).add(event["from"])
        elif event["type"] == "typing" and conversation:
            self.typing(conversation, "writing")
        elif event["type"] == "types" and conversation:
            self._person_types(conversation, event["role"], event["on"])
        elif event["type"] == "desk":
            self._tell_desk(event["site"], event["frame"], event["user"])
        elif event["type"] == "delta" and conversation:
            self._mirrored(conversation, event["from"], event["frame"])
        elif event["type"] == "messages" and conversation:
            if conversation in self.speaking.wanted:
                self.speaking.told(conversation, event["messages"])
            self._tell_here(conversation, event["messages"])
            if self.sockets.get(conversation) and event["messages"][-1]["state"] == "streaming":
                self.watch(event["from"], conversation)
        elif event["type"] == "state" and conversation:
            for socket in list(self.sockets.get(conversation, ())):
                socket.catch_up(status=True)
        elif self.on_event is not None:
            self.spawn(self.on_event(event))

    def _mirrored(self, conversation: uuid.UUID, process: str, frame: Mapping[str, Any]) -> None:
        """A delta of another process: to the sockets here, unless one before it was lost."""
        sockets = self.sockets.get(conversation)
        if not sockets:
            return
        mirror = self.mirrors.get(conversation)
        shown = (frame["message"], frame["attempt"])
        if mirror is None or (mirror.message, mirror.attempt) != shown:
            mirror = self.mirrors[conversation] = Mirror(*shown)
        if not mirror.take(frame):
            del self.mirrors[conversation]
            metrics.RESYNCS.labels("lost_delta").inc()
            self.watch(process, conversation)
            return
        encoded = wire.encode(frame)
        for socket in sockets:
            socket.delta(frame, encoded)
        if conversation in self.speaking.wanted:
            self.speaking.grown(conversation, mirror.message, mirror.attempt, mirror.sent)

    async def _watch_lag(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.25)
            late = time.monotonic() - before - 0.25
            # A process that stood still for long is not behind for as long.
            self.lag = 0.5 * self.lag + 0.5 * min(max(0.0, late), MOST_LAG)


live = Live()
