"""Every frame in and out of the socket: parsed, checked, cleaned. Pure; `docs/protocol.md` in code.

Upwards: `parse(text)` gives one of the frame classes or raises `BadFrame`. Downwards: a function a
frame gives the dictionary, and `encode` the text that goes on the wire.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

VERSION = 1
MAX_TEXT = 2000  # UTF-16 units of a visitor's message
MAX_REPLY = 4000  # UTF-16 units of a reply
MAX_COMMENT = 500  # UTF-16 units of why a reply was found good or bad
MAX_TOKEN = 4000  # characters; one that names a signed-in visitor is the longest
MAX_FRAME = 16 * 1024  # bytes upwards
MAX_STATUS = 48 * 1024  # bytes of the messages in one `status`
MAX_DEPTH = 8  # of nesting; no frame needs more than two
MAX_NUMBER = 2**53  # beyond it JavaScript and Python no longer mean the same

CLOSE_TOO_LARGE = 1009
CLOSE_RESTARTING = 1012
CLOSE_PROTOCOL = 4400
CLOSE_TOKEN = 4401
CLOSE_ORIGIN = 4403
CLOSE_SLOW = 4408
CLOSE_ERASED = 4409
CLOSE_TOO_MANY = 4429

ErrorCode = Literal[
    "bad_frame",
    "too_long",
    "rate_limited",
    "budget_spent",
    "not_found",
    "not_allowed",
    "busy",
    "try_again",
]
SocketState = Literal["ready", "limited", "human", "closing"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What JavaScript's trim() takes off.
_SPACE = " \t\n\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
# Control characters but \n and \t, overrides that reorder what a reader sees, half characters.
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class BadFrame(Exception):
    """A frame that is refused.

    `code` and `message` go to the client; `client_id` and `about` are what the frame named, as far
    as it could be read; `counts` says whether it counts for the close at the third.
    """

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode = "bad_frame",
        counts: bool = True,
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.client_id: str | None = None
        self.about: str | None = None
        self.counts = counts


@dataclass(frozen=True, slots=True)
class Page:
    """Where the visitor is. Comes from the host page: data, not to be trusted."""

    url: str = ""
    title: str = ""
    referrer: str = ""


@dataclass(frozen=True, slots=True)
class Connect:
    token: str
    rev: int
    v: int
    epoch: str | None = None
    page: Page | None = None
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """The frame `message`: the visitor says something. `text` is cleaned, `consent` a version."""

    client_id: str
    text: str
    voice: bool = False
    consent: str = ""


@dataclass(frozen=True, slots=True)
class Typing:
    on: bool


@dataclass(frozen=True, slots=True)
class Stop:
    message: str


@dataclass(frozen=True, slots=True)
class Regenerate:
    message: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """`comment` is cleaned; "" where none was sent."""

    message: str
    value: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Sound:
    on: bool


@dataclass(frozen=True, slots=True)
class Restart:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    rev: int
    conversation: str | None = None
    epoch: str | None = None
    open: Any = None  # a hint, not needed here


Frame = Connect | Say | Typing | Stop | Regenerate | Feedback | Sound | Restart | Status


# --- Text ---------------------------------------------------------------------------------------


def units(text: str) -> int:
    """The length of `text` in UTF-16 code units, as JavaScript counts."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """The longest beginning of `text` with at most `limit` UTF-16 units, no pair split."""
    if len(text) <= limit and units(text) <= limit:
        return text
    half = text.encode("utf-16-le", "surrogatepass")[: limit * 2]
    return half.decode("utf-16-le", "ignore")


def drop_controls(text: str) -> str:
    """`text` without control characters but newline and tab, bidi overrides, half characters."""
    return _DROPPED.sub("", text)


def clean(text: str) -> str:
    """A visitor's words as they are stored. Raises ValueError at NUL and lone surrogates."""
    if "\x00" in text or _SURROGATE.search(text):
        raise ValueError("text holds NUL or half a character")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", drop_controls(text)).strip(_SPACE)


# --- Upwards ------------------------------------------------------------------------------------


