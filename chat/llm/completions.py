"""Replies from OpenAI, or from any server that speaks Chat Completions.

The SDK keeps URL, authentication, connections and error classes. A request is put together here,
and its body read event by event: on the SDK's own way both cost more than all that a reply passes
through beside them (`docs/decisions/18-a-request-is-sent-as-it-stands.md`).
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, cast

import httpx2
from django.conf import settings
from openai import APIStatusError, AsyncOpenAI, DefaultAioHttpClient

from chat.llm import Done, Event, LLMError, Prompt, StopReason, Text, Tool, Usage
from chat.llm.failures import failure, stated_failure
from chat.llm.providers import profile_for
from chat.llm.sse import EventReader, ServerEvent, StreamBroken
from chat.llm.toolcalls import ToolCalls, WrittenCall

logger = logging.getLogger(__name__)

# No read timeout: who waits for the reply knows how long each token may take.
TIMEOUT = httpx2.Timeout(None, connect=5, pool=10)
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=500, keepalive_expiry=30)
# After the reason for the end only the usage is still to come; it is not worth more than this.
TAIL_SECONDS = 2.0
MOST_OF_ERROR = 64 * 1024  # bytes: what a server says beyond that of why it refuses is not read
UNKNOWN_FIELD = (400, 422)  # the statuses by which servers refuse a single field

_STOP_REASONS: dict[str, StopReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode
_UNFIT = re.compile(r"[\x00\ud800-\udfff]")  # neither a socket nor a database takes these


class Completions:
    """One instance a process: it holds the connections to the model's server."""

    name = "completions"
    paid = True

    def __init__(self, *, base_url: str, api_key: str, model: str, provider: str = "") -> None:
        self._base_url = base_url
        # Always given: otherwise the SDK sends OPENAI_API_KEY to whatever server this is.
        self._api_key = api_key or "none"
        self._model = model
        self._profile = profile_for(provider, base_url)
        self._connect()
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def create(cls) -> Self:
        """As the settings say. Connects to nothing yet."""
        return cls(
            base_url=settings.OPENAI_BASE_URL,
            api_key=settings.OPENAI_API_KEY,
            model=settings.CHAT_MODEL,
            provider=settings.CHAT_PROVIDER,
        )

    async def stream(self, prompt: Prompt, tools: Sequence[Tool]) -> AsyncIterator[Event]:
        """Leaving it early closes the connection."""
        model = prompt.model or self._model
        while True:
            body = self._profile.body(prompt, model, tools)
            try:
                async with self._request(body) as response:
                    reply = _Reply(model, [tool.name for tool in tools])
                    pieces = _pieces(response)
                    async for piece in pieces:  # in no generator of its own: each costs every token
                        if text := reply.feed(piece):
                            yield Text(text)
                        if reply.stop_reason or reply.over or reply.error:
                            break
                    else:
                        if text := reply.feed_end():
                            yield Text(text)
                    for event in await _rest(pieces, reply):
                        yield event
                return
            except APIStatusError as error:
                learns = error.status_code in UNKNOWN_FIELD
                if not learns or not self._profile.give_up(error, model, body):
                    raise failure(error, model) from None
            except Exception as error:
                raise failure(error, model) from None

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def _request(self, body: dict[str, Any]) -> AsyncIterator[httpx2.Response]:
        """The answer to one request, whose body has still to come."""
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            self._connect()  # its connections belong to a loop that has ended
        self._loop = loop
        content = _encode(body).encode(errors="replace")
        request = httpx2.Request("POST", self._url, headers=self._headers, content=content)
        response = await self._http.send(request, stream=True)
        try:
            if not response.is_success:
                raise await _refusal(response)
            yield response
        finally:
            await response.aclose()

    def _connect(self) -> None:
        self._http = DefaultAioHttpClient(limits=LIMITS, timeout=TIMEOUT)
        sdk = AsyncOpenAI(base_url=self._base_url, api_key=self._api_key, http_client=self._http)
        self._url = sdk.base_url.join("chat/completions")  # the SDK ends it with a slash
        stated = {**sdk.default_headers, **sdk.auth_headers, "Accept-Encoding": "identity"}
        named = {name: value for name, value in stated.items() if isinstance(value, str)}
        self._headers = httpx2.Headers(named)


