"""The frames of the staff's socket: parsed, checked, cleaned. Pure; `docs/desk.md` in code.

Upwards: `parse(text)` gives one of the classes or raises `wire.BadFrame`. Downwards: what visitors
are sent of a conversation, and the functions here; `wire.encode` makes the text.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chat import wire
from chat.wire import BadFrame

MAX_BRIEF = 500  # UTF-16 units of what the agent is told when it is handed back to
NewsKind = Literal["waiting", "said", "settled"]


@dataclass(frozen=True, slots=True)
class Watch:
    """From now on this conversation; `rev`: the last one seen of it, 0 for none."""

    conversation: uuid.UUID
    rev: int


@dataclass(frozen=True, slots=True)
class Take:
    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class Say:
    """A person says something. `id` becomes the message's; `text` is cleaned."""

    conversation: uuid.UUID
    id: uuid.UUID
    text: str


@dataclass(frozen=True, slots=True)
class Typing:
    conversation: uuid.UUID
    on: bool


@dataclass(frozen=True, slots=True)
class Back:
    """Handed back to the agent; `brief` is for it alone."""

    conversation: uuid.UUID
    brief: str = ""


@dataclass(frozen=True, slots=True)
class Suggest:
    """What could I say next?"""

    conversation: uuid.UUID


@dataclass(frozen=True, slots=True)
class Status:
    """Heartbeat: still here, and still allowed to be; `rev` of the conversation that is watched."""

    rev: int = 0


Frame = Watch | Take | Say | Typing | Back | Suggest | Status


def parse(raw: str | bytes | None) -> Frame:
    """The frame in `raw`, the text of one WebSocket message; None and bytes were binary."""
    if not isinstance(raw, str):
        raise BadFrame("Frames are text.")
    if len(raw) > wire.MAX_FRAME or len(raw.encode("utf-8", "surrogatepass")) > wire.MAX_FRAME:
        raise BadFrame("That frame is too large.")
    data = wire.decode(raw)
    kind = data.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadFrame("That type of frame is unknown.")
    try:
        return reader(_Fields(data))
    except BadFrame as bad:
        bad.about = _name(data, "id") or _name(data, "conversation")
        raise


def _name(data: Mapping[str, Any], field: str) -> str | None:
    value = data.get(field)
    return value if isinstance(value, str) and len(value) == 36 else None


class _Fields(wire.Fields):
    def key(self, name: str) -> uuid.UUID:
        return uuid.UUID(self.uuid(name))

    def brief(self) -> str:
        if self.raw("brief") is None:
            return ""
        return self.cleaned("brief", MAX_BRIEF, "That note is too long.")


_READERS: dict[str, Callable[[_Fields], Frame]] = {
    "watch": lambda fields: Watch(fields.key("conversation"), fields.whole("rev", 0)),
    "take": lambda fields: Take(fields.key("conversation")),
    "say": lambda fields: Say(fields.key("conversation"), fields.key("id"), fields.words()),
    "typing": lambda fields: Typing(fields.key("conversation"), fields.flag("on")),
    "back": lambda fields: Back(fields.key("conversation"), fields.brief()),
    "suggest": lambda fields: Suggest(fields.key("conversation")),
    "status": lambda fields: Status(fields.whole("rev", 0)),
}


# --- Downwards ----------------------------------------------------------------------------------


def ready(
    name: str, heartbeat: int, notify: bool, sound: bool, words: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "type": "ready",
        "words": words,
        "name": name,
        "heartbeat": heartbeat,
        "notify": notify,
        "sound": sound,
    }


def status(
    *,
    conversation: Mapping[str, Any],
    speaker: Mapping[str, Any] | None,
    waiting: str | None,
    messages: Sequence[Mapping[str, Any]],
    open: wire.OpenReply | None,
    full: bool,
    more: bool,
) -> dict[str, Any]:
    return {
        "type": "status",
        "conversation": conversation,
        "speaker": speaker,
        "waiting": waiting,
        "messages": messages,
        "open": open.as_field() if open else None,
        "full": full,
        "more": more,
    }


def suggestion(conversation: str, text: str) -> dict[str, Any]:
    return {"type": "suggestion", "conversation": conversation, "text": text}


def news(kind: NewsKind, conversation: str, site: str) -> dict[str, Any]:
    return {"type": "news", "kind": kind, "conversation": conversation, "site": site}


UPWARDS = tuple(_READERS)
DOWNWARDS = ("ready", "status", "message", "delta", "typing", "news", "suggestion", "error")
