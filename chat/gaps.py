"""What visitors asked and the agent could not answer well, gathered by meaning.

What staff set aside is gathered no more: it was no question, or not one for the agent.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import compress
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from chat import audit
from chat.models import Conversation, Message, SetAside, Site
from knowledge.gather import gather, named, names
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
    asked = _asked(Conversation.objects.filter(site=site))
    groups = gather([each.text for each in asked])[:GROUPS]
    found = [[asked[number] for number in group] for group in groups]
    done = named(site.collection_id, [group[0].text for group in found])
    return [Gap(site, group, answered=group[0].text in done) for group in found]


@transaction.atomic
def set_aside(replies: QuerySet[Message], user: AbstractBaseUser | AnonymousUser) -> int:
    """Leaves alone what these replies did not answer; so many were not yet."""
    rows = list(replies.filter(role=Message.Role.AGENT, set_aside=None).exclude(reply_to=None))
    made = [SetAside(reply=row, by_id=user.pk) for row in rows]
    SetAside.objects.bulk_create(made, ignore_conflicts=True)
    for row in rows:
        audit.note(user.pk, row.conversation_id, f"Question {row.seq} set aside")
    return len(rows)


@transaction.atomic
def bring_back(replies: QuerySet[Message], user: AbstractBaseUser | AnonymousUser) -> int:
    rows = list(replies.exclude(set_aside=None))
    SetAside.objects.filter(reply__in=rows).delete()
    for row in rows:
        audit.note(user.pk, row.conversation_id, f"Question {row.seq} brought back")
    return len(rows)


def left_alone(site: Site) -> QuerySet[SetAside]:
    """What was set aside, the latest first."""
    rows = SetAside.objects.filter(reply__conversation__site=site)
    return rows.select_related("reply__reply_to", "by").order_by("-created")


def open_questions(talks: QuerySet[Conversation]) -> list[tuple[Site, int]]:
    """How many questions of these conversations wait for an answer, by site, the most first.

    Those that an entry is named after by now are none; constant in its queries.
    """
    rows = _badly_answered(talks)
    told = ("conversation__site", "reply_to__text", "state", "feedback", "tools")
    asked = [
        (site, words)
        for site, text, *answer in rows.values_list(*told)[: 3 * QUESTIONS]
        if _counts(words := tuple(telling(_one_line(text))), *answer)
    ][:QUESTIONS]
    sites = Site.objects.in_bulk({site for site, _words in asked})
    since = timezone.now() - timedelta(days=DAYS)
    answers = names({site.collection_id for site in sites.values()}, since)
    waiting = [
        sites[site] for site, words in asked if (sites[site].collection_id, words) not in answers
    ]
    return Counter(waiting).most_common()


def _asked(talks: QuerySet[Conversation]) -> list[Asked]:
    rows = _badly_answered(talks).select_related("reply_to", "conversation")
    found = [Asked(row, one_line(row), _why(row)) for row in rows[: 3 * QUESTIONS]]
    asks = (
        _counts(telling(each.text), each.reply.state, each.reply.feedback, each.reply.tools)
        for each in found
    )
    return list(compress(found, asks))[:QUESTIONS]


def _badly_answered(talks: QuerySet[Conversation]) -> QuerySet[Message]:
    """The replies that somebody may have to look at, the newest first."""
    since = timezone.now() - timedelta(days=DAYS)
    newest = talks.filter(updated__gte=since).order_by("-updated")
    unknown = Q(state=Message.State.COMPLETE, sources=[])
    bad = Q(feedback=-1) | Q(state=Message.State.FAILED) | unknown
    rows = Message.objects.filter(
        bad, role=Message.Role.AGENT, conversation__in=newest.values("pk")[:TALKS]
    )
    return rows.exclude(reply_to=None).filter(set_aside=None).order_by("-created")


def one_line(reply: Message) -> str:
    return _one_line(reply.reply_to.text) if reply.reply_to else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _why(reply: Message) -> Why:
    if reply.feedback == -1:
        return "rated"
    return "failed" if reply.state == Message.State.FAILED else "unknown"


def _counts(words: Sequence[str], state: str, feedback: int | None, tools: Sequence[Any]) -> bool:
    """Whether it asks for something: not where a lead was left or a person was called."""
    well = state != Message.State.FAILED and feedback != -1 and (tools or feedback == 1)
    return not well and len(set(words)) >= WORDS
