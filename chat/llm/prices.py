"""What a request costs, in US dollars.

The table can be extended or corrected without a release by `CHAT_PRICES`, a JSON object of
dollars per million tokens: `{"my-model": [0.1, 0.01, 0.5]}` for input, cached input, output. What
staff state in the admin goes before both (`state`). A model that stands nowhere costs what stands
under `*`: no budget is spent unseen because a name is new.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings

from chat.llm import ChatMessage, Tool, Usage

logger = logging.getLogger(__name__)

_MILLION = Decimal(1_000_000)
_BYTES = 4  # of a token, in most languages
_TEMPLATE = 40  # tokens around a message, at the very most
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|latest)$")


class Price(NamedTuple):
    """Dollars per million tokens."""

    input: Decimal
    cached: Decimal
    output: Decimal


def _price(*dollars: str) -> Price:
    return Price(*map(Decimal, dollars))


UNKNOWN = "*"
KNOWN: Mapping[str, Price] = {
    UNKNOWN: _price("5", "5", "30"),  # dearer than all but one, which is named; nothing cached
    "gpt-6-luna": _price("0.10", "0.01", "0.50"),
    "gpt-6.1-terra": _price("1.00", "0.05", "5.00"),
    "gpt-6.1-sol": _price("2.00", "0.10", "10.00"),
    "gpt-6-sol": _price("2.00", "0.20", "10.00"),
    "gpt-6-astra": _price("10", "1", "50"),
    "gpt-5.6-luna": _price("0.20", "0.02", "1.20"),
    "gpt-5.6-terra": _price("2.00", "0.20", "12.00"),
    "gpt-5.6-sol": _price("4.00", "0.40", "20.00"),
    "gpt-5.5": _price("5.00", "0.50", "30.00"),
    "gpt-5.4": _price("2.50", "0.25", "15.00"),
    "gpt-5.4-mini": _price("0.75", "0.075", "4.50"),
    "text-embedding-3-small": _price("0.02", "0.02", "0"),
    "text-embedding-3-large": _price("0.13", "0.13", "0"),
}


_staff: Mapping[str, Price] = {}
_sizes: dict[str, tuple[Tool, int]] = {}  # by name; in bytes


def state(table: Mapping[str, Price]) -> None:
    """Staff's own prices, from now on, in this process."""
    global _staff
    _staff = table


def cost(usage: Usage, *models: str) -> Decimal:
    """Dollars of one request: at the price of the first of `models` that has one."""
    price = _first(models)
    cached = min(usage.cached_tokens, usage.input_tokens)
    fresh = usage.input_tokens - cached
    total = fresh * price.input + cached * price.cached + usage.output_tokens * price.output
    return total / _MILLION


def worst(
    model: str, messages: Sequence[ChatMessage], tools: Sequence[Tool], output_tokens: int
) -> Decimal:
    """Dollars that one request may cost at the most.

    No tokenizer makes more tokens of a text than it has bytes, in whatever script a visitor writes.
    """
    return _dearest(model, sum(map(_size_of, messages)), tools, output_tokens)


def ample(model: str, prompt_tokens: int, tools: Sequence[Tool], output_tokens: int) -> Decimal:
    """What `worst` hardly ever exceeds, for a prompt of so many tokens that is yet to be made."""
    return _dearest(model, prompt_tokens * _BYTES, tools, output_tokens)


def _dearest(model: str, given: int, tools: Sequence[Tool], output_tokens: int) -> Decimal:
    tokens = given + sum(_size(tool) for tool in tools)
    price = _first([model])
    dearest = max(price.input, price.cached)
    return (tokens * dearest + output_tokens * price.output) / _MILLION


def _size_of(message: ChatMessage) -> int:
    """Bytes, with what a model's template adds."""
    content = message.get("content")
    if len(message) == 2 and isinstance(content, str):  # a role and words, as nearly all
        return len(content.encode("utf-8", "surrogatepass")) + _TEMPLATE
    return _bytes(message)


def _bytes(value: object) -> int:
    text = json.dumps(value, ensure_ascii=False, default=dict)
    return len(text.encode("utf-8", "surrogatepass"))


def _size(tool: Tool) -> int:
    """Bytes; the same few tools are offered again and again."""
    known = _sizes.get(tool.name)
    if known is None or known[0] is not tool:
        size = _bytes([tool.name, tool.description, tool.parameters])
        known = _sizes[tool.name] = (tool, size)
    return known[1]


def _first(models: Sequence[str]) -> Price:
    found = next(filter(None, map(price_of, models)), None)
    return found or price_of(UNKNOWN) or KNOWN[UNKNOWN]


def delivered() -> Mapping[str, Price]:
    """The built-in prices and those of `CHAT_PRICES`, which hold where staff state none."""
    return {**KNOWN, **_own()}


def _own() -> Mapping[str, Price]:
    return _own_or_none(getattr(settings, "CHAT_PRICES", "") or "")


def price_of(model: str) -> Price | None:
    """The stated price of a model, also under a dated name (`gpt-6-luna-2026-09-22`)."""
    tables = (_staff, _own(), KNOWN)
    for name in (model, _DATED.sub("", model)):
        for table in tables:
            if name in table:
                return table[name]
    return None


@lru_cache(maxsize=4)
def parse(raw: str) -> Mapping[str, Price]:
    """The prices that `CHAT_PRICES` states; a ValueError says what is wrong with it."""
    try:
        table = json.loads(raw or "{}", parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ValueError("CHAT_PRICES is not JSON.") from error
    if not isinstance(table, dict):
        raise ValueError("CHAT_PRICES must be an object of model names.")
    return {name: _stated(name, dollars) for name, dollars in table.items()}


def _stated(name: str, dollars: object) -> Price:
    wrong = ValueError(f"CHAT_PRICES: {name} needs [input, cached, output], dollars per million.")
    if not isinstance(dollars, list) or len(dollars) != 3:
        raise wrong
    try:
        price = Price(*(Decimal(str(amount)) for amount in dollars))
    except InvalidOperation as error:
        raise wrong from error
    if any(not amount.is_finite() or amount < 0 for amount in price):
        raise wrong
    return price


@lru_cache(maxsize=4)
def _own_or_none(raw: str) -> Mapping[str, Price]:
    """As `parse`, but a mistake in a setting must not cost a visitor the reply."""
    try:
        return parse(raw)
    except ValueError as error:
        logger.error("%s It is ignored.", error)
        return {}
