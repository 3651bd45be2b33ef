"""The tools a model may use, and what its calls amount to. Pure: a call in, an action out.

A model invents, and a visitor may tell it to. So nothing is taken that the visitor did not say:
the values of a lead must occur in the visitor's own words. Whatever a call looks like, `parse`
answers it, with a sentence for the model where it can't be done.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from chat.evidence import told
from chat.llm import Tool, ToolCall

ARGUMENTS_LIMIT = 16 * 1024  # characters; a whole lead fits ten times
REASON_LIMIT = 300
REPLIES = 4  # quick replies at the most
REPLY_LENGTH = 80  # characters of one
NOTHING: Mapping[str, str] = MappingProxyType({})
LIMITS = {
    "name": 120,
    "email": 254,
    "phone": 40,
    "company": 120,
    "need": 300,
    "budget": 300,
    "authority": 300,
    "timing": 300,
    "note": 1000,
}
_COPIED = "copied word for word from one of the visitor's messages"

SAVE_LEAD = Tool(
    name="save_lead",
    description=(
        "Save what the visitor has told about themselves, so that sales can get in touch. Call it "
        "as soon as the visitor gives a name, e-mail address, phone number or company, and again "
        "when they say what they need, what it may cost, who decides or by when. Use only "
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
            "need": {"type": "string", "description": f"What they need, {_COPIED}."},
            "budget": {"type": "string", "description": f"What it may cost, {_COPIED}."},
            "authority": {"type": "string", "description": f"Who decides, {_COPIED}."},
            "timing": {"type": "string", "description": f"By when, {_COPIED}."},
            "note": {
                "type": "string",
                "description": "What else helps the team, in one or two sentences of yours.",
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


def allowed(off: Collection[str] = ()) -> tuple[Tool, ...]:
    """The tools but for those that are `off`, by name."""
    return tuple(tool for tool in TOOLS if tool.name not in off)


def words(action: Action) -> Sequence[str]:
    """What of an action others get to read: staff in a lead, the visitor on buttons."""
    if isinstance(action, SaveLead):
        return tuple(action.fields.values())
    if isinstance(action, HandOver):
        return (action.reason,)
    return action.replies if isinstance(action, Offer) else ()


def parse(
    call: ToolCall,
    words: str,
    signed: Mapping[str, str] = NOTHING,
    off: Collection[str] = (),
) -> Action:
    """What a call amounts to; `words` is everything the visitor wrote in this conversation.

    `signed` are fields that the company's website has signed: those need not be in the words.
    Tools that are `off`, by name, count as none.
    """
    if call.name not in {tool.name for tool in allowed(off)}:
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
        known = signed.get(name) == text or told(name, text, words)
        if text and len(text) <= limit and known:
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
