"""The lines over HTTP that are open here, by visitor: what came up by requests, they learn of.

A request may reach another process than the line that it belongs to. So that both together keep the
rules of one socket, each process tells the others what a request has changed for the visitor's
lines: that they are alive, that they have to close, that the conversation is another by now, that
replies are to be spoken.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from chat.live import live
from chat.sockets import Socket

EVENT = "line"
AGAIN = 0.1  # of the silence that closes: a sign of life need not be told more often
MANY = 1000


class Line:
    """One open line of a visitor. `heard`: when the visitor last sent anything, monotonic."""

    def __init__(self, visitor: uuid.UUID, socket: Socket) -> None:
        self.socket = socket
        self.heard = time.monotonic()
        self.visitor = visitor

    def open(self) -> None:
        _lines.setdefault(self.visitor, set()).add(self)
        live.lines.add(self.socket)

    def silent_in(self) -> float:
        """Seconds until the visitor has said nothing for too long.

        Without Redis nobody here hears what reaches other processes, and nobody counts as silent.
        """
        if live.layer.degraded:
            self.heard = time.monotonic()
        return self.heard + settings.CHAT_SILENCE_TIMEOUT - time.monotonic()

    def close(self) -> None:
        live.lines.discard(self.socket)
        mine = _lines.get(self.visitor, set())
        mine.discard(self)
        if not mine:
            _lines.pop(self.visitor, None)


_lines: dict[uuid.UUID, set[Line]] = {}
_told: dict[uuid.UUID, tuple[uuid.UUID, float]] = {}  # other processes, by visitor: what and when


def heard(visitor: uuid.UUID, conversation: uuid.UUID) -> None:
    """The visitor sent something, and talks in `conversation`."""
    _heard(visitor, conversation)
    now = time.monotonic()
    told, at = _told.get(visitor, (None, 0.0))
    if told != conversation or now - at > AGAIN * settings.CHAT_SILENCE_TIMEOUT:
        if len(_told) >= MANY:
            _told.clear()
        _told[visitor] = conversation, now
        event = {"type": EVENT, "visitor": visitor.hex, "conversation": conversation.hex}
        live.layer.send_all(event)


def close(visitor: uuid.UUID, code: int, reason: str) -> None:
    """The visitor's lines are to close, as a socket would."""
    _close(visitor, code, reason)
    live.layer.send_all({"type": EVENT, "visitor": visitor.hex, "code": code, "reason": reason})


def sound(visitor: uuid.UUID, on: bool) -> None:
    """The visitor wants replies spoken, or no more."""
    _sound(visitor, on)
    live.layer.send_all({"type": EVENT, "visitor": visitor.hex, "sound": on})


def take(event: Mapping[str, Any]) -> None:
    """What another process tells of the lines here."""
    visitor = uuid.UUID(event["visitor"])
    if "code" in event:
        _close(visitor, event["code"], event["reason"])
    elif "sound" in event:
        _sound(visitor, event["sound"])
    else:
        _heard(visitor, uuid.UUID(event["conversation"]))


def _heard(visitor: uuid.UUID, conversation: uuid.UUID) -> None:
    for line in _lines.get(visitor, ()):
        line.heard = time.monotonic()
        if line.socket.conversation not in (None, conversation):
            line.socket.catch_up(status=True)


def _close(visitor: uuid.UUID, code: int, reason: str) -> None:
    for line in _lines.get(visitor, ()):
        live.spawn(line.socket.close(code, reason))


def _sound(visitor: uuid.UUID, on: bool) -> None:
    for line in _lines.get(visitor, ()):
        live.sound(line.socket, on)
