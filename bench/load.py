"""Visitors for load: raw WebSocket clients, cheap enough to drive a server's core from another one.

A `Chat` asks, takes the reply to its end and asks again: at once, so that N chats are N streams; or
after it has read for a while, as people do, whose chat is active and mostly silent.
What each token, first word and acknowledgement took goes into a `Meter` while that is on.
"""

import asyncio
import base64
import itertools
import json
import os
import random
import re
import struct
import time
import uuid
from array import array
from collections.abc import Callable, Sequence
from typing import Any

_TOKEN = re.compile(rb"t(\d{6,})")
_FIRST = re.compile(rb"q(\d{6,}) t(\d{6,})")
_sources = itertools.cycle(f"127.0.0.{n}" for n in range(2, 10))  # 28,000 ports each


class Meter:
    """Times in milliseconds, of what arrives while it is `on`."""

    def __init__(self) -> None:
        self.on = False
        self.tokens = array("d")  # from the model's writing to here
        self.frames = 0
        self.firsts = array("d")  # from the question to its first word, without the model's share
        self.acks = array("d")  # from the question to its acknowledgement
        self.failed = 0

    def took(self, words: bytes, asked: int) -> None:
        now = time.monotonic_ns()
        self.frames += 1
        for written in _TOKEN.findall(words):
            self.tokens.append((now - int(written)) / 1e6)
        if first := _FIRST.search(words):
            read, written = map(int, first.groups())
            self.firsts.append((now - asked - (written - read)) / 1e6)

    def take_in(self, later: "Meter") -> None:
        """What another has measured counts as measured here."""
        for mine, theirs in (
            (self.tokens, later.tokens),
            (self.firsts, later.firsts),
            (self.acks, later.acks),
        ):
            mine.extend(theirs)
        self.frames += later.frames
        self.failed += later.failed


