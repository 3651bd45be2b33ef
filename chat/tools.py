"""The tools a model may use, and what its calls amount to. Pure: a call in, an action out.

A model invents, and a visitor may tell it to. So nothing is taken that the visitor did not say:
the values of a lead must occur in the visitor's own words. Whatever a call looks like, `parse`
answers it, with a sentence for the model where it can't be done.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from chat.llm import Tool, ToolCall

ARGUMENTS_LIMIT = 16 * 1024  # characters; a whole lead fits ten times
REASON_LIMIT = 300
REPLIES = 4  # quick replies at the most
REPLY_LENGTH = 80  # characters of one
NOTHING: Mapping[str, str] = MappingProxyType({})
LIMITS = {"name": 120, "email": 254, "phone": 40, "company": 120, "note": 1000}

SAVE_LEAD = Tool(
    name="save_lead",
    description=(
        "Save what the visitor has told about themselves, so that sales can get in touch. Call it "
        "as soon as the visitor gives a name, e-mail address, phone number or company. Use only "
        "what the visitor wrote, and leave out what you don't know: never guess or make up a "
        "value. Only of a visitor whom <visitor> calls signed in you know name and e-mail address "
        "without asking: save those once they agree that our team gets in touch."
    ),
    parameters={
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The visitor's name, as they wrote it."},
            "email": {"type": "string", "description": "Their e-mail address."},
            "phone": {"type": "string", "description": "Their phone number, as they wrote it."},
            "company": {"type": "string", "description": "The company they work for."},
            "note": {
                "type": "string",
                "description": "What they need, in one or two sentences: for what, how many, when.",
            },
        },
        "additionalProperties": False,
    },
)
HAND_OVER = Tool(
    name="hand_over",
    description=(
        "Hand the conversation to a person. Call it when the visitor asks for one, is upset, wants "
        "to buy or negotiate now, or needs what you can't know or promise."
    ),
    parameters={
        "type": "object",
        "properties": {
            "reason": {
                "type": "string",
                "description": "Why, in one short sentence for the person who takes over.",
            }
        },
        "additionalProperties": False,
    },
)
OFFER_REPLIES = Tool(
    name="offer_replies",
    description=(
        "Offer answers as buttons, where your reply ends with a question that has two to four "
        "short answers (yes or no, which of the products you named). Write the whole reply first, "
        "then call this in the same turn; say nothing after it. Each answer is in the visitor's "
        "language, as the visitor would say it. Not for open questions."
    ),
    parameters={
        "type": "object",
        "properties": {
            "replies": {
                "type": "array",
                "items": {"type": "string", "maxLength": REPLY_LENGTH},
                "minItems": 2,
                "maxItems": REPLIES,
                "description": "The answers, the likeliest first, a few words each.",
            }
        },
        "required": ["replies"],
        "additionalProperties": False,
    },
)
TOOLS: tuple[Tool, ...] = (SAVE_LEAD, HAND_OVER, OFFER_REPLIES)


@dataclass(frozen=True, slots=True)
class SaveLead:
    """Values for the lead, at least one; `refused` are the fields that can't be taken."""

    fields: dict[str, str]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOver:
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Quick replies, each one line."""

    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is done; `message` tells the model why."""

    message: str


Action = SaveLead | HandOver | Offer | Refused


def words(action: Action) -> Sequence[str]:
    """What of an action others get to read: staff in a lead, the visitor on buttons."""
    if isinstance(action, SaveLead):
        return tuple(action.fields.values())
    if isinstance(action, HandOver):
        return (action.reason,)
    return action.replies if isinstance(action, Offer) else ()


def parse(call: ToolCall, words: str, signed: Mapping[str, str] = NOTHING) -> Action:
    """What a call amounts to; `words` is everything the visitor wrote in this conversation.

    `signed` are fields that the company's website has signed: those need not be in the words.
    """
    if call.name not in {tool.name for tool in TOOLS}:
        return Refused("There is no such tool. Answer the visitor in words.")
    arguments = _arguments(call.arguments)
    if isinstance(arguments, Refused):
        return arguments
    if call.name == HAND_OVER.name:
        reason = arguments.get("reason")
        return HandOver(_cleaned(reason)[:REASON_LIMIT] if isinstance(reason, str) else "")
    if call.name == OFFER_REPLIES.name:
        return _offer(arguments.get("replies"))
    return _save_lead(arguments, words, signed)


def _offer(value: object) -> Offer | Refused:
    """What is no short line is left out; one button alone is no choice."""
    if not isinstance(value, list):
        value = []
    texts = [_cleaned(each) for each in value if isinstance(each, str)]
    fitting = [text for text in dict.fromkeys(texts) if text and len(text) <= REPLY_LENGTH]
    if len(fitting) < 2:
        return Refused("Not offered: give two to four answers of at most 80 characters.")
    return Offer(tuple(fitting[:REPLIES]))


