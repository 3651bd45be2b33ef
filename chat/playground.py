"""A draft of a persona answers, and nothing else happens: no row is written, nobody hears of it.

The prompt, the knowledge, the guard and the price are those of a real turn, and the budgets pay for
it. Tools are answered as if they had been used.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.conf import settings

from chat import backends, context, knowing, leaks, paid, prompts, tools
from chat.budgets import Payer
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
from chat.models import Conversation, PersonaVersion, Site

FREE = ("refused", "rate_limited", "overloaded", "unreachable")  # before any word
logger = logging.getLogger(__name__)

ROUNDS = 3  # of tools
Event = dict[str, Any]


def made_up(
    site: Site,
    version: PersonaVersion,
    talk: Sequence[tuple[str, str]],
    like: Conversation | None = None,
) -> prompts.Material:
    """What a turn would have to go by, of a talk of ("visitor" or "agent", words) that is stored
    nowhere; its last line is the visitor's. Language and page are those of `like`."""
    row = Conversation(site=site, locale=site.language)
    if like is not None:
        for name in ("locale", "page_url", "page_title"):
            setattr(row, name, getattr(like, name))
    lines = [
        context.Line("visitor" if role == "visitor" else "agent", text, seq)
        for seq, (role, text) in enumerate(talk, 1)
    ]
    said = [line.text for line in lines if line.role == "visitor"]
    return prompts.Material(
        conversation=row,
        version=version,
        lines=lines,
        words=said,
        question=said[-1] if said else "",
        known={},
        signed={},
        newest=len(lines),
        open_reply=False,
    )


