"""What a reply needs before it can begin: money held ahead, and no look at the database in vain."""

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from chat import ahead, backends, budgets, conversations, paid, prompts, replies, turns, wire
from chat.budgets import Payer
from chat.database import query
from chat.knowing import Searching
from chat.live import WIDE_FRAME, Stream, live
from chat.llm import Done, Event, Prompt, Text, Tool, Usage
from chat.models import Lead, Message, Site
from chat.money import Spend, dollars
from chat.writing import Writer
from tests.base import ME, Talker, make_site

pytestmark = pytest.mark.django_db(transaction=True)


class Model:
    """A paid model of six words; `held` is what its budget held when it was asked."""

    name = "completions"
    paid = True

    def __init__(self) -> None:
        self.held: list[Decimal] = []

    async def stream(self, prompt: Prompt, tools: Sequence[Tool]) -> AsyncIterator[Event]:
        self.held.append(await held())
        for word in range(6):
            yield Text(f"word{word} ")
        yield Done("stop", Usage(10, 6), "gpt-6-luna")

    async def close(self) -> None: ...


async def held() -> Decimal:
    row = await query(Spend.objects.filter(scope="whole").first)
    return dollars(row.held) if row else Decimal(0)


@pytest.fixture
async def model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Model]:
    model = Model()
    monkeypatch.setattr(backends, "chain", lambda: [(model, "")])
    monkeypatch.setattr(ahead, "_dearest", {})
    yield model
    await paid.settled()
    backends._breakers.clear()


@pytest.fixture
async def talker() -> Talker:
    return Talker(await query(make_site))


async def say(talker: Talker, client_id: str = "") -> conversations.Received:
    return await turns.say(
        site=talker.site,
        visitor=talker.visitor,
        conversation=talker.conversation,
        frame=wire.Say(client_id=client_id or str(uuid.uuid4()), text="Hello"),
    )


async def ended(talker: Talker) -> Message:
    """The reply, once its turn is over and all money is counted."""
    await asyncio.gather(*(turn.done.wait() for turn in list(turns.running.values())))
    await paid.settled()
    found: Any = await query(Message.objects.filter(reply_to__isnull=False).latest, "seq")
    return found


