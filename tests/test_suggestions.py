"""What the agent suggests a person could say: paid for, edited before it is sent."""

from decimal import Decimal
from typing import Any

import pytest

from chat import backends, handover, paid, suggestions
from chat.breaker import Breaker
from chat.conversations import Refused
from chat.database import query
from chat.handover import Speaker
from chat.llm import LLMError
from chat.models import Conversation
from tests.base import Talker, make_site
from tests.test_summaries import Scribe, spent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scribe(monkeypatch: pytest.MonkeyPatch) -> Scribe:
    """The model that is asked."""
    model = Scribe()
    broken = Breaker(failures=1, window=10, rest=60)
    monkeypatch.setattr(backends, "chain", lambda: [(model, "")])
    monkeypatch.setattr(backends, "breaker", lambda llm, name: broken)
    return model


def taken(django_user_model: Any) -> Conversation:
    talker = Talker(make_site())
    talker.says("What do ten desks cost?")
    vera = Speaker(django_user_model.objects.create_user("vera").pk, "Vera")
    handover.take(conversation=talker.row().id, who=vera)
    return talker.row()


async def test_it_is_what_the_model_says_and_is_paid_for(
    scribe: Scribe, django_user_model: Any
) -> None:
    row = await query(taken, django_user_model)
    text = await suggestions.suggest(row.id, "Vera")
    await paid.settled()
    assert text == "- They are 12 people and need 5 bikes by May."
    [prompt] = scribe.asked
    assert "What do ten desks cost?" in str(prompt.messages)
    assert "A person of the team, Vera, has taken" in prompt.messages[-1]["content"]
    cost, held = await query(spent)
    assert cost > 0
    assert held == Decimal(0)
    after = await query(row.messages.count)
    assert after == row.last_seq  # nobody was told of it


async def test_without_money_it_says_so(scribe: Scribe, django_user_model: Any) -> None:
    row = await query(taken, django_user_model)
    await query(lambda: type(row.site).objects.update(daily_budget=0))
    with pytest.raises(Refused) as refused:
        await suggestions.suggest(row.id, "Vera")
    assert refused.value.code == "budget_spent"
    assert scribe.asked == []


async def test_a_model_that_fails_is_no_fault_of_ours(
    scribe: Scribe, django_user_model: Any
) -> None:
    row = await query(taken, django_user_model)
    scribe.error = LLMError("overloaded", retryable=True)
    with pytest.raises(Refused) as refused:
        await suggestions.suggest(row.id, "Vera")
    assert (refused.value.code, refused.value.final) == ("try_again", False)


async def test_the_guided_seller_suggests_nothing(
    monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    row = await query(taken, django_user_model)
    guided = Scribe()
    guided.name = "guided"
    monkeypatch.setattr(backends, "chain", lambda: [(guided, "")])
    with pytest.raises(Refused, match="not_allowed"):
        await suggestions.suggest(row.id, "Vera")
