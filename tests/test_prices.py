"""What replies cost."""

from decimal import Decimal
from typing import Any

import pytest

from chat.llm import Usage
from chat.llm.prices import cost, parse


def test_cost_counts_cached_tokens_cheaper() -> None:
    assert cost("gpt-6-luna", Usage(1_000_000, 100_000, 500_000)) == Decimal("0.105")


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-6-luna-2026-09-22", True),
        ("gpt-5.4-mini", True),
        ("gpt-6-luna-pro", False),
        ("my-model", False),
    ],
)
def test_cost_is_known_for_dated_names_and_not_guessed(model: str, known: bool) -> None:
    assert (cost(model, Usage(10, 10)) is not None) is known


def test_own_prices_win(settings: Any) -> None:
    settings.CHAT_PRICES = '{"my-model": [1, 0.5, 2], "gpt-6-luna": [0, 0, 0]}'
    assert cost("my-model", Usage(1_000_000, 1_000_000)) == 3
    assert cost("gpt-6-luna", Usage(10, 10)) == 0


@pytest.mark.parametrize("raw", ["{", "[]", '{"m": 1}', '{"m": [1, 2]}', '{"m": [1, -2, "x"]}'])
def test_wrong_prices_are_named_and_cost_no_reply(settings: Any, raw: str) -> None:
    with pytest.raises(ValueError, match="CHAT_PRICES"):
        parse(raw)
    settings.CHAT_PRICES = raw
    assert cost("gpt-6-luna", Usage(1_000_000, 0)) == Decimal("0.1")
