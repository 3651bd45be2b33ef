"""Writes one reply: asks the model, again or another where it fails, runs its tools.

Before the first visible word a failure costs the visitor only time: once more, then the fallback
model, then the guided seller. After it the words stay, and the reply ends as failed.
"""

import asyncio
import json
import logging
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from chat import (
    backends,
    context,
    conversations,
    leads,
    leaks,
    metrics,
    paid,
    prompts,
    staff_wire,
    tools,
    wire,
)
from chat.budgets import Payer
from chat.database import query
from chat.knowing import Searching
from chat.live import WIDE_FRAME, Stream, live
from chat.llm import (
    LLM,
    Cited,
    Done,
    LLMError,
    Offered,
    Prompt,
    Text,
    Tool,
    ToolCall,
    Usage,
    prices,
)
from chat.models import Message
from chat.replies import Outcome, language_of

logger = logging.getLogger(__name__)

RESET = 0.3  # of the patience with a token: so much longer it may be, for no timer is set at each
MAX_ROUNDS = 4  # of tools
MAX_CALLS = 6  # of tools in one reply
MAX_PAID = MAX_ROUNDS + 2  # requests in one reply: a word after the last round, and one to spare
# Before any word: the model's server has not even begun, and charges nothing.
FREE = ("refused", "rate_limited", "overloaded", "unreachable")


@dataclass(slots=True)
class _Figures:
    """What a reply took, over its rounds and attempts."""

    backend: str = ""
    asked: str = ""  # the model's name in the request
    model: str = ""  # ... and in the answer
    usage: Usage | None = None
    cost: Decimal | None = None
    first_word_ms: int | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)

    def add(self, done: Done) -> None:
        """One request more."""
        self.model = done.model or self.asked
        if done.usage is None:
            return
        so_far = self.usage or Usage(0, 0)
        self.usage = Usage(
            so_far.input_tokens + done.usage.input_tokens,
            so_far.output_tokens + done.usage.output_tokens,
            so_far.cached_tokens + done.usage.cached_tokens,
        )

    def pay(self, done: Done) -> Decimal:
        """One request more, and its cost by the name that answered, or else that was asked."""
        self.add(done)
        if done.usage is None:
            return Decimal(0)
        spent = prices.cost(done.usage, self.model, self.asked)
        self.cost = (self.cost or Decimal(0)) + spent
        return spent

    def columns(self, duration_ms: int) -> dict[str, Any]:
        usage = self.usage
        return {
            "backend": self.backend,
            "model": self.model,
            "tools": self.tools,
            "first_word_ms": self.first_word_ms,
            "duration_ms": duration_ms,
            "input_tokens": usage.input_tokens if usage else None,
            "cached_tokens": usage.cached_tokens if usage else None,
            "output_tokens": usage.output_tokens if usage else None,
            "cost": self.cost,
        }


