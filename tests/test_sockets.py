"""One open socket: order, gaps, what is held back, and a reader that cannot keep up."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from chat import sockets, wire
from chat.live import Mirror
from chat.sockets import Socket
from chat.spoken import Spoken


class Line:
    """The other end of a socket, which may stop reading."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.reloads: list[bool] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.close_code: int | None = None
        self.socket = Socket(self.send, self.reload)

    async def send(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.close":
            self.close_code = event["code"]
            return
        await self.reads.wait()
        self.frames.append(json.loads(event["text"]))

    async def reload(self, status: bool) -> None:
        self.reloads.append(status)

    async def idle(self) -> None:
        """Until all that is queued has gone down."""
        while self.socket._writer is not None or self.socket._reloading is not None:
            tasks = {self.socket._writer, self.socket._reloading} - {None}
            if all(task.done() for task in tasks):
                return
            await asyncio.wait(tasks)


@pytest.fixture
async def line():
    return Line()


def shape(id: str, seq: int, rev: int, state: str = "complete", text: str = "") -> dict[str, Any]:
    return {"id": id, "seq": seq, "rev": rev, "state": state, "text": text, "attempt": 1}


def say(socket: Socket, message: str, off: int, text: str) -> None:
    frame = wire.delta(message, 1, off, text)
    socket.delta(frame, wire.encode(frame))


def seen(line: Line) -> list[Any]:
    return [
        frame["message"]["rev"] if frame["type"] == "message" else frame.get("text", frame["type"])
        for frame in line.frames
    ]


async def test_messages_go_down_in_order_of_rev_and_once(line):
    for rev in (1, 2, 2, 1):
        line.socket.tell(shape(f"m{rev}", rev, rev))
    await line.idle()
    assert seen(line) == [1, 2]
    assert line.reloads == []


async def test_a_gap_has_what_was_missed_read(line):
    line.socket.tell(shape("m3", 3, 3))
    await line.idle()
    assert seen(line) == []
    assert line.reloads == [False]


async def test_a_reply_is_announced_before_its_words_and_followed_by_none(line):
    say(line.socket, "a", 0, "too early")
    line.socket.tell(shape("a", 1, 1, "streaming", "saved words"))
    say(line.socket, "a", 0, "Hello")
    line.socket.tell(shape("a", 1, 2, "complete", "Hello"))
    say(line.socket, "a", 5, "too late")
    await line.idle()
    assert seen(line) == ["typing", 1, "Hello", "typing", 2]
    assert line.frames[1]["message"]["text"] == ""


async def test_what_comes_while_it_reads_waits_its_turn(line):
    async with line.socket.reading():
        line.socket.tell(shape("a", 1, 1))
        line.socket.tell(shape("b", 2, 2, "streaming"))
        say(line.socket, "b", 0, "Hello")
        conversation = {"id": "c", "epoch": 1, "rev": 1, "state": "open"}
        frame = wire.status(
            state="ready", conversation=conversation, messages=[], open=None, full=False, more=False
        )
        line.socket.status(frame, 1)
    await line.idle()
    assert seen(line) == ["status", "typing", 2, "Hello"]


async def test_what_waits_of_another_conversation_is_never_shown(line):
    """Its next `rev` may be just the one that comes next in the conversation that is read."""
    async with line.socket.reading():
        line.socket.tell(shape("of the old one", 2, 2))
        line.socket.enter(uuid.uuid4())
        line.socket.tell(shape("b", 2, 2))
        line.socket.missed([shape("a", 1, 1)], lambda shape: None)
    await line.idle()
    assert [frame["message"]["id"] for frame in line.frames] == ["a", "b"]


async def test_that_a_person_types_is_told_after_what_is_being_read(line):
    typing = wire.typing("visitor", True)
    line.socket.sign(typing)
    async with line.socket.reading():
        line.socket.sign(typing)
        line.socket.missed([shape("a", 1, 1)], lambda shape: None)
    await line.idle()
    assert seen(line) == ["typing", 1, "typing"]


async def test_words_that_a_status_holds_already_are_not_sent_again(line):
    async with line.socket.reading():
        say(line.socket, "b", 0, "Hel")
        open_reply = wire.OpenReply(shape("b", 1, 1, "streaming", "Hello"))
        conversation = {"id": "c", "epoch": 1, "rev": 1, "state": "open"}
        frame = wire.status(
            state="ready",
            conversation=conversation,
            messages=[],
            open=open_reply,
            full=False,
            more=False,
        )
        line.socket.status(frame, 1)
    say(line.socket, "b", 5, " there")
    await line.idle()
    assert [f["type"] for f in line.frames] == ["status", "delta"]
    assert line.frames[1]["off"] == line.frames[0]["open"]["off"]


async def test_missed_messages_come_as_single_frames_with_the_words_so_far(line):
    async with line.socket.reading():
        say(line.socket, "b", 2, "llo")
        missed = [shape("a", 1, 1), shape("b", 2, 2, "streaming", "saved")]
        line.socket.missed(missed, lambda shape: "Hello")
    say(line.socket, "b", 5, "!")
    await line.idle()
    assert seen(line) == [1, "typing", 2, "Hello", "!"]


async def test_a_slow_reader_loses_deltas_and_gets_a_status_when_it_is_back(line, monkeypatch):
    monkeypatch.setattr(sockets, "MAX_QUEUED", 500)
    line.socket.tell(shape("a", 1, 1, "streaming"))
    line.reads.clear()
    for n in range(100):
        say(line.socket, "a", n, "x")
    assert line.socket._queued < 1000
    line.reads.set()
    await line.idle()
    assert line.reloads == [True]
    offs = [frame["off"] for frame in line.frames if frame["type"] == "delta"]
    assert offs == list(range(len(offs)))
    assert len(offs) < 100


async def test_a_reader_that_takes_nothing_is_closed(line, settings):
    settings.CHAT_SLOW_READER_TIMEOUT = 0.05
    line.reads.clear()
    line.socket.push(wire.typing("agent", True))
    await line.idle()
    assert line.close_code == wire.CLOSE_SLOW


async def test_a_mirror_takes_overlaps_and_notices_gaps():
    mirror = Mirror("a", 1)
    assert mirror.take({"off": 0, "text": "Hi 👩"})
    assert mirror.take({"off": 3, "text": "👩 there"})
    assert mirror.sent == "Hi 👩 there"
    assert not mirror.take({"off": 99, "text": "?"})


async def test_an_unasked_status_comes_after_the_frames_it_would_swallow(line):
    line.socket.tell(shape("a", 1, 1, "streaming"))
    say(line.socket, "a", 0, "Hello")
    async with line.socket.reading():
        conversation = {"id": "c", "epoch": 1, "rev": 2, "state": "open"}
        frame = wire.status(
            state="limited",
            conversation=conversation,
            messages=(),
            open=None,
            full=False,
            more=False,
        )
        line.socket.missed([shape("a", 1, 2, "complete", "Hello")], lambda shape: None, frame)
    line.socket.tell(shape("a", 1, 2, "complete", "Hello"))  # told a moment later: once is enough
    await line.idle()
    assert seen(line) == ["typing", 1, "Hello", "typing", 2, "status"]


# --- What is spoken -------------------------------------------------------------------------------


def spoken_of(line: Line) -> list[Any]:
    return [(f["attempt"], f["n"], f["text"]) for f in line.frames if f["type"] == "speech"]


async def test_it_is_told_what_can_be_spoken_once_and_after_the_reply_began(line):
    spoken = Spoken("a", 1)
    line.socket.sound = True
    spoken.grow("Yes, we have it. And ")
    line.socket.speak(spoken)
    await line.idle()
    assert spoken_of(line) == []  # the reply is not known yet
    line.socket.tell(shape("a", 1, 1, "streaming"))
    spoken.grow("Yes, we have it. And it is blue. ")
    for _ in range(2):
        line.socket.speak(spoken)
    spoken.end("Yes, we have it. And it is blue. ")
    line.socket.speak(spoken)
    await line.idle()
    assert spoken_of(line) == [(1, 0, "Yes, we have it."), (1, 1, "And it is blue.")]
    assert line.frames[-1]["last"] is True


async def test_who_wants_sound_in_mid_reply_hears_it_from_the_start(line):
    spoken = Spoken("a", 1)
    line.socket.tell(shape("a", 1, 1, "streaming"))
    spoken.grow("Yes, we have it. And ")
    line.socket.speak(spoken)
    line.socket.sound = True
    line.socket.speak(spoken)
    await line.idle()
    assert spoken_of(line) == [(1, 0, "Yes, we have it.")]


async def test_a_reply_that_is_taken_over_is_spoken_from_the_start(line):
    line.socket.sound = True
    first, second = Spoken("a", 1), Spoken("a", 2)
    line.socket.tell(shape("a", 1, 1, "streaming"))
    first.grow("Yes, we have it. And ")
    line.socket.speak(first)
    second.grow("No, we have none. But ")
    line.socket.speak(second)  # its frame has not come yet
    line.socket.tell({**shape("a", 1, 2, "streaming"), "attempt": 2})
    line.socket.speak(second)
    await line.idle()
    assert spoken_of(line) == [(1, 0, "Yes, we have it."), (2, 0, "No, we have none.")]


async def test_what_can_be_spoken_while_it_reads_waits_its_turn(line):
    line.socket.sound = True
    spoken = Spoken("b", 1)
    async with line.socket.reading():
        line.socket.tell(shape("b", 1, 1, "streaming"))
        spoken.end("Hello there, friend.")
        line.socket.speak(spoken)
        assert line.frames == []
    await line.idle()
    assert spoken_of(line) == [(1, 0, "Hello there, friend.")]
    assert line.frames[0]["type"] == "typing"
