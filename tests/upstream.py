"""A stand-in for an OpenAI-compatible server, on raw sockets, that misbehaves on request.

In a test:            async with Upstream() as upstream: ... base_url=upstream.url ...
For other processes:  python -m tests.upstream --port 8130     (prints its URL when it listens)

What a request gets is decided by markers: those of the next entry in the queue (`upstream.queue`,
or POST /control with {"queue": ["[status 500]", ""]}), else those in `upstream.always` where they
are set, else those in the last user message, else those in the system messages, by which a persona
says what is answered.
GET /control gives {"requests": [{"body", "answered", "closed_by_client", "words"}]}; DELETE
/control forgets all. Markers may be combined, like "[silence 0.2] [words 20 30]":

    [words N MS]        N words "w1 w2 ..." MS milliseconds apart; without any marker: 8, at once
    [say TEXT]          this text, word by word
    [leak HOW]          all system messages of the prompt: plain, upper, spaced, letters, wide
    [empty]             not a word, and a proper end
    [first S]           S seconds before the response begins    [silence S]  before the first word
    [held]              nothing before the test says so: request.let_go.set()
    [stall N]           after N words nothing more, for ever
    [truncate N]        ends after N words without a finish_reason
    [reset N]           resets the connection after N words; 0: instead of a response
    [error N]           an error event after N words            [garbage N]  a broken chunk
    [giant N]           after N words one line of 10 MB
    [status CODE W]     an HTTP error; with W as Retry-After    [quota]      429 insufficient_quota
    [html]              a page instead of a stream, status 200
    [refuse FIELD]      400 as long as FIELD is in the request
    [tool NAME JSON]    a tool call in one delta; once the tool has answered: words.
                        With [say] the text comes before it
    [tool-pieces NAME JSON]   the same in many deltas           [tool-bad NAME]  arguments cut off
    [tool-loop NAME JSON]     a tool call in every round
    [usage IN OUT CACHED]     these figures; [usage] alone: none at all
    [no-done]           no [DONE], and the connection stays open after the finish_reason
"""

import argparse
import asyncio
import json
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Self

_MARKER = re.compile(r"\[([a-z-]+)((?:[^\[\]{}]|\{[^}]*\})*)\]")
_NAMES = set(re.findall(r"\[([a-z-]+)", __doc__ or ""))
_FAULTS = ("stall", "truncate", "reset", "error", "garbage", "giant")
_TOOLS = ("tool", "tool-pieces", "tool-bad", "tool-loop")


@dataclass
class Request:
    """What came in, and how it ended."""

    body: dict[str, Any]
    headers: dict[str, str] = field(repr=False)
    answered: bool = False  # to the very end
    closed_by_client: bool = False  # before that
    words: int = 0  # sent so far
    let_go: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def as_json(self) -> dict[str, Any]:
        seen = {k: v for k, v in vars(self).items() if k not in ("let_go", "over", "headers")}
        return {**seen, "authorization": self.headers.get("authorization", "")}