class Writer:
    """The writing of one reply.

    `line` gives, once the reply's row is claimed and words may be shown, the stream they go to and
    the time by which the reply must be over. `models` are asked in turn, each with the model named.
    """

    def __init__(
        self,
        *,
        material: prompts.Material,
        searching: Searching,
        models: Sequence[tuple[LLM, str]],
        line: Callable[[], Awaitable[tuple[Stream, datetime | None]]],
        started: float,
        advance: paid.Advance | None = None,
    ) -> None:
        self._material = material
        self._conversation: uuid.UUID = material.conversation.id
        self._searching = searching
        self._models = models
        self._line = line
        self._stream: Stream | None = None
        self._deadline: datetime | None = None
        self._started = started  # monotonic seconds, when the question came
        self._figures = _Figures()
        self._sources: list[dict[str, str]] = []
        self._replies: tuple[str, ...] = ()
        self._space = ""  # white space that is held back until a word follows
        self._said = ""  # in this round
        self._done: Done | None = None  # of this round
        self._length = 0  # of what was shown, in UTF-16 units
        self._cut = False  # it has reached its greatest length, or tells the instructions
        self._payer = Payer.of(material.conversation)
        version = material.version
        self._tools_off: Sequence[str] = version.tools_off if version else ()
        self._tools = tools.allowed(self._tools_off)
        self._advance = advance
        self._unpaid = False  # no money is left for this reply
        self._asked = 0  # paid requests so far, of all models
        self._guard: leaks.Guard  # of this attempt

    @property
    def _spoke(self) -> bool:
        return self._length > 0

    async def write(self) -> Outcome:
        """The reply's end. Its text is what the stream was given."""
        self._advance = self._advance or self._held_in_advance()
        try:
            return await self._written()
        finally:
            if self._advance is not None:
                self._advance.drop()

    def _held_in_advance(self) -> paid.Advance | None:
        """Money for the first request, while the knowledge is searched and the prompt made."""
        model = backends.pays_first()
        if model is None:
            return None
        return paid.Advance(self._payer, prompts.dearest(self._material.version, model))

    async def _written(self) -> Outcome:
        question = self._material.question
        found = await self._searching(question) if question else []
        fitted: context.Fitted | None = None
        error = LLMError("no model", retryable=False)
        tried: tuple[LLM, str] | None = None
        for llm, model in self._models:
            if llm.paid and (self._unpaid or self._asked >= MAX_PAID):
                continue
            if tried == (llm, model) and not await self._worth_again(error):
                continue
            breaker = backends.breaker(llm, model)
            if not breaker.admits():
                continue
            tried = (llm, model)
            prompt, fitted = prompts.make(self._material, found, self._searching, model)
            self._sources = _cited(fitted.used, found) if llm.name == "completions" else []
            self._replies = ()
            # The guided seller is told nothing that it could tell.
            secret = prompts.instructions(self._material) if llm.name != "guided" else ""
            self._guard = leaks.Guard(prompts.canary(settings.SECRET_KEY), secret)
            try:
                with breaker.watching():
                    await self._attempt(llm, prompt)
            except paid.Unpaid:
                self._unpaid = True
                if self._spoke:
                    return self.outcome(Message.State.FAILED, "budget_spent")
                continue
            except LLMError as failed:
                error = failed
                logger.warning("attempt failed", extra=self._extra(llm, failed))
                if self._spoke:
                    return self.outcome(Message.State.FAILED, failed.code)
                continue
            if not self._unpaid:
                backends.note(llm, model)
            await self._summarise(fitted)
            return self.outcome(Message.State.COMPLETE)
        return self.outcome(Message.State.FAILED, error.code)

    # --- One attempt ----------------------------------------------------------------------------

    async def _attempt(self, llm: LLM, prompt: Prompt) -> None:
        """Asks one model until it calls no more tools."""
        self._figures.backend = llm.name
        self._figures.asked = self._figures.model = (
            prompt.model if llm.name == "completions" else ""
        )
        calls_left = MAX_CALLS
        rounds = min(MAX_ROUNDS + 1, MAX_PAID - self._asked) if llm.paid else MAX_ROUNDS + 1
        for round in range(rounds):
            offered = self._tools if round < rounds - 1 else ()
            calls = await self._round(llm, prompt, offered)
            done = calls[:calls_left]
            calls_left -= len(done)
            results = [await self._call(call) for call in done]
            if not self._asks_back(done):
                break
            prompt = replace(
                prompt,
                messages=context.fit_round(
                    prompt.messages,
                    done,
                    results,
                    context.budget_for(prompt.model, settings.CHAT_CONTEXT_TOKENS),
                    said=self._said,
                ),
            )
            if self._spoke:
                self._space = "\n\n"
        if not self._spoke:
            raise LLMError("empty", retryable=True)

    def _asks_back(self, calls: Sequence[ToolCall]) -> bool:
        """Whether the model has to see what came of its calls: not of buttons below its words."""
        offers = tools.OFFER_REPLIES.name
        return any(call.name != offers for call in calls) or (bool(calls) and not self._spoke)

    async def _round(self, llm: LLM, prompt: Prompt, offered: Sequence[Tool]) -> list[ToolCall]:
        """One request, paid for; its words are shown as they come. The tools it calls."""
        self._said, self._done = "", None
        self._asked += llm.paid
        async with self._billed(llm, prompt, offered):
            # A task of its own: what waits for a token is woken through all that waits for it.
            return await asyncio.create_task(self._listen(llm, prompt, offered))

    @asynccontextmanager
    async def _billed(
        self, llm: LLM, prompt: Prompt, offered: Sequence[Tool]
    ) -> AsyncIterator[None]:
        """Around one request, which may cost money; raises `Unpaid` where there is none for it."""
        if not llm.paid:
            yield
            self._figures.add(self._done or Done("stop"))
            return
        worst = prices.worst(prompt.model, prompt.messages, offered, prompt.reply_tokens)
        async with paid.call(self._payer, worst, self._advance) as bill:
            free = False
            try:
                yield
            except LLMError as error:
                free = error.code in FREE and not self._said
                raise
            finally:
                used = Done("stop") if free else self._counted(prompt, offered)
                bill.cost = self._figures.pay(used)

    def _counted(self, prompt: Prompt, offered: Sequence[Tool]) -> Done:
        """What a request used. One that was cut off tells nothing, and is charged all the same.

        Before its first word it may have thought, or called a tool, for as long as it is allowed.
        """
        done = self._done or Done("stop")
        if done.usage is not None:
            return done
        functions = (f"{tool.name} {tool.description} {tool.parameters}" for tool in offered)
        given = context.count(prompt.messages) + sum(map(context.tokens, functions))
        written = context.tokens(self._said) if self._said else prompt.reply_tokens
        return replace(done, usage=Usage(given, written))

    async def _listen(self, llm: LLM, prompt: Prompt, offered: Sequence[Tool]) -> list[ToolCall]:
        """Takes in what one request brings, for as long as it is worth waiting."""
        loop = asyncio.get_running_loop()
        patience = settings.CHAT_FIRST_TOKEN_TIMEOUT
        if not self._spoke and llm.name != "guided":
            patience = min(patience, self._left_for_first_word())
        calls: list[ToolCall] = []
        try:
            async with (
                asyncio.timeout(patience) as timer,
                aclosing(llm.stream(prompt, offered)) as events,  # type: ignore[type-var]
            ):
                due, longer = 0.0, RESET * settings.CHAT_NEXT_TOKEN_TIMEOUT
                async for event in events:
                    now = loop.time()
                    if now > due:
                        due = now + longer
                        timer.reschedule(due + settings.CHAT_NEXT_TOKEN_TIMEOUT)
                        if self._left() <= 0:
                            raise LLMError("try_again", retryable=False)
                    if isinstance(event, Text):
                        self._said += event.text
                        await self._pass(self._guard.passes(event.text))
                        if self._cut:
                            break
                        if live.behind:  # what comes meanwhile is read and shown in one piece
                            await asyncio.sleep(WIDE_FRAME)
                    elif isinstance(event, ToolCall):
                        calls.append(event)
                    elif isinstance(event, Cited):
                        self._cite(event.title, event.link)
                    elif isinstance(event, Offered):
                        self._replies = event.replies
                    else:
                        self._done = event
                await self._pass(self._guard.rest())
        except TimeoutError:
            raise LLMError("timeout", retryable=True) from None
        return calls

    async def _worth_again(self, error: LLMError) -> bool:
        """Whether the same model is asked once more; waits as long as it asked for."""
        if not error.retryable:
            return False
        wait = random.uniform(0.1, 0.6)
        if error.retry_after is not None:
            wait = max(wait, error.retry_after)
        if wait >= self._left_for_first_word() - 1:
            return False
        await asyncio.sleep(wait)
        return True

    def _left_for_first_word(self) -> float:
        """Seconds until the guided seller has to speak."""
        spent = time.monotonic() - self._started
        return max(0.05, settings.CHAT_FIRST_WORD_DEADLINE - spent)

    def _left(self) -> float:
        """Seconds until the reply has to be over, by the deadline stored with it."""
        if self._deadline is None:
            return settings.CHAT_REPLY_DEADLINE
        return (self._deadline - datetime.now(UTC)).total_seconds()

    # --- Words ----------------------------------------------------------------------------------

    async def _pass(self, text: str) -> None:
        """Shows what the guard let through. Where it stops the model the reply ends.

        With no word of it shown yet another has to write it.
        """
        words = self._cleaned(text)
        if words:
            if self._stream is None:
                self._stream, self._deadline = await self._line()
            self._show(words, self._stream)
        if not self._guard.leaked or self._cut:
            return
        self._alarm(self._guard.leaked)
        self._cut = self._spoke
        if not self._spoke:
            raise LLMError("refused", retryable=False)

    def _cleaned(self, text: str) -> str:
        """The next piece, its white space at the end held back."""
        text = self._space + wire.drop_controls(text)
        if not self._spoke:
            text = text.lstrip()
        words = text.rstrip()
        self._space = text[len(words) :]
        return words

    def _show(self, words: str, stream: Stream) -> None:
        if not self._spoke:
            self._figures.first_word_ms = int((time.monotonic() - self._started) * 1000)
        length = wire.units(words)
        if self._length + length > wire.MAX_REPLY:
            words = wire.cut(words, wire.MAX_REPLY - self._length)
            self._cut = True
        self._length += length
        if words:
            stream.emit(words)

    def _alarm(self, told: str) -> None:
        """The model told its instructions. Not a word of it goes into the log."""
        metrics.ALARMS.labels(told).inc()
        extra = {"conversation": str(self._conversation), "by": told}
        logger.error("instructions cut from a reply", extra=extra)

    def _cite(self, title: str, link: str) -> None:
        source = _source(title, link)
        if source not in self._sources:
            self._sources.append(source)

    # --- Tools ----------------------------------------------------------------------------------

    async def _call(self, call: ToolCall) -> str:
        """Runs one tool call; what the model is told of it."""
        offers = call.name == tools.OFFER_REPLIES.name  # which needs nobody's words
        said = [] if offers else await query(leads.said, self._conversation)
        words = "\n".join(each.text for each in said)
        action = tools.parse(call, words, self._material.signed, self._tools_off)
        name = call.name[:40]
        if self._guard.tells(" ".join((call.name, *tools.words(action)))):
            self._alarm("tool")
            action, name = tools.Refused("Not done: that is for nobody's eyes."), "?"
        await self._line()  # nothing is done for a reply that is not ours
        if isinstance(action, tools.Refused):
            result, done = action.message, False
        elif isinstance(action, tools.Offer):
            self._replies = action.replies
            result, done = "Offered. Now write the reply that they answer.", True
        elif isinstance(action, tools.SaveLead):
            result, done = await self._save_lead(action)
        else:
            result, done = await self._hand_over(), True
        self._figures.tools.append({"name": name, "done": done})
        return result

    async def _save_lead(self, action: tools.SaveLead) -> tuple[str, bool]:
        saved = await query(
            leads.save,
            conversation=self._conversation,
            fields=action.fields,
            signed=self._material.signed,
        )
        refused = [*saved.refused, *action.refused]
        return json.dumps({"saved": list(saved.fields), "refused": refused}), bool(saved.fields)

    async def _hand_over(self) -> str:
        added = await query(
            conversations.hand_over,
            conversation=self._conversation,
            language=language_of(self._material.conversation),
        )
        await live.tell(self._conversation, [message.as_frame() for message in added])
        if added:
            site = self._material.conversation.site
            live.tell_desk(site.pk, staff_wire.news("waiting", str(self._conversation), site.name))
        return json.dumps({"told": True, "the visitor has been told so": True})

    # --- The end --------------------------------------------------------------------------------

    async def _summarise(self, fitted: context.Fitted) -> None:
        """Keeps in short what the prompt had no room for."""
        if fitted.cut:
            await query(
                conversations.summarised,
                conversation=self._conversation,
                summary=context.summarise(
                    self._material.conversation.summary, fitted.cut, limit=1500
                ),
                seq=fitted.cut[-1].seq,
            )

    def outcome(self, state: Message.State, error: str = "") -> Outcome:
        """How the reply ends, with what it took so far."""
        duration = int((time.monotonic() - self._started) * 1000)
        again = ("timeout", "try_again", "rate_limited")
        known = error if error == "budget_spent" else "try_again" if error in again else "failed"
        return Outcome(
            state,
            text="",  # the turn puts in what was shown
            error=known if error else "",
            sources=self._sources if self._spoke else [],
            replies=self._replies if state == Message.State.COMPLETE else (),
            figures=self._figures.columns(duration),
        )

    def _extra(self, llm: LLM, error: LLMError) -> dict[str, Any]:
        return {
            "conversation": str(self._conversation),
            "backend": llm.name,
            "code": error.code,
            "spoke": int(self._spoke),
        }


def _cited(used: Sequence[context.Fact], found: Sequence[Any]) -> list[dict[str, str]]:
    """The entries that the prompt held and that answer the question."""
    sure = {item.title for item in found if item.sure}
    return [_source(fact.title, fact.link) for fact in used if fact.title in sure]


def _source(title: str, link: str) -> dict[str, str]:
    return {"title": title, "url": link} if link else {"title": title}
