"""The scripted backend: what tests and demos rely on."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from chat.llm import Done, Event, LLMError, Prompt, Text, ToolCall
from chat.llm.factory import load
from chat.llm.scripted import Scripted

TOOL_ANSWER = [
    {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1"}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "{}"},
]


async def nothing(question: str) -> Sequence[Any]:
    return []


async def play(
    llm: Scripted, question: str, *more: Mapping[str, Any], into: list[Event] | None = None
) -> list[Event]:
    asked = Prompt(
        messages=[{"role": "user", "content": question}, *more],
        question=question,
        language="en",
        agent="Mia",
        company="Tern Bikes",
        known={},
        search=nothing,
    )
    events: list[Event] = [] if into is None else into
    async with asyncio.timeout(10), aclosing(llm.stream(asked, ())) as stream:
        async for event in stream:
            events.append(event)
    return events


def said(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def failure(llm: Scripted, question: str) -> tuple[str, LLMError]:
    """The words before it failed, and the failure."""
    events: list[Event] = []
    with pytest.raises(LLMError) as caught:
        await play(llm, question, into=events)
    return said(events), caught.value


# --- Rules ----------------------------------------------------------------------------------------
async def test_the_first_rule_that_fits_is_played() -> None:
    llm = Scripted(
        [
            {"match": "price", "events": [{"text": "900 euros."}]},
            {"events": [{"text": "Anything  else?\n"}]},
        ]
    )
    assert said(await play(llm, "What is the PRICE?")) == "900 euros."
    events = await play(llm, "Hello")
    assert [event.text for event in events if isinstance(event, Text)] == ["Anything", "  else?\n"]


async def test_it_ends_with_a_reason_and_usage() -> None:
    done = (await play(Scripted([{"events": [{"text": "a b"}, {"done": "length"}]}]), "Hi"))[-1]
    assert isinstance(done, Done)
    assert (done.stop_reason, done.model) == ("length", "scripted")
    assert done.usage is not None
    assert done.usage.output_tokens == 2


async def test_a_tool_call_and_then_its_words() -> None:
    llm = Scripted(
        [
            {
                "match": "Ann",
                "events": [{"tool": "save_lead", "arguments": {"name": "Ann"}}],
                "then": [{"text": "Thanks, Ann."}],
            }
        ]
    )
    call, done = await play(llm, "I am Ann")
    assert call == ToolCall("call_1_1", "save_lead", '{"name": "Ann"}')
    assert isinstance(done, Done)
    assert done.stop_reason == "tool_calls"
    assert said(await play(llm, "I am Ann", *TOOL_ANSWER)) == "Thanks, Ann."


async def test_times_and_after_choose_the_rule() -> None:
    llm = Scripted(
        [
            {"times": 1, "events": [{"error": "rate_limited", "retry_after": 2}]},
            {"after": 1, "events": [{"text": "Again."}]},
            {"events": [{"text": "First."}]},
        ]
    )
    _, error = await failure(llm, "Hi")
    assert (error.code, error.retryable, error.retry_after) == ("rate_limited", True, 2)
    assert said(await play(llm, "Hi")) == "First."
    assert said(await play(llm, "Hi", {"role": "assistant", "content": "First."})) == "Again."


def test_the_script_of_the_settings_is_played(settings: Any, tmp_path: Path) -> None:
    settings.CHAT_SCRIPT = str(tmp_path / "script.json")
    Path(settings.CHAT_SCRIPT).write_text(json.dumps([{"events": [{"text": "Grüße"}]}]), "utf-8")
    assert said(asyncio.run(play(Scripted.create(), "Hi"))) == "Grüße"


@pytest.mark.parametrize("text", [None, "{", "[1]", "[{}]", '[{"match": "(", "events": []}]'])
def test_a_wrong_script_is_named(settings: Any, tmp_path: Path, text: str | None) -> None:
    settings.CHAT_SCRIPT = str(tmp_path / "script.json")
    if text is not None:
        Path(settings.CHAT_SCRIPT).write_text(text, "utf-8")
    with pytest.raises(ValueError, match="CHAT_SCRIPT"):
        load("scripted")


# --- Commands -------------------------------------------------------------------------------------
async def test_words() -> None:
    assert said(await play(Scripted(), "Hello\n/words 4 1")) == "w1 w2 w3 w4"


async def test_words_keep_their_pace() -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await play(Scripted(), "/words 4 30")
    assert loop.time() - begin >= 0.09


async def test_fail_fails_each_time() -> None:
    llm = Scripted()
    for _ in range(2):
        words, error = await failure(llm, "/fail")
        assert (words, error.code, error.retryable) == ("", "overloaded", True)


async def test_flaky_works_after_a_while() -> None:
    llm = Scripted()
    for _ in range(2):
        await failure(llm, "/flaky 2")
    assert said(await play(llm, "/flaky 2")) == "Now it works."


async def test_refuse_is_not_worth_a_retry() -> None:
    assert not (await failure(Scripted(), "/refuse"))[1].retryable


async def test_fail_after_some_words() -> None:
    assert (await failure(Scripted(), "/fail-after 3"))[0] == "w1 w2 w3"


async def test_empty_says_nothing() -> None:
    assert [type(event) for event in await play(Scripted(), "/empty")] == [Done]


async def test_stall_after_some_words() -> None:
    events: list[Event] = []
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(play(Scripted(), "/stall 2", into=events), 0.1)
    assert said(events) == "w1 w2"


async def test_tool_and_its_end() -> None:
    call, _ = await play(Scripted(), '/tool save_lead {"name": "Ann"}')
    assert call == ToolCall("call_1_1", "save_lead", '{"name": "Ann"}')
    assert said(await play(Scripted(), "/tool save_lead {}", *TOOL_ANSWER)) == "Done."


async def test_offer_speaks_and_offers_in_one_round() -> None:
    events = await play(Scripted(), "/offer Oak | Elm")
    assert said(events) == "Which one?"
    call = next(event for event in events if isinstance(event, ToolCall))
    assert (call.name, json.loads(call.arguments)) == (
        "offer_replies",
        {"replies": ["Oak", "Elm"]},
    )


async def test_tool_loop_calls_again() -> None:
    call, _ = await play(Scripted(), "/tool-loop hand_over", *TOOL_ANSWER)
    assert call == ToolCall("call_3_1", "hand_over", "{}")


@pytest.mark.parametrize("question", ["", "/nonsense", "My name is Zanzibar", "/words"])
async def test_anything_is_answered_and_nothing_echoed(
    question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.llm.scripted._DEMO_PACE", 0)
    words = said(await play(Scripted(), question))
    assert words
    assert "Zanzibar" not in words


# --- The factory ----------------------------------------------------------------------------------
def test_backends_by_name() -> None:
    assert load("completions").name == "completions"
    assert load("scripted").name == "scripted"
    with pytest.raises(ValueError, match="CHAT_BACKEND must be"):
        load("oracle")