def _arguments(written: str) -> dict[str, object] | Refused:
    if len(written) > ARGUMENTS_LIMIT:
        return Refused("The arguments are too long.")
    text = written.strip()
    if text.startswith("```"):
        text = text.removeprefix("```").removeprefix("json").removesuffix("```").strip()
    try:
        value = json.loads(text or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Refused("The arguments are not valid JSON.")
    if not isinstance(value, dict):
        return Refused("The arguments must be one JSON object.")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def _save_lead(
    arguments: dict[str, object], words: str, signed: Mapping[str, str]
) -> SaveLead | Refused:
    fields: dict[str, str] = {}
    refused: list[str] = []
    for name, limit in LIMITS.items():
        value = arguments.get(name)
        if value is None or value == "":
            continue
        text = _cleaned(value) if isinstance(value, str) else ""
        told = signed.get(name) == text or _TOLD[name](text, words)
        if text and len(text) <= limit and told:
            fields[name] = text
        else:
            refused.append(name)
    if fields:
        return SaveLead(fields, tuple(refused))
    if refused:
        return Refused(
            f"Not saved: {', '.join(refused)} must be what the visitor wrote. Ask the visitor."
        )
    return Refused("Not saved: no value was given. Ask the visitor.")


def _cleaned(text: str) -> str:
    """One line without control characters, overrides that turn it around, halves of characters
    and doubled spaces."""
    kept = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    kept = "".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cs"))
    kept = _OVERRIDES.sub("", kept)
    return " ".join(kept.split())


_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")

# --- Whether the visitor said it ------------------------------------------------------------------
_PHONE = re.compile(r"\+?[\d ()./-]+")
_NUMBER_RUN = re.compile(r"\d[\d \t\u00a0().,/'-]*")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+", _folded(text))


def _name_told(name: str, words: str) -> bool:
    """Each part of a name is a word of the visitor's."""
    if not any(c.isalpha() for c in name):
        return False
    told, folded = set(_tokens(words)), _folded(words)
    return all(
        part in told or (_UNSPACED.search(part) is not None and part in folded)
        for part in _tokens(name)
    )


def _company_told(company: str, words: str) -> bool:
    """A company's name stands in the words as a whole."""
    name = " ".join(_tokens(company))
    if _UNSPACED.search(name):
        return _folded(company) in _folded(words)
    return bool(name) and f" {name} " in f" {' '.join(_tokens(words))} "


def _email_told(email: str, words: str) -> bool:
    try:
        validate_email(email)
    except ValidationError:
        return False
    return _address_told(email, words)


def _address_told(address: str, words: str) -> bool:
    """It stands in the words, and not as a part of a longer address."""
    alone = rf"(?<![\w.+@-]){re.escape(_folded(address))}(?![\w@-])(?!\.\w)"
    return re.search(alone, _folded(words)) is not None


def _phone_told(phone: str, words: str) -> bool:
    """Its digits stand one after the other in the words, however they are grouped there."""
    digits = _digits(phone)
    if not _PHONE.fullmatch(phone) or not 6 <= len(digits) <= 15:
        return False
    return digits in _numbers(words, longest=15)


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(c)) for c in text if c.isdecimal())


def _numbers(text: str, longest: int) -> set[str]:
    """The numbers of a text, as digits: each group of digits, and neighbours taken together."""
    found: set[str] = set()
    for run in _NUMBER_RUN.findall(text):
        groups = [_digits(group) for group in re.findall(r"\d+", run)]
        for start in range(len(groups)):
            number = ""
            for group in groups[start : start + longest]:
                number += group
                if len(number) > longest:
                    break
                found.add(number)
    return found


def _note_told(note: str, words: str) -> bool:
    """A note may be the model's own words, but its numbers and addresses are the visitor's."""
    pieces = re.split(r"[\s<>(),;:\"]+", note)
    addresses = [piece.strip(".!?'*`") for piece in pieces if re.fullmatch(r".+@.+", piece)]
    if not all(_address_told(address, words) for address in addresses):
        return False
    told = _numbers(words, longest=40)
    return all(_run_told(run, told) for run in _NUMBER_RUN.findall(note))


def _run_told(run: str, told: set[str]) -> bool:
    """A run like `0171 23 45` is one number of the visitor's, or several."""
    groups = [_digits(group) for group in re.findall(r"\d+", run)]
    return "".join(groups) in told or all(group in told for group in groups)


_TOLD = {
    "name": _name_told,
    "email": _email_told,
    "phone": _phone_told,
    "company": _company_told,
    "note": _note_told,
}