async def _refusal(response: httpx2.Response) -> APIStatusError:
    """What the server says of why it does not answer, as the SDK would raise it."""
    said = bytearray()
    async for piece in response.aiter_bytes():
        said += piece
        if len(said) > MOST_OF_ERROR:
            break
    text = said.decode(errors="replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    stated = body.get("error", body) if isinstance(body, dict) else body
    message = stated.get("message") if isinstance(stated, dict) else stated
    return APIStatusError(str(message or ""), response=response, body=stated)


def _pieces(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body, as it comes."""
    if "html" in response.headers.get("content-type", ""):
        raise LLMError("broken", retryable=True)
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    # As `aiter_raw` gives it, without a second look at each piece.
    return aiter(cast(httpx2.AsyncByteStream, response.stream))


async def _rest(pieces: AsyncIterator[bytes], reply: "_Reply") -> list[Event]:
    """What ends a reply, once its words are over."""
    if reply.error is not None:
        raise reply.error
    if not reply.stop_reason:
        raise LLMError("truncated" if reply.begun else "broken", retryable=True)
    if not reply.over:
        await _read_usage(pieces, reply)
    return list(reply.last())


async def _read_usage(pieces: AsyncIterator[bytes], reply: "_Reply") -> None:
    """The reply is whole already, so nothing that happens here can spoil it."""
    try:
        async with asyncio.timeout(TAIL_SECONDS):
            async for piece in pieces:
                reply.feed(piece)
                if reply.over:
                    return
    except (TimeoutError, httpx2.HTTPError, StreamBroken):
        return


class _Reply:
    """What is known of a reply while its chunks arrive."""

    def __init__(self, model: str, tools: Sequence[str]) -> None:
        self.begun = False  # a chunk has arrived
        self.over = False  # the server said that nothing more comes
        self.stop_reason = ""
        self.error: LLMError | None = None
        self._model = model
        self._usage: Usage | None = None
        self._reader = EventReader()
        self._calls = ToolCalls()
        self._written = WrittenCall(tools)
        self._high = ""  # the first half of a character

    def feed(self, piece: bytes) -> str:
        """What of this piece is for the visitor."""
        return self._take(self._reader.feed(piece))

    def feed_end(self) -> str:
        """What the end of the body leaves for the visitor."""
        rest = self._reader.close()
        text = self._take(rest)
        if self.error is not None and self.begun:
            self.error = LLMError("truncated", retryable=True)  # a chunk was cut in two
        return text

    def last(self) -> Iterator[Event]:
        """The events that end a reply."""
        calls = self._calls.whole()
        if not calls and (written := self._written.found()):
            calls = [written]
        elif text := self._written.release():
            yield Text(text)
        yield from calls
        stop: StopReason = "tool_calls" if calls else _STOP_REASONS.get(self.stop_reason, "stop")
        yield Done(stop, self._usage, self._model)

    def _take(self, events: Sequence[ServerEvent]) -> str:
        text = ""
        for event in events:
            if self.over or self.error is not None:
                break
            if event.data == "[DONE]":
                self.over = True
                break
            try:
                chunk = _decoded(event.data)
                if event.name == "error" or chunk.get("error"):
                    self.error = stated_failure(chunk.get("error") or chunk)
                else:
                    text += self._chunk(chunk)
            except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
                self.error = LLMError("broken", retryable=True)
        return text

    def _chunk(self, chunk: dict[str, Any]) -> str:
        """Takes in one chunk. Runs for every token, so it is kept short."""
        self.begun = True
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        choices = chunk.get("choices")
        if not choices or self.stop_reason:
            return ""
        choice = choices[0]
        text = ""
        if delta := choice.get("delta"):
            text = delta.get("content") or delta.get("refusal") or ""
            if delta.get("tool_calls"):
                self._calls.add(delta["tool_calls"])
        if reason := choice.get("finish_reason"):
            if reason == "error":
                raise ValueError("The server ended its reply with an error.")
            self.stop_reason = str(reason)
            self._model = str(chunk.get("model") or self._model)
        return self._visible(text) if text else ""

    def _visible(self, text: str) -> str:
        """`text` with halves of characters joined over chunks, and the unfit left out."""
        if self._high or _UNFIT.search(text):
            text = self._high + text.replace("\0", "")
            self._high = ""
            if text and "\ud800" <= text[-1] <= "\udbff":
                text, self._high = text[:-1], text[-1]
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        return self._written.add(text) if self._written.watching else text


def _decoded(data: str) -> Any:
    """What `json.loads` gives; it looks twice for white space around the value, mostly in vain."""
    if data.startswith("{"):
        value, end = _decode(data)
        if end == len(data):
            return value
    return json.loads(data)


def _usage(stated: dict[str, Any]) -> Usage:
    details = stated.get("prompt_tokens_details") or {}
    return Usage(
        input_tokens=_count(stated.get("prompt_tokens")),
        output_tokens=_count(stated.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")),
    )


def _count(stated: object) -> int:
    return stated if isinstance(stated, int) and 0 <= stated < 2**31 else 0
