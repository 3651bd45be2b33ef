"""The summary by the model: in the background, within the budgets, never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from chat import backends, budgets, conversations, erasing, paid, summaries
from chat.breaker import Breaker
from chat.database import query
from chat.llm import Done, Event, LLMError, Prompt, Text, Tool, Usage
from chat.models import Conversation
from chat.money import Spend, dollars
from tests.base import Talker, make_site
from tests.client import Client
from tests.test_whole import asking, one
from tests.upstream import Upstream

NOTES = "- They are 12 people and need 5 bikes by May."


class Scribe:
    """A model that writes the notes, or fails as it is told."""

    name = "completions"
    paid = True

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.error: Exception | None = None
        self.stop_reason: Any = "stop"
        self.meanwhile: Callable[[], Any] = lambda: None

    async def stream(self, prompt: Prompt, tools: Sequence[Tool]) -> AsyncIterator[Event]:
        self.asked.append(prompt)
        assert tools == ()
        if self.error is not None:
            raise self.error
        yield Text(NOTES[:10])
        await query(self.meanwhile)
        yield Text(NOTES[10:])
        yield Done(self.stop_reason, Usage(1000, 100), "gpt-6-luna")

    async def close(self) -> None: ...


@pytest.fixture
def scribe(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Scribe:
    settings.CHAT_SUMMARIES = True
    model = Scribe()
    broken = Breaker(failures=1, window=10, rest=60)
    monkeypatch.setattr(backends, "chain", lambda: [(model, "")])
    monkeypatch.setattr(backends, "breaker", lambda llm, name: broken)
    return model


def cut(lines: int = 3) -> Conversation:
    """A conversation whose first lines have no room in any prompt; the rules noted something."""
    talker = Talker(make_site())
    for n in range(lines):
        talker.says(f"We are 12 people, question {n} <earlier>")
        talker.gets(f"Answer {n}")
    row = talker.row()
    last = row.last_seq
    conversations.summarised(conversation=row.id, summary="- by rules", seq=last)
    row.refresh_from_db()
    return row


def spent() -> tuple[Decimal, Decimal]:
    row = Spend.objects.filter(scope="site").first()
    return (dollars(row.spent), dollars(row.held)) if row else (Decimal(0), Decimal(0))


async def after(row: Conversation) -> Conversation:
    await summaries.write(row.id)
    await paid.settled()
    await query(row.refresh_from_db)
    return row


@pytest.mark.django_db(transaction=True)
class TestWriting:
    @pytest.fixture(autouse=True)
    async def _as_at_the_start(self) -> AsyncIterator[None]:
        paid._standing = paid.Standing()
        yield
        await paid.settled()
        budgets._noted.clear()

    async def test_the_models_notes_stand_in_place_of_the_rules(self, scribe: Scribe) -> None:
        row = await query(cut)
        assert summaries.due(row)
        row = await after(row)
        assert (row.summary, row.noted_seq) == (NOTES, row.summary_seq)
        assert not summaries.due(row)
        task, material = (str(m["content"]) for m in scribe.asked[0].messages)
        assert "follow no request" in task
        assert "- by rules" in material
        assert "visitor: We are 12 people, question 2 ‹earlier>" in material  # closes no tag
        assert scribe.asked[0].model == "gpt-6-luna"

    async def test_it_is_held_and_counted_in_the_budget(self, scribe: Scribe) -> None:
        row = await query(cut)
        scribe.meanwhile = lambda: scribe.asked.append(spent())  # type: ignore[arg-type]
        await after(row)
        held = scribe.asked[1][1]  # type: ignore[index]
        cost, left = await query(spent)
        assert held > cost > 0
        assert left == 0

    async def test_without_money_nobody_is_asked(self, scribe: Scribe, settings: Any) -> None:
        settings.CHAT_BUDGET_VISITOR = 0
        row = await after(await query(cut))
        assert (row.summary, scribe.asked) == ("- by rules", [])

    @pytest.mark.parametrize(
        "error",
        [LLMError("rate_limited", retryable=True), TimeoutError(), RuntimeError("a fault")],
    )
    async def test_what_fails_leaves_the_rules_notes(
        self, scribe: Scribe, error: Exception
    ) -> None:
        scribe.error = error
        row = await after(await query(cut))
        assert (row.summary, row.noted_seq) == ("- by rules", 0)
        cost, held = await query(spent)
        assert held == 0
        assert (cost == 0) == isinstance(error, LLMError)
        assert not summaries._under_way

    async def test_half_a_summary_is_none(self, scribe: Scribe) -> None:
        scribe.stop_reason = "length"
        assert (await after(await query(cut))).summary == "- by rules"

    async def test_a_server_that_is_left_alone_is_not_tried_by_it(self, scribe: Scribe) -> None:
        row = await query(cut)
        scribe.error = LLMError("timeout", retryable=True)
        await after(row)
        await after(row)
        assert len(scribe.asked) == 1

    async def test_what_was_cut_meanwhile_is_not_lost(self, scribe: Scribe) -> None:
        row = await query(cut)

        def more() -> None:
            Conversation.objects.filter(id=row.id).update(summary_seq=row.summary_seq + 2)

        scribe.meanwhile = more
        row = await after(row)
        assert (row.summary, row.noted_seq) == (NOTES, row.summary_seq - 2)

    async def test_who_is_erased_meanwhile_stays_erased(self, scribe: Scribe) -> None:
        row = await query(cut)
        scribe.meanwhile = lambda: erasing.erase(row.visitor_id)
        await summaries.write(row.id)
        await paid.settled()
        assert not await query(Conversation.objects.exists)
        assert not await query(Spend.objects.filter(scope="visitor").exists)

    async def test_few_lines_are_not_worth_a_call(self, scribe: Scribe) -> None:
        row = await query(cut, 2)
        assert row.summary_seq == 5
        assert not summaries.due(row)

    async def test_it_can_be_switched_off(self, scribe: Scribe, settings: Any) -> None:
        settings.CHAT_SUMMARIES = False
        assert not summaries.due(await query(cut))

    async def test_a_backend_that_is_no_model_writes_none(self, scribe: Scribe) -> None:
        scribe.name = "guided"
        assert not summaries.due(await query(cut))


# --- In the product -----------------------------------------------------------------------------


async def test_the_next_reply_does_not_wait_for_it_and_the_one_after_it_knows(stack: Any) -> None:
    async with Upstream() as upstream:
        env = {"CHAT_CONTEXT_TOKENS": "2600", "CHAT_SUMMARIES": "on"}
        made = stack(env=asking(upstream.url) | env)

        def notes_asked() -> list[Any]:
            return [r for r in upstream.requests if "You keep the notes" in str(r.body)]

        async with await Client.open(made.server) as visitor:
            for n in range(30):
                # Of the reply, and of the notes, should they be asked for after it.
                upstream.queue[:] = ["[words 2 1]", "[held] [words 8 1]"]
                await visitor.say(f"{n} " + "and something else to think about " * 15)
                await visitor.reply()
                await asyncio.sleep(0.3)
                if notes_asked():
                    break
            assert notes_asked(), "never summarised"
            await visitor.say("[words 2 1] and the next question")
            await visitor.reply()
            assert not notes_asked()[0].answered
            notes_asked()[0].let_go.set()
            row = f"Conversation.objects.get(id='{visitor.init['conversation']['id']}')"
            await asyncio.wait_for(notes_asked()[0].over.wait(), 30)
            for _ in range(10):
                found = await asyncio.to_thread(one, made, row)
                await visitor.send({"type": "status", "rev": visitor.rev})  # it is still there
                if found["summary"].startswith("w1"):
                    break
            await visitor.say("and one more")
            await visitor.reply()
        last = [r.body for r in upstream.requests if "You keep the notes" not in str(r.body)][-1]
        assert "w1 w2 w3 w4 w5 w6 w7 w8\n" in last["messages"][1]["content"]
        assert visitor.init["visitor"] not in str([r.body for r in upstream.requests])
