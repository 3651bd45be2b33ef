"""Replies over the SDK and real sockets: a stand-in that misbehaves, and somebody else's mock."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from chat.llm import Done, Event, LLMError, Prompt, Text, ToolCall, Usage
from chat.llm.completions import Completions
from chat.llm.failures import retry_after
from chat.llm.providers import profile_for
from chat.tools import TOOLS
from tests.upstream import Upstream

EIGHT = "w1 w2 w3 w4 w5 w6 w7 w8"


async def nothing(question: str) -> Sequence[Any]:
    return []


def prompt(question: str = "Hello", **given: Any) -> Prompt:
    return Prompt(
        messages=[{"role": "system", "content": "Sell."}, {"role": "user", "content": question}],
        question=question,
        language="en",
        agent="Mia",
        company="Tern Bikes",
        known={},
        search=nothing,
        **given,
    )


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as running:
        yield running


@pytest.fixture
async def llm(upstream: Upstream) -> AsyncIterator[Completions]:
    made = Completions(base_url=upstream.url, api_key="key", model="any-model")
    yield made
    await made.close()


async def ask(llm: Completions, question: str = "Hello", **given: Any) -> list[Event]:
    async with asyncio.timeout(20), aclosing(llm.stream(prompt(question, **given), TOOLS)) as it:
        return [event async for event in it]


async def ask_and_fail(llm: Completions, question: str) -> tuple[list[Event], LLMError]:
    """The events before the failure, and the failure."""
    events: list[Event] = []
    with pytest.raises(LLMError) as caught:
        await collect(llm, question, events, patience=20)
    return events, caught.value


async def collect(llm: Completions, question: str, into: list[Event], patience: float) -> None:
    async with asyncio.timeout(patience), aclosing(llm.stream(prompt(question), TOOLS)) as events:
        async for event in events:
            into.append(event)


def said(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


# --- A reply --------------------------------------------------------------------------------------
async def test_reply_streams_and_ends_with_usage(llm: Completions) -> None:
    events = await ask(llm, "[usage 120 8 64]")
    assert said(events) == EIGHT
    assert events[-1] == Done("stop", Usage(120, 8, 64), "stand-in")


async def test_words_come_one_by_one(llm: Completions) -> None:
    events = await ask(llm, "[words 5 20]")
    assert [event.text for event in events[:-1]] == ["w1", " w2", " w3", " w4", " w5"]


async def test_request_carries_key_model_and_limits(llm: Completions, upstream: Upstream) -> None:
    await ask(llm, "Hello", model="other", reply_tokens=77, temperature=0.5)
    request = upstream.requests[0]
    assert request.headers["authorization"] == "Bearer key"
    assert request.body["model"] == "other"
    assert request.body["max_tokens"] == 77
    assert request.body["temperature"] == 0.5
    assert [tool["function"]["name"] for tool in request.body["tools"]] == [
        "save_lead",
        "hand_over",
        "offer_replies",
    ]


async def test_without_a_key_none_of_the_environment_is_sent(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "for-somebody-else")
    llm = Completions(base_url=upstream.url, api_key="", model="m")
    await ask(llm)
    assert upstream.requests[0].headers["authorization"] == "Bearer none"
    await llm.close()


async def test_of_a_refusal_no_more_is_read_than_it_takes_to_understand_it() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"because " * 1000)
                await writer.drain()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    llm = Completions(base_url=f"http://127.0.0.1:{port}/v1", api_key="key", model="any-model")
    _events, error = await ask_and_fail(llm, "Hello")
    assert error.code == "overloaded"
    await llm.close()
    server.close()


async def test_no_usage_is_no_failure(llm: Completions) -> None:
    assert (await ask(llm, "[usage]"))[-1] == Done("stop", None, "stand-in")


async def test_whole_reply_does_not_wait_for_a_server_that_never_says_done(
    llm: Completions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.llm.completions.TAIL_SECONDS", 0.1)
    assert said(await ask(llm, "[no-done]")) == EIGHT


async def test_empty_reply_is_just_its_end(llm: Completions) -> None:
    assert [type(event) for event in await ask(llm, "[empty]")] == [Done]


def test_one_instance_serves_several_loops(unused_tcp_port: int) -> None:
    llm = Completions(base_url=f"http://127.0.0.1:{unused_tcp_port}/v1", api_key="", model="m")

    async def once() -> str:
        async with Upstream(unused_tcp_port):
            text = said(await ask(llm))
        await llm.close()
        return text

    assert [asyncio.run(once()) for _ in range(3)] == [EIGHT] * 3


# --- Stopping -------------------------------------------------------------------------------------
async def test_closing_early_hangs_up(llm: Completions, upstream: Upstream) -> None:
    async with aclosing(llm.stream(prompt("[words 1000 20]"), ())) as events:
        await anext(events)
    await asyncio.wait_for(upstream.requests[0].over.wait(), 0.5)
    assert upstream.requests[0].closed_by_client


@pytest.mark.parametrize("marker", ["[first 60]", "[silence 60]", "[stall 2]"])
async def test_cancelling_hangs_up(llm: Completions, upstream: Upstream, marker: str) -> None:
    with pytest.raises(TimeoutError):
        await collect(llm, marker, [], patience=0.4)
    await asyncio.wait_for(upstream.requests[0].over.wait(), 0.5)
    assert upstream.requests[0].closed_by_client


# --- Failures -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("marker", "code", "retryable", "words"),
    [
        ("[status 400]", "refused", False, ""),
        ("[status 401]", "refused", False, ""),
        ("[status 402]", "refused", False, ""),
        ("[status 403]", "refused", False, ""),
        ("[status 404]", "refused", False, ""),
        ("[status 408]", "timeout", True, ""),
        ("[status 409]", "overloaded", True, ""),
        ("[status 422]", "refused", False, ""),
        ("[status 429]", "rate_limited", True, ""),
        ("[quota]", "refused", False, ""),
        ("[status 500]", "overloaded", True, ""),
        ("[status 503]", "overloaded", True, ""),
        ("[html]", "broken", True, ""),
        ("[reset 0]", "unreachable", True, ""),
        ("[reset 3]", "unreachable", True, "w1 w2 w3"),
        ("[truncate 0]", "truncated", True, ""),
        ("[truncate 3]", "truncated", True, "w1 w2 w3"),
        ("[error 2]", "overloaded", True, "w1 w2"),
        ("[garbage 2]", "broken", True, "w1 w2"),
        ("[giant 1]", "broken", True, "w1"),
    ],
)
async def test_each_failure_has_its_code(
    llm: Completions, upstream: Upstream, marker: str, code: str, retryable: bool, words: str
) -> None:
    events, error = await ask_and_fail(llm, marker + "[words 8 1]")
    assert (error.code, error.retryable, said(events)) == (code, retryable, words)
    assert len(upstream.requests) == 1


async def test_a_failure_is_logged_without_a_word_of_the_chat(
    llm: Completions, caplog: pytest.LogCaptureFixture
) -> None:
    await ask_and_fail(llm, "My secret is Zanzibar [status 401]")
    assert "status 401" in caplog.text
    assert "Zanzibar" not in caplog.text


async def test_after_a_failure_the_next_reply_is_sound(llm: Completions) -> None:
    await ask_and_fail(llm, "[reset 3]")
    assert said(await ask(llm)) == EIGHT


async def test_nobody_listens(unused_tcp_port: int) -> None:
    llm = Completions(base_url=f"http://127.0.0.1:{unused_tcp_port}/v1", api_key="", model="m")
    _, error = await ask_and_fail(llm, "Hello")
    assert (error.code, error.retryable) == ("unreachable", True)
    await llm.close()


async def test_retry_after_is_passed_on(llm: Completions) -> None:
    _, error = await ask_and_fail(llm, "[status 429 7]")
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_however_it_is_written(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


# --- What servers refuse --------------------------------------------------------------------------
async def test_a_refused_field_is_left_out_from_then_on(
    llm: Completions, upstream: Upstream
) -> None:
    for _ in range(2):
        assert said(await ask(llm, "[refuse temperature]", temperature=0.2)) == EIGHT
    assert ["temperature" in request.body for request in upstream.requests] == [True, False, False]


async def test_the_other_name_of_the_token_limit_is_tried(
    llm: Completions, upstream: Upstream
) -> None:
    assert said(await ask(llm, "[refuse max_tokens]")) == EIGHT
    assert upstream.requests[1].body["max_completion_tokens"] == 600


async def test_a_model_without_tools_still_answers(llm: Completions, upstream: Upstream) -> None:
    assert said(await ask(llm, "[refuse tools]")) == EIGHT
    assert "tools" not in upstream.requests[1].body


async def test_a_field_it_cannot_do_without_is_a_refusal(
    llm: Completions, upstream: Upstream
) -> None:
    _, error = await ask_and_fail(llm, "[refuse messages]")
    assert (error.code, len(upstream.requests)) == ("refused", 1)


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://acme.openai.azure.com/openai/v1", "openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://llm:8000/v1", "generic"),
        ("https://api.openai.com.evil.example/v1", "generic"),
    ],
)
def test_provider_is_told_by_the_url(url: str, provider: str) -> None:
    assert profile_for("", url).provider == provider


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(ValueError, match="CHAT_PROVIDER must be one of openai"):
        profile_for("openay", "http://llm/v1")


def test_openai_is_asked_not_to_reason_and_for_its_cache() -> None:
    wanted = prompt(cache_key="demo-1", visitor="abc")
    body = profile_for("openai", "").body(wanted, "gpt-6-luna", TOOLS)
    assert body["reasoning_effort"] == "none"
    assert body["max_completion_tokens"] == 600
    assert (body["prompt_cache_key"], body["safety_identifier"]) == ("demo-1", "abc")
    assert "temperature" not in body


def test_a_generic_server_gets_nothing_only_openai_knows() -> None:
    body = profile_for("generic", "").body(prompt(cache_key="k", visitor="v"), "gpt-6-luna", ())
    assert set(body) == {"model", "messages", "stream", "stream_options", "max_tokens"}


# --- Tool calls -----------------------------------------------------------------------------------
LEAD = '{"name": "Ann", "email": "ann@example.com"}'


@pytest.mark.parametrize("kind", ["tool", "tool-pieces", "tool-loop"])
async def test_tool_call_comes_whole_before_the_end(llm: Completions, kind: str) -> None:
    events = await ask(llm, f"[{kind} save_lead {LEAD}]")
    assert events[0] == ToolCall("call_2", "save_lead", LEAD)
    assert isinstance(events[1], Done)
    assert events[1].stop_reason == "tool_calls"


async def test_broken_arguments_are_passed_on_as_they_are(llm: Completions) -> None:
    assert (await ask(llm, "[tool-bad save_lead]"))[0] == ToolCall(
        "call_2", "save_lead", '{"name": "Ann'
    )


# --- Somebody else's mock -------------------------------------------------------------------------
@pytest.fixture
async def mocked(llmock: Any) -> AsyncIterator[Completions]:
    made = Completions(base_url=llmock.base_url(), api_key="key", model="gpt-6-luna")
    yield made
    await made.close()


async def test_llmock_reply(llmock: Any, mocked: Completions) -> None:
    llmock.reply("The Tern costs 900 euros.")
    events = await ask(mocked)
    assert said(events) == "The Tern costs 900 euros."
    assert isinstance(events[-1], Done)
    assert events[-1].usage is not None


async def test_llmock_tool_call(llmock: Any, mocked: Completions) -> None:
    llmock.call_tool("save_lead", {"name": "Ann"})
    call = next(event for event in await ask(mocked) if isinstance(event, ToolCall))
    assert (call.name, json.loads(call.arguments)) == ("save_lead", {"name": "Ann"})


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (lambda mock: mock.rate_limit(retry_after=0.5), {"rate_limited"}),
        (lambda mock: mock.outage(), {"overloaded"}),
        (lambda mock: mock.context_overflow(), {"refused"}),
        (lambda mock: mock.disconnect(after_chunks=2), {"unreachable"}),
        (lambda mock: mock.truncate(after_chunks=2), {"truncated"}),
        (lambda mock: mock.corrupt(after_chunks=2), {"broken"}),
    ],
)
async def test_llmock_faults(llmock: Any, mocked: Completions, fault: Any, codes: set[str]) -> None:
    fault(llmock)
    _, error = await ask_and_fail(mocked, "Hello")
    assert error.code in codes
    assert len(llmock.requests) == 1


async def test_llmock_stall_ends_with_the_callers_patience(
    llmock: Any, mocked: Completions
) -> None:
    llmock.stall(after_chunks=2, seconds=5)
    with pytest.raises(TimeoutError):
        await collect(mocked, "Hello", [], patience=0.5)
