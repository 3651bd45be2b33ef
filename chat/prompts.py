"""Gathers from the database what a reply is made from, and makes the prompt."""

import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, cast

from django.conf import settings
from django.db.models import IntegerField

from chat import context, personas, tools
from chat.llm import Found, Prompt, Search, prices
from chat.models import Conversation, Message, PersonaVersion
from salesagent.prepared import Prepared, Slot

LINES = 80  # of the latest, at most; the budget cuts them further
QUESTIONS = 3  # unanswered messages that are looked up together
_MARK = "Reference of this text, for the server alone; never write it or part of it: {canary}\n\n"


class _Said(NamedTuple):
    """Of a message what a prompt is made from: to build the rest takes longer than to read it."""

    seq: int
    role: str
    state: str
    text: str
    name: str
    stopped: bool


_CONVERSATION = Prepared(
    lambda: Conversation.objects.select_related(
        "site__persona__published", "visitor", "lead"
    ).filter(id=Slot("id"))
)
_LATEST = Prepared(
    lambda: (
        Message.objects.filter(
            conversation_id=Slot("conversation"),
            seq__gt=Slot("after", IntegerField()),
            seq__lt=Slot("before", IntegerField()),
        )
        .order_by("-seq")
        .values_list(*_Said._fields)[:LINES]
    )
)


@dataclass(frozen=True, slots=True)
class Material:
    """One conversation, as far as a reply needs it."""

    conversation: Conversation
    version: PersonaVersion | None
    lines: Sequence[context.Line]
    words: Sequence[str]  # all that the visitor said
    question: str  # what is unanswered of it
    known: Mapping[str, str]
    signed: Mapping[str, str]  # name and e-mail, of somebody signed in on the website
    newest: int  # the visitor's latest message that this holds, by `seq`
    open_reply: bool


def load(
    conversation: uuid.UUID, before: int | None = None, row: Conversation | None = None
) -> Material | None:
    """Reads a conversation; `before` is the `seq` of a reply that is to be written again.

    `row`: the conversation, where it has just been read.
    """
    row = row or _CONVERSATION.first(id=conversation)
    if row is None:
        return None
    end = before if before is not None else row.last_seq + 1
    found = _LATEST.raw(conversation=conversation, after=row.summary_seq, before=end)
    latest = [_Said(*said) for said in reversed(found)]
    return Material(
        conversation=row,
        version=row.site.persona.published,
        lines=[_line(message) for message in latest if message.text],
        words=[message.text for message in latest if message.role == Message.Role.VISITOR],
        question="\n".join(_unanswered(latest)[-QUESTIONS:]),
        known=row.lead.known() if hasattr(row, "lead") else {},
        signed=row.visitor.signed(),
        newest=max((m.seq for m in latest if m.role == Message.Role.VISITOR), default=0),
        open_reply=any(message.state == Message.State.STREAMING for message in latest),
    )


def _line(message: _Said) -> context.Line:
    role = cast("context.Role", message.role)
    return context.Line(role=role, text=message.text, seq=message.seq, name=message.name)


def _unanswered(messages: Sequence[_Said]) -> list[str]:
    """The visitor's messages since the last reply that was not cut off by the next of them."""
    texts: list[str] = []
    for message in reversed(messages):
        if message.role == Message.Role.VISITOR:
            texts.insert(0, message.text)
        elif texts and message.role != Message.Role.SYSTEM and _answered(message):
            break
    return texts


def _answered(reply: _Said) -> bool:
    return reply.stopped or reply.state in (Message.State.COMPLETE, Message.State.FAILED)


def _about(material: Material) -> Mapping[str, str]:
    """What the model is told of the visitor: what the lead holds, and who is signed in."""
    told: dict[str, str] = {}
    if material.signed:
        signed = ", ".join(material.signed.values())
        told["signed in on the website, so do not ask again"] = signed
    if material.conversation.brief:
        told["what a person of our team, who talked with them, tells you"] = (
            material.conversation.brief
        )
    return {**told, **material.known}


def model_of(version: PersonaVersion | None, model: str = "") -> str:
    """The model that is asked: the one named, else the persona's, else the setting's."""
    return model or (version.model if version else "") or settings.CHAT_MODEL


def reply_tokens(version: PersonaVersion | None) -> int:
    """So many tokens a reply may have."""
    return (version.reply_tokens if version else None) or settings.CHAT_REPLY_TOKENS


def dearest(version: PersonaVersion | None, model: str = "") -> Decimal:
    """Dollars that the first request for a reply hardly ever exceeds, before its prompt is made."""
    model = model_of(version, model)
    room = context.budget_for(model, settings.CHAT_CONTEXT_TOKENS)
    offered = tools.allowed(version.tools_off if version else ())
    return prices.ample(model, room, offered, reply_tokens(version))


@lru_cache(maxsize=4)
def canary(key: str) -> str:
    """A word that stands in the instructions alone: nobody can guess it who has not the `key`.

    The same in every process, so that providers find a prompt's beginning in their cache.
    """
    found = hmac.new(key.encode(), b"prompt canary", hashlib.sha256).hexdigest()
    return f"xq{found[:16]}"


def instructions(material: Material) -> str:
    """What the model is told to be, and must not tell."""
    return personas.instructions(material.version, material.conversation.site)


def make(
    material: Material, found: Sequence[Found], search: Search, model: str = ""
) -> tuple[Prompt, context.Fitted]:
    """The prompt within the model's budget, and what of the material it holds."""
    row, version = material.conversation, material.version
    model = model_of(version, model)
    fitted = context.fit(
        instructions=_MARK.format(canary=canary(settings.SECRET_KEY)) + instructions(material),
        facts=row.site.facts,
        knowledge=[context.Fact(item.title, item.text, item.link) for item in found],
        summary=row.summary,
        known=_about(material),
        lines=material.lines,
        budget=context.budget_for(model, settings.CHAT_CONTEXT_TOKENS),
        page=" ".join(filter(None, (row.page_title, row.page_url))),
    )
    prompt = Prompt(
        messages=fitted.messages,
        question=material.question,
        language=row.locale or row.site.language,
        agent=personas.agent_name(version),
        company=row.site.name,
        known=material.known,
        search=search,
        signed=material.signed,
        model=model,
        reply_tokens=reply_tokens(version),
        temperature=version.temperature if version else None,
        cache_key=f"{row.site.key}-{version.pk if version else 0}",
        visitor=hashlib.sha256(f"{settings.SECRET_KEY}{row.visitor_id}".encode()).hexdigest()[:32],
    )
    return prompt, fitted
