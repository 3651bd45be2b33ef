"""A hundred thousand broken frames, and texts out of all of Unicode: answers, never a fault."""

import json
import random
import time
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import wire
from chat.consumers import ChatConsumer
from chat.sockets import Socket
from tests.hostile import TEXTS

FRAMES = 100_000
PATIENCE = 30.0  # seconds; on a machine that is busy with other things fewer frames must do
FEWEST = 10_000

EXAMPLES = json.loads((Path(__file__).parent / "wire.json").read_text())["up"]
NASTY: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 2**53, 2**53 + 1, 10**40, -(10**400), [], {}, [[]], "", " "),
    *(
        "\x00",
        "\ud800",
        "\udfff",
        "\ud83d\ude00",
        "\u202e",
        "\u0301" * 3000,
        "a" * 17_000,
        "[" * 99,
    ),
    *({"type": "message"}, ["message"], [None] * 500, {"a": {"b": {"c": {"d": {"e": {}}}}}}),
    *("__class__", "constructor", "__proto__", "00000000-0000-0000-0000-000000000000", "٣"),
    *TEXTS,
]
RAW = ["NaN", "-Infinity", "1e999", "9" * 5000, "[" * 5000, '{"a":' * 2000, "\\", "\\u", "\\ud800"]
RAW += [
    '"',
    ",",
    ":",
    "}",
    "]",
    "\x00",
    "\n",
    "\ufeff",
    "//",
    "'",
    "0x10",
    "1_0",
    "+1",
    "00",
    "tru",
]


def broken(rng: random.Random) -> str | bytes | None:
    """A frame after one to four accidents."""
    frame = dict(rng.choice(list(EXAMPLES.values())))
    while rng.random() < 0.6:
        _field(frame, rng)
    raw = json.dumps(frame, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.02:
        return rng.choice([None, raw.encode("utf-8", "surrogatepass"), rng.randbytes(40)])
    while rng.random() < 0.4:
        at, to = sorted(rng.choices(range(len(raw) + 1), k=2))
        middle = rng.choice([rng.choice(RAW), raw[at:to] * 2, "", chr(rng.randrange(0x3000))])
        raw = raw[:at] + middle + raw[min(to, at + 4) :]
    return raw


def _field(frame: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice([*frame, "type", "page", "extra"])
    if rng.random() < 0.2:
        frame.pop(name, None)
    elif name == "page" and rng.random() < 0.5:
        frame[name] = {rng.choice(["url", "title", "referrer"]): rng.choice(NASTY)}
    else:
        frame[name] = rng.choice(NASTY)


# --- The line -----------------------------------------------------------------------------------


class Visit:
    """Takes what is a sound frame, and notes its type."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def take(self, frame: wire.Frame) -> None:
        if isinstance(frame, wire.Connect):
            raise wire.BadFrame("This socket is connected already.")
        self.taken[type(frame).__name__] += 1


class Line:
    """The real consumer with a client at its end; a new socket whenever one was closed."""

    def __init__(self, visit: Visit | None) -> None:
        self.visit = visit
        self.codes: Counter[Any] = Counter()
        self.sockets = 0
        self._open()

    def _open(self) -> None:
        self.sockets += 1
        self.closed = False
        self.consumer = ChatConsumer()
        self.consumer.base_send = self._came
        self.consumer.scope = {"type": "websocket", "headers": [], "client": ("192.0.2.1", 1)}
        self.consumer.address = "192.0.2.1"
        self.consumer.socket = Socket(self.consumer.send, self._reload)
        self.consumer.visit = self.visit  # type: ignore[assignment]

    async def _reload(self, status: bool) -> None:
        raise AssertionError("nothing was missed")

    async def _came(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.closed = True
            self.codes[message["code"]] += 1
            return
        frame = json.loads(message["text"])
        assert frame["type"] == "error"
        assert frame["final"] is True
        assert frame["message"]
        self.codes[frame["code"]] += 1

    async def takes(self, raw: str | bytes | None) -> None:
        key = "bytes" if isinstance(raw, bytes) else "text"
        event = {"type": "websocket.receive", key: raw}
        await self.consumer.dispatch(event)
        await self.consumer.socket.emptied()
        if self.closed:
            self.consumer.socket.gone()
            self._open()


async def test_no_frame_makes_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    rng, visit = random.Random(20), Visit()
    line = Line(visit)
    end, done = time.monotonic() + PATIENCE * 0.8, 0
    while done < FRAMES and time.monotonic() < end:
        await line.takes(broken(rng))
        done += 1
    assert done >= FEWEST
    assert set(line.codes) == {"bad_frame", "too_long", wire.CLOSE_PROTOCOL}
    assert sum(visit.taken.values()) + line.codes["bad_frame"] + line.codes["too_long"] == done
    assert line.codes["bad_frame"] > done / 3
    assert line.sockets > done / 20  # three broken ones end it
    assert set(visit.taken) == {
        *("Say", "Typing", "Stop", "Regenerate", "Feedback", "Sound", "Restart", "Status")
    }
    assert caplog.records == []


async def test_no_first_frame_makes_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    rng, line = random.Random(21), Line(None)
    end, done = time.monotonic() + PATIENCE * 0.2, 0
    while done < FRAMES / 10 and time.monotonic() < end:
        await line.takes(broken(rng))
        done += 1
    assert done >= FEWEST / 10
    assert set(line.codes) == {wire.CLOSE_PROTOCOL, wire.CLOSE_TOKEN}
    assert sum(line.codes.values()) == done
    assert caplog.records == []


# --- The cleaner --------------------------------------------------------------------------------

ANY = st.text(st.characters(codec=None), max_size=200)
DROPPED = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)}


@given(ANY | st.sampled_from(TEXTS))
def test_what_is_kept_is_fit_to_store_and_show(text: str) -> None:
    try:
        kept = wire.clean(text)
    except ValueError:
        assert "\x00" in text or any(0xD800 <= ord(letter) < 0xE000 for letter in text)
        return
    assert kept == wire.clean(kept)
    assert not {*map(ord, kept)} & DROPPED
    assert all(letter in "\n\t" or unicodedata.category(letter) != "Cc" for letter in kept)
    assert kept == kept.strip()


@given(ANY, st.sampled_from(["url", "title", "referrer"]))
def test_a_page_is_refused_or_bounded(text: str, name: str) -> None:
    try:
        page = wire.page({name: text})
    except wire.BadFrame:
        return
    assert page is not None
    kept = getattr(page, name)
    assert len(kept) <= 2000
    assert not {*map(ord, kept)} & DROPPED
    kept.encode()


@given(ANY | st.from_regex(r"[a-z]{2}([-_][A-Z]{2})?.{0,3}"))
def test_a_locale_is_one_or_nothing(text: str) -> None:
    found = wire.locale(text)
    assert found == "" or (found == text and found.isascii() and len(found) <= 35)