def parse(raw: str | bytes | None) -> Frame:
    """The frame in `raw`, the text of one WebSocket message; None and bytes were binary."""
    if not isinstance(raw, str):
        raise BadFrame("Frames are text.")
    if len(raw) > MAX_FRAME or len(raw.encode("utf-8", "surrogatepass")) > MAX_FRAME:
        raise BadFrame("That frame is too large.")
    data = decode(raw)
    try:
        return _reader(data.get("type"))(Fields(data))
    except BadFrame as bad:
        bad.client_id, bad.about = _named(data)
        raise


def decode(raw: str) -> dict[str, Any]:
    """A JSON object, neither nested too deep nor with too large a number; raises `BadFrame`."""
    try:
        data = json.loads(raw, parse_int=_integer, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadFrame("That frame is not sound JSON.") from None
    if not isinstance(data, dict):
        raise BadFrame("A frame is a JSON object.")
    if _too_deep(data, MAX_DEPTH):
        raise BadFrame("That frame is nested too deep.")
    return data


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_NUMBER:
        raise ValueError("too large a number")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if abs(value) > MAX_NUMBER:
        raise ValueError("too large a number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _too_deep(value: Any, left: int) -> bool:
    if isinstance(value, dict):
        return left == 0 or any(_too_deep(item, left - 1) for item in value.values())
    if isinstance(value, list):
        return left == 0 or any(_too_deep(item, left - 1) for item in value)
    return False


def _named(data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """`client_id` and `message` of a refused frame, where they look like ids."""
    client_id, message = data.get("client_id"), data.get("message")
    return (
        client_id if isinstance(client_id, str) and _UUID.fullmatch(client_id) else None,
        message if isinstance(message, str) and _UUID.fullmatch(message) else None,
    )


class Fields:
    """A frame's fields, each taken with the type it must have; null counts as absent."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def text(self, name: str, limit: int, default: str | None = None) -> str:
        value = self._data.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or len(value) > limit:
            raise BadFrame(f"The field {name!r} is missing or wrong.")
        if "\x00" in value or _SURROGATE.search(value):
            raise BadFrame(f"The field {name!r} holds NUL or half a character.")
        return value

    def uuid(self, name: str) -> str:
        value = self._data.get(name)
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise BadFrame(f"The field {name!r} is no UUID.")
        return value

    def id(self, name: str) -> str:
        """Any short string: one that is no id of ours is simply not found."""
        value = self.text(name, 100)
        if not value:
            raise BadFrame(f"The field {name!r} is empty.")
        return value

    def whole(self, name: str, low: int, high: int = MAX_NUMBER) -> int:
        value = self._data.get(name)
        if type(value) is not int or not low <= value <= high:
            raise BadFrame(f"The field {name!r} is missing or no such number.")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self._data.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise BadFrame(f"The field {name!r} is neither true nor false.")
        return value

    def epoch(self) -> str | None:
        value = self._data.get("epoch")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 64:
            raise BadFrame("The field 'epoch' is wrong.")
        return str(value)

    def page(self) -> Page | None:
        return page(self._data.get("page"))

    def locale(self) -> str:
        return locale(self._data.get("locale"))

    def words(self) -> str:
        text = self.cleaned("text", MAX_TEXT, "That message is too long.")
        if not text:
            raise BadFrame("The text is blank.", counts=False)
        return text

    def comment(self) -> str:
        if self._data.get("comment") is None:
            return ""
        return self.cleaned("comment", MAX_COMMENT, "That comment is too long.")

    def cleaned(self, name: str, limit: int, too_long: str) -> str:
        value = self._data.get(name)
        if not isinstance(value, str):
            raise BadFrame(f"The field {name!r} is missing or wrong.")
        try:
            text = clean(value)
        except ValueError:
            raise BadFrame(f"The field {name!r} holds NUL or half a character.") from None
        if units(text) > limit:
            raise BadFrame(too_long, code="too_long", counts=False)
        return text

    def raw(self, name: str) -> Any:
        return self._data.get(name)


def page(value: Any) -> Page | None:
    """The `page` of an init or connect, each field bounded; raises `BadFrame`."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadFrame("The field 'page' is no object.")
    fields = Fields(value)
    limits = {"url": 2000, "title": 300, "referrer": 2000}
    given = {name: drop_controls(fields.text(name, MAX_FRAME, default="")) for name in limits}
    return Page(**{name: given[name][:limit] for name, limit in limits.items()})


def locale(value: Any) -> str:
    """A language tag, or "" where there is none; raises `BadFrame` if it is not even a string."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadFrame("The field 'locale' is wrong.")
    return value if _LOCALE.fullmatch(value) and len(value) <= 35 else ""


def _connect(fields: Fields) -> Connect:
    return Connect(
        token=fields.text("token", MAX_TOKEN),
        rev=fields.whole("rev", 0),
        v=fields.whole("v", VERSION, VERSION),
        epoch=fields.epoch(),
        page=fields.page(),
        locale=fields.locale(),
    )


def _say(fields: Fields) -> Say:
    return Say(
        fields.uuid("client_id"),
        fields.words(),
        fields.flag("voice", default=False),
        fields.text("consent", 64, default=""),
    )


def _reader(kind: Any) -> Callable[[Fields], Frame]:
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadFrame("That type of frame is unknown.")
    return reader


def _status(fields: Fields) -> Status:
    conversation = fields.raw("conversation")
    return Status(
        rev=fields.whole("rev", 0),
        conversation=None if conversation is None else fields.text("conversation", 100),
        epoch=fields.epoch(),
        open=fields.raw("open"),
    )


_READERS: dict[str, Callable[[Fields], Frame]] = {
    "connect": _connect,
    "message": _say,
    "typing": lambda fields: Typing(fields.flag("on")),
    "stop": lambda fields: Stop(fields.id("message")),
    "regenerate": lambda fields: Regenerate(fields.id("message"), fields.whole("attempt", 1)),
    "feedback": lambda fields: Feedback(
        fields.id("message"), fields.whole("value", -1, 1), fields.comment()
    ),
    "sound": lambda fields: Sound(fields.flag("on")),
    "restart": lambda fields: Restart(),
    "status": _status,
}


# --- Downwards ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenReply:
    """The reply being written: its `message` shape with the text so far."""

    message: Mapping[str, Any]

    def as_field(self) -> dict[str, Any]:
        return {"message": self.message, "off": units(self.message["text"])}


encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def status(
    *,
    state: SocketState,
    conversation: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]],
    open: OpenReply | None,
    full: bool,
    more: bool,
) -> dict[str, Any]:
    return {
        "type": "status",
        "state": state,
        "conversation": conversation,
        "messages": messages,
        "open": open.as_field() if open else None,
        "full": full,
        "more": more,
    }


def message(shape: Mapping[str, Any], conversation: str | None = None) -> dict[str, Any]:
    """`conversation` only in the answer to a message of a conversation that has ended."""
    frame: dict[str, Any] = {"type": "message", "message": shape}
    if conversation is not None:
        frame["conversation"] = conversation
    return frame


def delta(message: str, attempt: int, off: int, text: str) -> dict[str, Any]:
    return {"type": "delta", "message": message, "attempt": attempt, "off": off, "text": text}


def encoded_delta(message: str, attempt: int, off: int, text: str) -> str:
    """The text of a `delta`, for every token; a string alone is encoded in a third of the time."""
    head = f'{{"type":"delta","message":"{message}","attempt":{attempt},"off":{off},"text":'
    return f"{head}{encode(text)}}}"


def typing(
    role: Literal["visitor", "agent", "staff"],
    on: bool,
    stage: Literal["reading", "searching", "writing"] | None = None,
) -> dict[str, Any]:
    frame: dict[str, Any] = {"type": "typing", "role": role, "on": on}
    if stage is not None:
        frame["stage"] = stage
    return frame


def speech(
    message: str, n: int, text: str, attempt: int, off: int, size: int, last: bool = False
) -> dict[str, Any]:
    """`off` and `size`: where in the reply's text these words are written, in UTF-16 units."""
    frame: dict[str, Any] = {"type": "speech", "message": message, "n": n, "text": text}
    frame |= {"attempt": attempt, "off": off, "size": size}
    if last:
        frame["last"] = True
    return frame


def error(
    code: ErrorCode,
    message: str,
    *,
    client_id: str | None = None,
    about: str | None = None,
    final: bool = True,
    retry_after: int | None = None,
) -> dict[str, Any]:
    frame: dict[str, Any] = {"type": "error", "code": code, "message": message, "final": final}
    for name, value in (("client_id", client_id), ("about", about), ("retry_after", retry_after)):
        if value is not None:
            frame[name] = value
    return frame


UPWARDS = tuple(_READERS)
DOWNWARDS = ("status", "message", "delta", "typing", "speech", "error")