def percentile(times: Sequence[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Chat(asyncio.Protocol):
    """One WebSocket. What a server says of itself is known to the classes below."""

    path = "/"

    def __init__(self, meter: Meter, port: int) -> None:
        loop = asyncio.get_running_loop()
        self.meter, self.port = meter, port
        self.ready: asyncio.Future[None] = loop.create_future()  # it may ask now
        self.lost: asyncio.Future[None] = loop.create_future()
        self.asking = False
        self.reads: tuple[float, float] | None = None  # seconds, from and to
        self.asked = 0  # monotonic nanoseconds
        self._buffer = bytearray()
        self._upgraded = False

    async def open(self, patience: float = 30.0) -> None:
        loop = asyncio.get_running_loop()
        source = (next(_sources), 0)
        async with asyncio.timeout(patience):
            await loop.create_connection(lambda: self, "127.0.0.1", self.port, local_addr=source)
            await self.ready

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.ready, self.lost):
            if not future.done():
                future.set_result(None) if future is self.lost else future.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.transport.abort()
                return
            del self._buffer[: end + 4]
            self._upgraded = True
            self.opened()
        self._frames()

    def _frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1] & 127, at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) < start + size:
                break
            kind, payload = buffer[at] & 15, bytes(buffer[start : start + size])
            at = start + size
            if kind == 1:
                self.frame(payload)
            elif kind == 9:
                self._send(0x8A, payload)
            elif kind == 8:
                self.transport.close()
        del buffer[:at]

    def _send(self, kind: int, payload: bytes) -> None:
        """Masked with zeros, which leaves it as it is."""
        size = len(payload)
        head = (
            struct.pack("!BB", kind, 0x80 | size)
            if size < 126
            else struct.pack("!BBH", kind, 0x80 | 126, size)
        )
        self.transport.write(head + b"\0\0\0\0" + payload)

    def send(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._send(0x81, text.encode())

    def ask(self) -> None:
        self.asking = True
        self.asked = time.monotonic_ns()
        self.question()

    def replied(self, *, well: bool = True) -> None:
        """The reply has ended; the next question follows at once, or when it is read."""
        if not well and self.meter.on:
            self.meter.failed += 1
        if self.reads is None:
            self._ask_again()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(random.uniform(*self.reads), self._ask_again)

    def _ask_again(self) -> None:
        if self.asking and not self.transport.is_closing():
            self.ask()

    def acknowledged(self) -> None:
        if self.meter.on:
            self.meter.acks.append((time.monotonic_ns() - self.asked) / 1e6)

    def words(self, payload: bytes) -> None:
        if self.meter.on:
            self.meter.took(payload, self.asked)

    # --- What differs ---------------------------------------------------------------------------

    def opened(self) -> None:
        raise NotImplementedError

    def question(self) -> None:
        raise NotImplementedError

    def frame(self, payload: bytes) -> None:
        raise NotImplementedError


class ProductChat(Chat):
    path = "/socket"

    def __init__(self, meter: Meter, port: int, token: str) -> None:
        super().__init__(meter, port)
        self.token = token
        self.client_id = b""

    def opened(self) -> None:
        self.send({"type": "connect", "v": 1, "token": self.token, "rev": 0})

    def question(self) -> None:
        client_id = str(uuid.uuid4())
        self.client_id = client_id.encode()
        text = "What do you offer, and what does it cost us?"
        self.send({"type": "message", "client_id": client_id, "text": text})

    def frame(self, payload: bytes) -> None:
        if payload.startswith(b'{"type":"delta"'):
            self.words(payload)
        elif payload.startswith(b'{"type":"message"'):
            if self.client_id and self.client_id in payload:
                self.acknowledged()
            elif b'"reply_to"' in payload and b'"state":"streaming"' not in payload:
                self.replied(well=b'"state":"complete"' in payload)
        elif payload.startswith(b'{"type":"status"') and not self.ready.done():
            self.ready.set_result(None)
        elif payload.startswith(b'{"type":"error"'):
            self.replied(well=False)


class FloorChat(Chat):
    path = "/socket"

    def opened(self) -> None:
        self.send({"type": "connect"})

    def question(self) -> None:
        self.send({"type": "message"})

    def frame(self, payload: bytes) -> None:
        if b'"delta"' in payload:
            self.words(payload)
        elif b'"end"' in payload:
            self.replied()
        elif not self.ready.done():
            self.ready.set_result(None)


class ChainlitChat(Chat):
    """Socket.IO over Engine.IO 4, as Chainlit's own page speaks it."""

    path = "/ws/socket.io/?EIO=4&transport=websocket"

    def opened(self) -> None:
        self.session = str(uuid.uuid4())

    def question(self) -> None:
        message = {"id": str(uuid.uuid4()), "name": "user", "type": "user_message"}
        message |= {"output": "What do you offer?", "createdAt": "2026-01-01T00:00:00Z"}
        self.send("42" + json.dumps(["client_message", {"message": message}]))

    def frame(self, payload: bytes) -> None:
        if payload.startswith(b'42["stream_token"'):
            self.words(payload)
        elif payload.startswith(b'42["task_end"'):
            if not self.ready.done():
                self.ready.set_result(None)
            elif self.asking:
                self.replied()
        elif payload == b"2":
            self.send("3")
        elif payload.startswith(b"0"):
            who = {"sessionId": self.session, "clientType": "webapp", "userEnv": "{}"}
            self.send("40" + json.dumps(who))
        elif payload.startswith(b"40"):
            self.send('42["connection_successful"]')


async def open_all(
    make: Callable[[], Chat], count: int, at_once: int
) -> tuple[list[Chat], int, float]:
    """Opens `count` chats, `at_once` handshakes at a time; those open, failures, seconds."""
    chats: list[Chat] = []
    left = iter(range(count))
    failures = 0

    async def work() -> None:
        nonlocal failures
        for _ in left:
            chat = make()
            try:
                await chat.open()
                chats.append(chat)
            except (OSError, TimeoutError, asyncio.CancelledError):
                failures += 1

    started = time.monotonic()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return chats, failures, time.monotonic() - started


async def close_all(chats: Sequence[Chat]) -> None:
    for chat in chats:
        chat.asking = False
        chat.transport.close()
    await asyncio.gather(*(chat.lost for chat in chats))
