"""A conversation as lines to read: who spoke, when, and what a reply took."""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chat.models import CannedReply, Conversation, Message
from chat.staff import member_of
from voice.models import ClipUse

NEWEST = 500
CANNED = 100
BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")


@dataclass(frozen=True)
class Line:
    """One message, and what the template needs beyond its fields."""

    message: Message
    speaker: str
    words: str
    sources: list[tuple[str, str]]  # title, address or nothing
    earlier: list[str]
    details: list[str]  # who wrote it
    took: list[str]  # time, tokens and cost, for who asks for them
    tools: list[str]
    heard: bool  # its visitor listened to it, and the audio is kept


@dataclass(frozen=True)
class Transcript:
    lines: list[Line]
    cut: bool  # there are earlier messages than the newest that are shown
    replies: int
    cost: Decimal | None
    tokens: int


def transcript(conversation: Conversation) -> Transcript:
    """The newest messages, oldest first, in one query."""
    newest = (
        conversation.messages.select_related("persona_version__persona", "author")
        .defer("owner", "lease_until", "deadline")
        .order_by("-seq")[: NEWEST + 1]
    )
    found = list(newest)
    shown = found[:NEWEST][::-1]
    agents = (each.persona_version.agent_name for each in shown if each.persona_version)
    agent = next(agents, "") or _("Agent")
    heard = were_heard(shown)
    costs = [message.cost for message in shown if message.cost is not None]
    return Transcript(
        lines=[line(message, agent, message.pk in heard) for message in shown],
        cut=len(found) > NEWEST,
        replies=sum(message.role == Message.Role.AGENT for message in shown),
        cost=sum(costs, Decimal(0)) if costs else None,
        tokens=sum((each.input_tokens or 0) + (each.output_tokens or 0) for each in shown),
    )


def one_line(conversation: Conversation, seq: int) -> Line | None:
    """A single message, as it stands in the whole."""
    found = conversation.messages.select_related("persona_version__persona", "author")
    message = found.filter(seq=seq).first()
    return line(message, _("Agent")) if message else None


def were_heard(messages: Iterable[Message]) -> set[uuid.UUID]:
    uses = ClipUse.objects.filter(message__in=[each.pk for each in messages])
    return set(uses.values_list("message", flat=True))


def canned(user: Any, row: Conversation) -> list[tuple[str, str]]:
    """The replies that fit this conversation: title, and text with its gaps filled."""
    lead = getattr(row, "lead", None)
    version = row.site.persona.published
    told = {
        "{visitor}": (lead.name if lead else "") or row.visitor.name,
        "{me}": member_of(user).name,
        "{agent}": version.agent_name if version else "",
        "{company}": row.site.name,
    }
    found = CannedReply.objects.filter(Q(site=None) | Q(site=row.site_id))
    return [(each.title, _filled(each.text, told)) for each in found[:CANNED]]


def _filled(text: str, told: Mapping[str, str]) -> str:
    """What is not known leaves no gap: `Hello {visitor},` becomes `Hello,`."""
    for name, value in told.items():
        text = text.replace(name, value) if value else re.sub(rf" ?{re.escape(name)}", "", text)
    return text


def as_text(messages: Iterable[Message]) -> str:
    """The words alone, a line for each message."""
    return "\n".join(f"{each.get_role_display()}: {each.text}" for each in messages)


def line(message: Message, agent: str, heard: bool = False) -> Line:
    return Line(
        message=message,
        speaker=speaker(message, agent),
        words=emphasised(message.text) if message.role == Message.Role.AGENT else message.text,
        sources=[source(each) for each in _entries(message.sources)],
        earlier=[_text(each) for each in _entries(message.earlier)],
        details=[text for text in details(message) if text],
        took=list(took(message)),
        tools=[_tool(each) for each in _entries(message.tools)],
        heard=heard,
    )


def speaker(message: Message, agent: str) -> str:
    """`agent` is who spoke first: the greeting stands there before any version answers."""
    version = message.persona_version
    if message.role == Message.Role.AGENT:
        return version.agent_name if version else agent
    if message.role == Message.Role.STAFF:
        return message.name or (str(message.author) if message.author else _("Staff"))
    return _("Visitor") if message.role == Message.Role.VISITOR else _("Notice")


def emphasised(text: str) -> SafeString:
    """The agent's `**bold**` as the widget shows it; everything escaped."""
    parts = BOLD.split(text)
    pieces = (format_html("<strong>{}</strong>", p) if n % 2 else p for n, p in enumerate(parts))
    return format_html_join("", "{}", ((piece,) for piece in pieces))


def details(message: Message) -> Iterable[str]:
    """Who wrote a reply, in small print."""
    if message.persona_version:
        yield str(message.persona_version)
    yield " · ".join(part for part in (message.backend, message.model) if part)
    if message.attempt > 1:
        yield _("attempt %(number)s") % {"number": message.attempt}


def took(message: Message) -> Iterable[str]:
    """What it took."""
    if message.first_word_ms is not None:
        yield _("first word %(time)s") % {"time": duration(message.first_word_ms)}
    if message.duration_ms is not None:
        yield _("whole reply %(time)s") % {"time": duration(message.duration_ms)}
    if message.input_tokens is not None or message.output_tokens is not None:
        tokens = f"{message.input_tokens or 0:,} + {message.output_tokens or 0:,}"
        yield _("%(tokens)s tokens") % {"tokens": tokens}
    if message.cached_tokens:
        yield _("%(tokens)s cached") % {"tokens": f"{message.cached_tokens:,}"}
    if message.cost is not None:
        yield f"${message.cost:.6f}".rstrip("0").rstrip(".")


def duration(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def source(entry: Any) -> tuple[str, str]:
    """Title and address; the address only where a click on it is harmless."""
    if not isinstance(entry, dict):
        return _text(entry), ""
    url = str(entry.get("url") or "")
    title = str(entry.get("title") or url)
    return title, url if is_web_address(url) else ""


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(entry: Any) -> str:
    return str(entry.get("text", "")) if isinstance(entry, dict) else str(entry)


def _tool(entry: Any) -> str:
    return str(entry.get("name", "?")) if isinstance(entry, dict) else str(entry)
