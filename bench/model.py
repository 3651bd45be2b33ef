"""A model's server for load: Chat Completions at a fixed pace, too cheap to be measured itself.

    python -m bench.model PORT

Every request gets its first token after 200 ms and then 50 a second, 120 in all. A token's words
are the clock (monotonic nanoseconds) at which it was written, so whoever reads it on this machine
knows its own delay; the first token also says when its request was read: `q<read> t<written>`.
"""

import asyncio
import sys
import time
from typing import Any

import uvloop

FIRST = 0.2  # seconds
PACE = 50  # tokens a second
TOKENS = 120
SECONDS = FIRST + TOKENS / PACE  # of a whole reply

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_OPEN = b'data: {"id":"1","object":"chat.completion.chunk","model":"load","choices":[{"index":0,'
_END = (
    _OPEN + b'"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"1","object":"chat.completion.chunk","model":"load","choices":[],'
    b'"usage":{"prompt_tokens":100,"completion_tokens":120}}\n\n'
    b"data: [DONE]\n\n"
)


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _token(words: bytes) -> bytes:
    delta = b'"delta":{"content":"' + words + b'"},"finish_reason":null}]}\n\n'
    return _chunk(_OPEN + delta)


class Model(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.read = time.monotonic_ns()
        self.sent = 0
        self.due = self.loop.time() + FIRST
        self.timer = self.loop.call_at(self.due, self._next)

    def _next(self) -> None:
        now = b" t%d" % time.monotonic_ns()
        if self.sent == 0:
            self.transport.write(_HEAD + _token(b"q%d" % self.read + now))
        elif self.sent < TOKENS:
            self.transport.write(_token(now))
        else:
            self.transport.write(_chunk(_END) + b"0\r\n\r\n")
            return
        self.sent += 1
        self.due += 1 / PACE
        self.timer = self.loop.call_at(self.due, self._next)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Model, "127.0.0.1", int(sys.argv[1]), backlog=2048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
