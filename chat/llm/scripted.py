"""Replies by script: for tests, demos and work on the widget. No model, no key, no chance.

A script is a JSON list of rules, in a file (`CHAT_SCRIPT`) or given in Python; the first rule that
fits is played:

    {"match": "price|cost",     a regular expression searched in the question; without it, any
     "after": 1,                only once the agent has spoken this often (its greeting counts)
     "times": 1,                only this often in the life of the process, for "fails once"
     "pace": 0.02,              seconds between words
     "events": [...],           what is played
     "then": [...]}             what is played once the tools that `events` called have answered

    {"text": "Hello there"}                          streamed word by word
    {"wait": 0.5}                                    seconds of silence
    {"tool": "save_lead", "arguments": {...}}        a tool call; as a string, exactly that string
    {"error": "overloaded", "retryable": true, "retry_after": 1}    fails
    {"stall": true}                                  says nothing more, for ever
    {"done": "length"}                               ends for this reason; by itself "stop"

Where no rule fits, or without a script, these commands work as a visitor's message (its last
line), and everything else is answered by a few friendly sentences:

    /words N MS           N words, "w1 w2 w3 ...", MS milliseconds apart
    /say TEXT             the text; \\n in it begins a line
    /fail                 fails before the first word, retryable; each time
    /flaky N              fails that way N times, then answers; counted by the whole command
    /refuse               fails before the first word, not retryable
    /fail-after N         fails after N words
    /empty                ends without a word
    /stall [N]            after N words (0) says nothing more
    /offer A | B          asks which one, and offers the answers as buttons
    /tool NAME JSON       calls the tool, then says "Done."
    /tool-loop NAME JSON  calls the tool again after each answer
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from django.conf import settings

from chat.llm import ChatMessage, Done, Event, LLMError, Prompt, Text, Tool, ToolCall, Usage

Played = Mapping[str, Any]
MODEL = "scripted"

_WELCOMES = (
    "Good to have you here! I am the demo voice of this chat: my lines are written down in "
    "advance, so what you see is how replies stream, stop and come back after a reload.",
    "Thanks, I read that. With a model behind me you would now get an answer from the company's "
    "own knowledge, with its sources named. Until then I can show you how smoothly words arrive.",
    "I like where this is going! Ask me anything, or try `/words 40 50` and reload the page in "
    "the middle of it: not a word gets lost.",
)
_DEMO_PACE = 0.03


class Scripted:
    """Plays rules; deterministic for the same conversation."""

    name = "scripted"

    def __init__(self, rules: Sequence[Mapping[str, Any]] = ()) -> None:
        self._rules = [_rule(rule) for rule in rules]
        self._played: Counter[str] = Counter()

    @classmethod
    def create(cls) -> Self:
        """With the script of the settings, if there is one."""
        if not settings.CHAT_SCRIPT:
            return cls()
        try:
            rules = json.loads(Path(settings.CHAT_SCRIPT).read_text(encoding="utf-8"))
            return cls(rules)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, re.error) as error:
            raise ValueError(f"CHAT_SCRIPT ({settings.CHAT_SCRIPT}): {error}") from error

    async def stream(self, prompt: Prompt, tools: Sequence[Tool]) -> AsyncIterator[Event]:
        rule = self._choose(prompt)
        played = rule.then if _answered(prompt.messages) else rule.events
        spoken, called, stop = 0, 0, "stop"
        for event in played:
            if "text" in event:
                for word in _words(event["text"]):
                    if spoken:
                        await asyncio.sleep(rule.pace)
                    spoken += 1
                    yield Text(word)
            elif "tool" in event:
                called += 1
                yield _tool_call(event, f"call_{len(prompt.messages)}_{called}")
            elif "done" in event:
                stop = event["done"]
            else:
                await _suffer(event)
        usage = Usage(input_tokens=_length(prompt.messages) // 4, output_tokens=spoken)
        yield Done("tool_calls" if called else stop, usage, MODEL)  # type: ignore[arg-type]

    async def close(self) -> None:
        """Holds nothing."""

    def _choose(self, prompt: Prompt) -> "_Rule":
        """The rule for this round; after a tool's answer one that has a `then`."""
        again = _answered(prompt.messages)
        spoken = sum(1 for message in prompt.messages if _spoken(message))
        for number, rule in enumerate(self._rules):
            if not rule.fits(prompt.question, spoken):
                continue
            if rule.then if again else self._may_play(number, rule):
                return rule
        return self._command(prompt, spoken)

    def _may_play(self, number: int, rule: "_Rule") -> bool:
        self._played[f"rule {number}"] += 1
        return rule.times is None or self._played[f"rule {number}"] <= rule.times

    def _command(self, prompt: Prompt, spoken: int) -> "_Rule":
        lines = prompt.question.strip().splitlines() or [""]
        command, _, rest = lines[-1].strip().partition(" ")
        rest = rest.strip()
        if command == "/flaky":
            self._played[lines[-1]] += 1
            if self._played[lines[-1]] <= _number(rest, 1):
                command = "/fail"
        built = _COMMANDS.get(command)
        if built is not None:
            return built(rest)
        return _Rule([{"text": _WELCOMES[spoken % len(_WELCOMES)]}], pace=_DEMO_PACE)


