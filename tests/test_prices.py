"""What requests cost."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from chat import context, tools
from chat.llm import Usage
from chat.llm.prices import KNOWN, Price, cost, parse, price_of, state, worst

MILLION = Usage(1_000_000, 1_000_000)


@pytest.fixture(autouse=True)
def _nothing_stated() -> Iterator[None]:
    yield
    state({})


def test_cost_counts_cached_tokens_cheaper() -> None:
    assert cost(Usage(1_000_000, 100_000, 500_000), "gpt-6-luna") == Decimal("0.105")


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-6-luna-2026-09-22", True),
        ("gpt-5.4-mini", True),
        ("gpt-6-luna-pro", False),
        ("my-model", False),
    ],
)
def test_a_price_is_known_for_dated_names_and_not_guessed(model: str, known: bool) -> None:
    assert (price_of(model) is not None) is known


def test_an_unknown_model_costs_as_much_as_all_but_the_dearest_of_the_known() -> None:
    assert cost(MILLION, "my-model") == 35
    assert [model for model in KNOWN if cost(MILLION, model) > 35] == ["gpt-6-astra"]


def test_what_a_visitor_may_cost_a_day_is_more_than_a_few_replies(settings: Any) -> None:
    """Of an unknown model, as delivered: a talk that grows by what is said, to its last cent."""
    said, told = (
        "Which of the desks is high enough for me? " * 2,
        "The tall one is, at 140 cm. " * 12,
    )
    rules = {"role": "system", "content": "Sell well, and say only what is so. " * 220}
    messages: list[dict[str, str]] = [rules]
    spent, replies = Decimal(0), 0
    while True:
        messages.append({"role": "user", "content": said})
        most = worst("my-model", messages, tools.TOOLS, settings.CHAT_REPLY_TOKENS)
        if spent + most > Decimal(str(settings.CHAT_BUDGET_VISITOR)):
            break
        given = sum(context.tokens(message["content"]) for message in messages) + 800
        spent += cost(Usage(given, context.tokens(told)), "my-model")
        messages.append({"role": "assistant", "content": told})
        replies += 1
    assert replies >= 15


def test_the_first_known_of_several_names_counts() -> None:
    assert cost(MILLION, "stand-in", "gpt-6-luna") == Decimal("0.6")


def test_own_prices_win(settings: Any) -> None:
    settings.CHAT_PRICES = '{"my-model": [1, 0.5, 2], "gpt-6-luna": [0, 0, 0], "*": [7, 7, 7]}'
    assert cost(MILLION, "my-model") == 3
    assert cost(MILLION, "gpt-6-luna") == 0
    assert cost(MILLION, "another") == 14


def test_what_staff_state_goes_before_all(settings: Any) -> None:
    settings.CHAT_PRICES = '{"my-model": [1, 0.5, 2]}'
    four = Price(Decimal(4), Decimal(4), Decimal(4))
    state({"my-model": four, "*": four, "gpt-6-luna-2026-09-22": four})
    assert cost(MILLION, "my-model") == cost(MILLION, "another") == 8
    assert cost(MILLION, "gpt-6-luna-2026-09-22") == 8
    assert cost(MILLION, "gpt-6-luna") == Decimal("0.6")


@pytest.mark.parametrize("letter", ["a", "ü", "ж", "字", "ሴ", "🙂", "\n", '"', "\ud800"])
def test_the_worst_case_covers_a_token_for_every_byte(letter: str, settings: Any) -> None:
    settings.CHAT_PRICES = '{"m": [1, 2, 0]}'  # a server may charge more for what it keeps
    messages = [{"role": "user", "content": letter * 1000}]
    size = len(letter.encode("utf-8", "surrogatepass")) * 1000
    assert worst("m", messages, (), 600) >= size * Decimal("0.000002")
    assert worst("m", messages, tools.TOOLS, 600) > worst("m", messages, (), 600)


def test_the_worst_case_has_the_whole_reply_in_it(settings: Any) -> None:
    settings.CHAT_PRICES = '{"m": [0, 0, 1]}'
    assert worst("m", [], (), 600) == Decimal("0.0006")


@pytest.mark.parametrize("raw", ["{", "[]", '{"m": 1}', '{"m": [1, 2]}', '{"m": [1, -2, "x"]}'])
def test_wrong_prices_are_named_and_cost_no_reply(settings: Any, raw: str) -> None:
    with pytest.raises(ValueError, match="CHAT_PRICES"):
        parse(raw)
    settings.CHAT_PRICES = raw
    assert cost(Usage(1_000_000, 0), "gpt-6-luna") == Decimal("0.1")