async def test_money_for_the_next_reply_is_held_while_its_question_is_stored(
    model: Model, talker: Talker, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    reserved = threading.Event()
    meanwhile: list[bool] = []
    reserve, receive = budgets.reserve, conversations.receive

    def reserving(payer: Payer, worst: Decimal) -> budgets.Reservation:
        reserved.set()
        return reserve(payer, worst)

    def receiving(**said: Any) -> conversations.Received:
        meanwhile.append(reserved.wait(0.5))
        return receive(**said)

    monkeypatch.setattr(budgets, "reserve", reserving)
    monkeypatch.setattr(conversations, "receive", receiving)
    for _ in range(2):
        reserved.clear()
        await say(talker)
        assert (await ended(talker)).state == "complete"
        assert reserved.is_set()
    # Of a site's first reply nobody knows what it takes; one thread does one after the other.
    assert meanwhile == [False, settings.CHAT_DATABASE_THREADS > 1]
    assert all(amount > 0 for amount in model.held)
    assert await held() == 0


async def test_no_reply_no_money(
    model: Model, talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await say(talker)
    await ended(talker)
    assert ahead._dearest
    again = await say(talker, str(first.message.client_id))
    assert again.duplicate
    monkeypatch.setattr(turns, "draining", True)
    await say(talker)
    monkeypatch.setattr(conversations, "receive", _broken)
    with pytest.raises(RuntimeError):
        await say(talker)
    await paid.settled()
    assert await held() == 0
    assert len(model.held) == 1


def _broken(**_: Any) -> None:
    raise RuntimeError


@pytest.mark.parametrize("error", [RuntimeError, OperationalError])
async def test_what_could_not_be_held_ahead_is_held_all_the_same(
    model: Model, talker: Talker, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """By the call; and where the database is away for a moment, it is asked again."""
    await say(talker)
    await ended(talker)
    reserve, tries, fails = budgets.reserve, [], 4 if error is OperationalError else 1

    def fails_at_first(payer: Payer, worst: Decimal) -> budgets.Reservation:
        tries.append(worst)
        if len(tries) <= fails:
            raise error
        return reserve(payer, worst)

    monkeypatch.setattr(budgets, "reserve", fails_at_first)
    await say(talker)
    assert (await ended(talker)).text.startswith("word0")
    assert (len(model.held), len(tries)) == (2, fails + 1)
    assert await held() == 0


async def test_a_claimed_reply_is_written_though_the_database_was_away_for_a_moment(
    model: Model, talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, tries = prompts.load, []

    def away_at_first(*given: Any) -> prompts.Material | None:
        tries.append(given)
        if len(tries) <= 4:  # a lost connection is tried twice
            raise OperationalError
        return load(*given)

    monkeypatch.setattr(prompts, "load", away_at_first)
    await say(talker)
    reply = await ended(talker)
    assert (reply.state, reply.text[:5], reply.attempt) == ("complete", "word0", 1)


async def test_where_the_model_may_not_be_asked_no_money_is_held(
    model: Model, talker: Talker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(talker)
    await ended(talker)
    payer = Payer(site=talker.site.pk)
    found = ahead.money(talker.site, payer)
    assert found is not None
    found.drop()
    assert ahead.money(Site(pk=10**6), payer) is None
    monkeypatch.setattr(backends, "pays_first", lambda: None)
    assert ahead.money(talker.site, payer) is None


def test_a_question_and_its_reply_are_stored_without_a_look_in_vain() -> None:
    talker = Talker(make_site())
    talker.says("Hello")
    talker.gets("Good day")
    Lead.objects.create(conversation=talker.row(), site=talker.site, name="Ann")
    with CaptureQueriesContext(connection) as asked:
        received = talker.says("How much?", opens=replies.opens(ME))
    # The lock, the question with its reply, the conversation.
    assert statements(asked) == ["SELECT", "INSERT", "UPDATE"]
    claim = received.claim
    assert claim is not None
    whole = prompts.load(claim.conversation.id, claim.reply.seq)
    with CaptureQueriesContext(connection) as asked:
        assert prompts.load(claim.conversation.id, claim.reply.seq, claim.conversation) == whole
    assert statements(asked) == ["SELECT"]  # the latest lines; the lead came with the lock
    assert claim.conversation.lead.known() == whole.known == {"name": "Ann"}
    with CaptureQueriesContext(connection) as asked:
        received = talker.says("And when?", opens=replies.opens(ME))
    assert statements(asked) == ["SELECT", "INSERT", "UPDATE"]
    assert received.claim is None  # the first reply is open still
    assert received.message.seq == received.conversation.last_seq == 6


def statements(asked: CaptureQueriesContext) -> list[str]:
    words = [query["sql"].split()[0] for query in asked.captured_queries]
    return [word for word in words if word not in ("BEGIN", "COMMIT")]


@pytest.mark.parametrize("lag", [0.0, 1.0])
async def test_a_loop_that_lags_reads_less_often(
    model: Model, talker: Talker, monkeypatch: pytest.MonkeyPatch, lag: float
) -> None:
    await query(talker.says, "Hello")
    row = await query(talker.row)
    material = await query(prompts.load, row.id)
    assert material is not None
    monkeypatch.setattr(live, "lag", lag)
    stream = Stream(live, row.id, str(uuid.uuid4()), 1)

    async def line() -> tuple[Stream, None]:
        return stream, None

    writer = Writer(
        material=material,
        searching=Searching(talker.site, Payer.of(row)),
        models=[(model, "")],
        line=line,
        started=time.monotonic(),
    )
    began = time.monotonic()
    assert (await writer.write()).state == "complete"
    assert stream.end() == "word0 word1 word2 word3 word4 word5"
    assert (time.monotonic() - began > 6 * WIDE_FRAME) == bool(lag)