@dataclass(frozen=True, slots=True)
class _Rule:
    events: Sequence[Played]
    then: Sequence[Played] = ()
    match: re.Pattern[str] | None = None
    after: int = 0
    times: int | None = None
    pace: float = 0.0

    def fits(self, question: str, spoken: int) -> bool:
        return spoken >= self.after and (self.match is None or bool(self.match.search(question)))


def _rule(stated: Mapping[str, Any]) -> _Rule:
    match = stated.get("match")
    return _Rule(
        events=list(stated["events"]),
        then=list(stated.get("then", [])),
        match=re.compile(match, re.IGNORECASE) if match else None,
        after=int(stated.get("after", 0)),
        times=stated.get("times"),
        pace=float(stated.get("pace", 0.0)),
    )


# --- The built-in commands ------------------------------------------------------------------------
_FAILS: Played = {"error": "overloaded", "retryable": True}


def _counted(count: int) -> str:
    return " ".join(f"w{number}" for number in range(1, count + 1))


def _words_command(rest: str) -> _Rule:
    count, _, milliseconds = rest.partition(" ")
    return _Rule([{"text": _counted(_number(count, 10))}], pace=_number(milliseconds, 0) / 1000)


def _tool_command(rest: str) -> _Rule:
    name, _, arguments = rest.partition(" ")
    return _Rule([{"tool": name, "arguments": arguments or "{}"}], then=[{"text": "Done."}])


def _offer_command(rest: str) -> _Rule:
    answers = [answer.strip() for answer in rest.split("|")]
    return _Rule(
        [{"text": "Which one?"}, {"tool": "offer_replies", "arguments": {"replies": answers}}]
    )


def _tool_loop_command(rest: str) -> _Rule:
    calls = _tool_command(rest).events
    return _Rule(calls, then=calls)


_COMMANDS = {
    "/words": _words_command,
    "/say": lambda rest: _Rule([{"text": rest.replace("\\n", "\n")}]),
    "/fail": lambda rest: _Rule([_FAILS]),
    "/flaky": lambda rest: _Rule([{"text": "Now it works."}]),
    "/refuse": lambda rest: _Rule([{"error": "refused", "retryable": False}]),
    "/fail-after": lambda rest: _Rule([{"text": _counted(_number(rest, 1))}, _FAILS]),
    "/empty": lambda rest: _Rule([]),
    "/stall": lambda rest: _Rule([{"text": _counted(_number(rest, 0))}, {"stall": True}]),
    "/offer": _offer_command,
    "/tool": _tool_command,
    "/tool-loop": _tool_loop_command,
}


def _number(text: str, default: int) -> int:
    """A count out of a command, at most ten thousand."""
    return min(int(text), 10_000) if re.fullmatch(r"[0-9]{1,9}", text.strip()) else default


# --- Playing --------------------------------------------------------------------------------------
async def _suffer(event: Played) -> None:
    """Waits, stalls or fails, as the event says."""
    if "wait" in event:
        await asyncio.sleep(event["wait"])
    elif event.get("stall"):
        await asyncio.get_running_loop().create_future()
    elif "error" in event:
        raise LLMError(
            event["error"],
            retryable=bool(event.get("retryable", True)),
            retry_after=event.get("retry_after"),
        )


def _tool_call(event: Played, call_id: str) -> ToolCall:
    arguments = event.get("arguments", {})
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(call_id, event["tool"], arguments)


def _words(text: str) -> Iterator[str]:
    """Each word with the white space before it; together exactly the text."""
    for match in re.finditer(r"\s*\S+(?:\s+\Z)?|\s+\Z", text):
        yield match[0]


def _answered(messages: Sequence[ChatMessage]) -> bool:
    """Whether the last thing said is a tool's answer."""
    return bool(messages) and messages[-1].get("role") == "tool"


def _spoken(message: ChatMessage) -> bool:
    return message.get("role") == "assistant" and not message.get("tool_calls")


def _length(messages: Sequence[ChatMessage]) -> int:
    return sum(len(str(message.get("content") or "")) for message in messages)