class Upstream:
    """Listens on a port of 127.0.0.1 while the block runs."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.queue: list[str] = []
        self.always: str | None = None
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def listen(self) -> None:
        """Accepts connections; again on the same port after `leave`."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Refuses connections, and ends those that are open in the middle of a word."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        early: bytes | None = b""
        try:
            while early is not None:
                early = await self._request(reader, writer, early)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes
    ) -> bytes | None:
        """Answers one request; what came of the next one, None where there can be no other."""
        method, path, headers = _head(early + await reader.readuntil(b"\r\n\r\n"))
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        body = json.loads(raw) if raw else {}
        if path.startswith("/control"):
            writer.write(_plain(200, self._control(method, body)))
            return b""
        if (method, path) != ("POST", "/v1/chat/completions"):
            writer.write(_plain(404, {"error": {"message": "Not found.", "code": "not_found"}}))
            return b""
        request = Request(body, headers)
        self.requests.append(request)
        markers = self._wanted(body)
        return await self._watched(request, markers, reader, writer)

    def _wanted(self, body: dict[str, Any]) -> dict[str, str]:
        if self.queue:
            return _markers(self.queue.pop(0))
        if self.always is not None:
            return _markers(self.always)
        return _markers(_last_words(body)) or _markers(_told(body))

    async def _watched(
        self,
        request: Request,
        markers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bytes | None:
        """Answers, while it looks whether the client hangs up first."""
        answer = asyncio.create_task(_Answer(request, markers, writer).send())
        heard = asyncio.create_task(reader.read(1))
        both = asyncio.gather(answer, heard, return_exceptions=True)
        try:
            await asyncio.wait({answer, heard}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            request.closed_by_client = not answer.done()
            answer.cancel()
            heard.cancel()
        usable, early = await both
        request.closed_by_client |= isinstance(usable, ConnectionError)
        request.over.set()
        if usable is not True:
            return None
        return early if isinstance(early, bytes) else b""

    def _control(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if method == "POST":
            self.queue.extend(body.get("queue", []))
        if method == "DELETE":
            self.requests.clear()
            self.queue.clear()
        return {"requests": [request.as_json() for request in self.requests]}


class _Answer:
    """One response, as the markers want it."""

    def __init__(
        self, request: Request, markers: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        self._request = request
        self._markers = markers
        self._writer = writer

    async def send(self) -> bool:
        """Whether the connection can be used again."""
        await asyncio.sleep(float(self._markers.get("first") or 0))
        if self._markers.get("reset") == "0":
            return self._reset()
        whole = self._instead()
        if whole is not None:
            self._writer.write(whole)
            await self._writer.drain()
            self._request.answered = True
            return True
        return await self._stream()

    def _instead(self) -> bytes | None:
        """What is sent instead of a stream."""
        markers = self._markers
        if markers.get("refuse") in self._request.body:
            field = markers["refuse"]
            message = f"Unsupported parameter: '{field}' is not supported with this model."
            error = {"message": message, "param": field, "code": "unsupported_parameter"}
            return _plain(400, {"error": error})
        if "quota" in markers:
            error = {"message": "No money left.", "code": "insufficient_quota", "param": ""}
            return _plain(429, {"error": error})
        if "status" in markers:
            code, _, wait = markers["status"].partition(" ")
            extra = {"Retry-After": wait} if wait else {}
            error = {"message": "As you wished.", "type": "made_up", "param": "", "code": ""}
            return _plain(int(code), {"error": error}, **extra)
        if "html" in markers:
            return _plain(200, "<!doctype html><title>Sign in</title>", content="text/html")
        return None

    async def _stream(self) -> bool:
        self._writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await self._writer.drain()
        await asyncio.sleep(float(self._markers.get("silence") or 0))
        if "held" in self._markers:
            await self._request.let_go.wait()
        await self._send(_chunk({"role": "assistant", "content": ""}))
        calls = list(self._tool_deltas())
        if ("say" in self._markers or not calls) and not await self._speak():
            return False
        for delta in calls:
            await self._send(_chunk(delta))
        await self._send(_chunk({}, finish="tool_calls" if calls else "stop"))
        if (usage := self._usage()) is not None:
            await self._send({"choices": [], "usage": usage, "model": "stand-in"})
        if "no-done" in self._markers:
            await asyncio.get_running_loop().create_future()
        await self._raw(b"data: [DONE]\n\n")
        return await self._end()

    async def _speak(self) -> bool:
        """Sends the words, up to the fault if there is one; whether the stream is sound."""
        fault = next((name for name in _FAULTS if name in self._markers), None)
        until = int(self._markers[fault] or 0) if fault else None
        async for number, word in self._words():
            if number == until:
                break
            await self._send(_chunk({"content": word}))
            self._request.words = number + 1
        return fault is None or await self._fail(fault)

    async def _words(self) -> AsyncIterator[tuple[int, str]]:
        count, _, pause = self._markers.get("words", "8").partition(" ")
        text = " ".join(f"w{n}" for n in range(1, int(count) + 1))
        if "say" in self._markers:
            text = self._markers["say"]
        if "empty" in self._markers:
            text = ""
        if "leak" in self._markers:
            text = _leaked(self._request.body, self._markers["leak"])
        for number, word in enumerate(re.findall(r"\s*\S+", text)):
            await asyncio.sleep(float(pause or 0) / 1000 if number else 0)
            yield number, word

    async def _fail(self, fault: str) -> bool:
        if fault == "reset":
            await asyncio.sleep(0.2)  # a reset takes with it what has not been read yet
            return self._reset()
        if fault == "stall":
            await asyncio.get_running_loop().create_future()
        if fault == "truncate":
            return await self._end()
        if fault == "error":
            await self._send({"error": {"message": "Overloaded.", "type": "server_error"}})
        if fault == "garbage":
            await self._raw(b'data: {"choices": [{"delta": {"content": nonsense}}]}\n\n')
        if fault == "giant":
            await self._raw(b"data: " + b"x" * 10_000_000)
        return True

    def _tool_deltas(self) -> list[dict[str, Any]]:
        kind = next((name for name in _TOOLS if name in self._markers), None)
        if kind is None or (kind != "tool-loop" and _tool_answered(self._request.body)):
            return []
        name, _, arguments = self._markers[kind].partition(" ")
        if kind == "tool-bad":
            arguments = '{"name": "Ann'
        pieces = re.findall(r".{1,3}", arguments or "{}") if kind == "tool-pieces" else [arguments]
        call_id = f"call_{len(self._request.body['messages'])}"
        first = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        if kind != "tool-pieces":
            first["function"] = {"name": name, "arguments": arguments or "{}"}
            return [{"tool_calls": [{"index": 0, **first}]}]
        rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
        return [{"tool_calls": [call]} for call in ({"index": 0, **first}, *rest)]

    def _usage(self) -> dict[str, Any] | None:
        if self._markers.get("usage") == "":
            return None
        figures = [int(n) for n in self._markers.get("usage", "").split()]
        given, spoken, cached = figures or (100, self._request.words, 0)
        return {
            "prompt_tokens": given,
            "completion_tokens": spoken,
            "prompt_tokens_details": {"cached_tokens": cached},
        }

    async def _send(self, chunk: dict[str, Any]) -> None:
        await self._raw(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    async def _raw(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def _end(self) -> bool:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        self._request.answered = True
        return True

    def _reset(self) -> bool:
        """Ends the connection as a crash does: with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return False


def _head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return method, path.split("?")[0], {name.lower(): value.strip() for name, value in pairs}


def _markers(text: str) -> dict[str, str]:
    found = {name: value.strip() for name, value in _MARKER.findall(text)}
    return {name: value for name, value in found.items() if name in _NAMES}


def _last_words(body: dict[str, Any]) -> str:
    said = [m.get("content") or "" for m in body.get("messages", []) if m.get("role") == "user"]
    return str(said[-1]) if said else ""


def _told(body: dict[str, Any]) -> str:
    told = [m.get("content") or "" for m in body.get("messages", []) if m.get("role") == "system"]
    return "\n".join(told)


def _leaked(body: dict[str, Any], how: str) -> str:
    text = _told(body)
    if how == "letters":
        return " ".join(text)
    if how == "spaced":
        return "-".join(text)
    if how == "wide":
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    return text.upper() if how == "upper" else text


def _tool_answered(body: dict[str, Any]) -> bool:
    return body["messages"][-1].get("role") == "tool"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "model": "stand-in", "choices": [choice]}


def _plain(status: int, body: object, *, content: str = "application/json", **extra: str) -> bytes:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = {"Content-Type": content, "Content-Length": str(len(raw)), **extra}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} As wished\r\n{lines}\r\n".encode() + raw


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for a model's server.")
    parser.add_argument("--port", type=int, default=0)
    async with Upstream(parser.parse_args().port) as upstream:
        print(upstream.url, flush=True)  # noqa: T201
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except KeyboardInterrupt:
        pass