@dataclass(slots=True)
class _Bill:
    """What an answer took."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)

    def add(self, usage: Usage, cost: Decimal) -> None:
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cost += cost


async def answer(material: prompts.Material) -> AsyncGenerator[Event, None]:
    """The answer as events: `{"text"}` piece by piece, `{"tool", "result"}`, `{"note"}`,
    `{"again"}` (what was written is void), and at last `{"done": {...}}` or `{"error"}`.
    """
    started = time.monotonic()
    site = material.conversation.site
    payer = Payer(site.pk, site.daily_budget)
    searching = knowing.Searching(site, payer, material.conversation.locale)
    found = await searching(material.question) if material.question else []
    bill = _Bill()
    models = [step for n, step in enumerate(backends.chain()) if n != 1]  # each once
    for llm, model in models:
        prompt, fitted = prompts.make(material, found, searching, model)
        secret = prompts.instructions(material) if llm.name != "guided" else ""
        talk = _Talk(llm, prompt, material, payer, bill, secret)
        try:
            async for event in talk.events():
                yield event
        except paid.Unpaid:
            yield {"note": "unpaid"}
            continue
        except LLMError as error:
            logger.info("draft not answered", extra={"code": error.code})
            yield {"again": True, "note": error.code}
            continue
        sure = {item.title for item in found if item.sure}
        used = [fact.title for fact in fitted.used if fact.title in sure]
        yield {
            "done": {
                "ms": int((time.monotonic() - started) * 1000),
                "first_ms": int(((talk.first or started) - started) * 1000),
                "tokens": [bill.input_tokens, bill.output_tokens],
                "cost": f"{bill.cost:.6f}",
                "model": talk.answered or llm.name,
                "sources": talk.cited or used,
                "replies": list(talk.offered),
            }
        }
        return
    yield {"error": "failed"}


class _Talk:
    """One model's answer, its tools only played."""

    def __init__(
        self,
        llm: LLM,
        prompt: Prompt,
        material: prompts.Material,
        payer: Payer,
        bill: _Bill,
        secret: str,
    ) -> None:
        self.llm = llm
        self.prompt = prompt
        self.material = material
        self.payer = payer
        self.bill = bill
        self.off: Sequence[str] = material.version.tools_off if material.version else ()
        self.guard = leaks.Guard(prompts.canary(settings.SECRET_KEY), secret)
        self.first: float | None = None
        self.answered = ""
        self.cited: list[str] = []
        self.offered: Sequence[str] = ()
        self.calls: list[ToolCall] = []
        self.said = ""  # in this round, as the next
        self.usage: Usage | None = None

    async def events(self) -> AsyncGenerator[Event, None]:
        for round in range(ROUNDS + 1):
            self.calls, self.said, self.usage = [], "", None
            async with aclosing(self._round(last=round == ROUNDS)) as events:
                async for event in events:
                    yield event
            if not self.calls:
                break
            results = []
            for call in self.calls:
                results.append(self._play(call))
                yield {"tool": call.name[:40], "result": results[-1]}
            if self.first and all(call.name == tools.OFFER_REPLIES.name for call in self.calls):
                break
            budget = context.budget_for(self.prompt.model, settings.CHAT_CONTEXT_TOKENS)
            messages = context.fit_round(
                self.prompt.messages, self.calls, results, budget, said=self.said
            )
            self.prompt = replace(self.prompt, messages=messages)
        if self.first is None:
            raise LLMError("empty", retryable=False)

    async def _round(self, *, last: bool) -> AsyncGenerator[Event, None]:
        """One request, paid for before it is made."""
        offered = () if last else tools.allowed(self.off)
        if not self.llm.paid:
            async with aclosing(self._listen(offered)) as events:
                async for event in events:
                    yield event
            return
        prompt = self.prompt
        worst = prices.worst(prompt.model, prompt.messages, offered, prompt.reply_tokens)
        async with paid.call(self.payer, worst) as held:
            free = False
            try:
                async with aclosing(self._listen(offered)) as events:
                    async for event in events:
                        yield event
            except LLMError as error:
                free = error.code in FREE and not self.said
                raise
            finally:
                # One that was cut off tells nothing, and is charged all the same.
                written = context.tokens(self.said) if self.said else prompt.reply_tokens
                used = self.usage or Usage(context.count(prompt.messages), written)
                used = Usage(0, 0) if free else used
                held.cost = prices.cost(used, self.answered or prompt.model, prompt.model)
                self.bill.add(used, held.cost)

    async def _listen(self, offered: Sequence[Tool]) -> AsyncGenerator[Event, None]:
        async with aclosing(self.llm.stream(self.prompt, offered)) as stream:  # type: ignore[type-var]
            while (event := await self._next(stream)) is not None:
                if isinstance(event, Text):
                    self.said += event.text
                    shown = self.guard.passes(event.text)
                elif isinstance(event, Done):
                    shown = self.guard.rest()
                    asked = self.prompt.model if self.llm.name == "completions" else self.llm.name
                    self.answered = event.model or asked
                    self.usage = event.usage
                else:
                    shown = ""
                    self._take(event)
                if shown:
                    self.first = self.first or time.monotonic()
                    yield {"text": shown}
                if self.guard.leaked:
                    yield {"note": "leaked"}
                    return

    async def _next(self, stream: Any) -> Any:
        """The next event of the model, or None; as patient as a turn is."""
        waits = settings.CHAT_NEXT_TOKEN_TIMEOUT if self.said else settings.CHAT_FIRST_TOKEN_TIMEOUT
        try:
            async with asyncio.timeout(waits):
                return await anext(stream, None)
        except TimeoutError:
            raise LLMError("timeout", retryable=False) from None

    def _take(self, event: Cited | Offered | ToolCall) -> None:
        if isinstance(event, ToolCall):
            self.calls.append(event)
        elif isinstance(event, Offered):
            self.offered = event.replies
        elif event.title not in self.cited:
            self.cited.append(event.title)

    def _play(self, call: ToolCall) -> str:
        """What the model is told that its call has done."""
        action = tools.parse(call, "\n".join(self.material.words), self.material.signed, self.off)
        if isinstance(action, tools.Refused):
            return action.message
        if isinstance(action, tools.Offer):
            self.offered = action.replies
            return "Offered."
        if isinstance(action, tools.SaveLead):
            return json.dumps(
                {"saved": list(action.fields), "refused": list(action.refused)}, ensure_ascii=False
            )
        return json.dumps({"told": True, "the visitor has been told so": True})
