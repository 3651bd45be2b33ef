"""What visitors asked and the agent could not answer well, gathered by meaning. Only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db.models import Q
from django.utils import timezone

from chat.models import Conversation, Message, Site
from knowledge.gather import gather, named
from knowledge.words import telling

TALKS = 400  # the newest conversations that are looked at ...
DAYS = 60  # ... if they are not older
QUESTIONS = 120  # out of them
GROUPS = 20
WORDS = 2  # that tell something: fewer are small talk
Why = Literal["rated", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what was wrong with its answer."""

    reply: Message
    text: str
    why: Why

    @property
    def conversation(self) -> Conversation:
        return self.reply.conversation


@dataclass(frozen=True, slots=True)
class Gap:
    """Questions for the same; `answered`: by now an entry is named so."""

    site: Site
    asked: Sequence[Asked]
    answered: bool

    @property
    def first(self) -> Asked:
        return self.asked[0]

    @property
    def others(self) -> list[str]:
        """Other ways to ask it, each once."""
        first = self.first.text
        return [text for text in dict.fromkeys(a.text for a in self.asked) if text != first]


def gaps(site: Site) -> list[Gap]:
    """The open questions of a site, those asked most often first; constant in its queries."""
    asked = _asked(site)
    groups = gather([each.text for each in asked])[:GROUPS]
    found = [[asked[number] for number in group] for group in groups]
    done = named(site.collection_id, [group[0].text for group in found])
    return [Gap(site, group, answered=group[0].text in done) for group in found]


def _asked(site: Site) -> list[Asked]:
    since = timezone.now() - timedelta(days=DAYS)
    newest = Conversation.objects.filter(site=site, updated__gte=since).order_by("-updated")
    unknown = Q(state=Message.State.COMPLETE, sources=[])
    bad = Q(feedback=-1) | Q(state=Message.State.FAILED) | unknown
    rows = Message.objects.filter(
        bad, role=Message.Role.AGENT, conversation__in=newest.values("pk")[:TALKS]
    ).exclude(reply_to=None)
    rows = rows.select_related("reply_to", "conversation").order_by("-created")
    found = [Asked(row, one_line(row), _why(row)) for row in rows[: 3 * QUESTIONS]]
    return [each for each in found if _counts(each)][:QUESTIONS]


def one_line(reply: Message) -> str:
    return " ".join(reply.reply_to.text.split())[:300] if reply.reply_to else ""


def _why(reply: Message) -> Why:
    if reply.feedback == -1:
        return "rated"
    return "failed" if reply.state == Message.State.FAILED else "unknown"


def _counts(asked: Asked) -> bool:
    """Whether it asks for something: not where a lead was left or a person was called."""
    if asked.why == "unknown" and (asked.reply.tools or asked.reply.feedback == 1):
        return False
    return len(set(telling(asked.text))) >= WORDS
