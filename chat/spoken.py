"""What of a reply can be spoken while it is written, as frames for the sockets that want it."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from chat import wire
from voice.speech import Cutter, Segment


class Listener(Protocol):
    """A socket, as far as sound goes."""

    sound: bool

    def speak(self, spoken: "Spoken") -> None: ...


class Spoken:
    """One attempt at a reply. `frames` are its `speech` frames so far, encoded once for all."""

    def __init__(self, message: str, attempt: int) -> None:
        self.reply = (message, attempt)
        self.frames: list[str] = []
        self._cutter = Cutter()
        self._text = ""
        self._over = False

    def grow(self, text: str) -> list[Segment]:
        """`text` is all that is written by now; the segments that are whole since the last call."""
        if self._over or len(text) <= len(self._text):
            return []
        found = self._cutter.feed(text[len(self._text) :])
        self._text = text
        self._add(found)
        return found

    def end(self, text: str) -> list[Segment]:
        """`text` is the whole reply; the segments that were left."""
        if self._over:
            return []
        found = self._cutter.feed(text[len(self._text) :]) + self._cutter.finish()
        self._text, self._over = text, True
        self._add(found, last=True)
        return found

    def _add(self, found: list[Segment], last: bool = False) -> None:
        message, attempt = self.reply
        for each in found:
            off = wire.units(self._text[: each.start])
            size = wire.units(self._text[each.start : each.end])
            final = last and each is found[-1]
            frame = wire.speech(message, each.n, each.text, attempt, off, size, final)
            self.frames.append(wire.encode(frame))


class Speaking:
    """Which conversations are spoken to sockets of this process, and how far their replies are.

    Whoever tells of a reply's words looks into `wanted` first: where nobody wants sound, that look
    is all it costs.
    """

    def __init__(self, sockets: Mapping[uuid.UUID, Iterable[Listener]]) -> None:
        self.wanted: set[uuid.UUID] = set()
        # Told of every segment that can be spoken from now on: conversation, reply, attempt, n.
        self.on_segment: Callable[[uuid.UUID, str, int, int], None] | None = None
        self._sockets = sockets
        self._latest: dict[uuid.UUID, Spoken] = {}

    def __len__(self) -> int:
        return len(self._latest)

    def look(self, conversation: uuid.UUID) -> None:
        """A socket has come, gone, or changed its mind."""
        if any(socket.sound for socket in self._sockets.get(conversation, ())):
            self.wanted.add(conversation)
        else:
            self.wanted.discard(conversation)
            self._latest.pop(conversation, None)

    def grown(self, conversation: uuid.UUID, message: str, attempt: int, text: str) -> None:
        """`text` is all that is written of a reply by now."""
        spoken = self._of(conversation, message, attempt)
        self._tell(conversation, spoken, spoken.grow(text))

    def ended(self, conversation: uuid.UUID, message: str, attempt: int, text: str) -> None:
        """`text` is the whole of it."""
        if conversation in self.wanted:
            spoken = self._of(conversation, message, attempt)
            self._tell(conversation, spoken, spoken.end(text))

    def told(self, conversation: uuid.UUID, shapes: Iterable[Mapping[str, Any]]) -> None:
        """Of a conversation that is `wanted`: replies that another process writes begin or end."""
        for shape in shapes:
            if "reply_to" not in shape:
                continue
            reply, spoken = (shape["id"], shape["attempt"]), self._latest.get(conversation)
            if shape["state"] == "streaming":
                self.grown(conversation, *reply, "")
            elif spoken is not None and spoken.reply == reply:  # else: it ended long ago
                self.ended(conversation, *reply, shape["text"])

    def _of(self, conversation: uuid.UUID, message: str, attempt: int) -> Spoken:
        spoken = self._latest.get(conversation)
        if spoken is None or spoken.reply != (message, attempt):
            spoken = self._latest[conversation] = Spoken(message, attempt)
        return spoken

    def _tell(self, conversation: uuid.UUID, spoken: Spoken, found: list[Segment]) -> None:
        for socket in self._sockets.get(conversation, ()):
            if socket.sound:
                socket.speak(spoken)
        if self.on_segment is not None:
            for segment in found:
                self.on_segment(conversation, *spoken.reply, segment.n)
