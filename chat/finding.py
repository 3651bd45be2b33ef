"""Finds conversations by words: of a message, a lead, a visitor, or an id."""

import uuid
from collections.abc import Sequence

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import Q, QuerySet

from chat.models import Conversation, Lead, Message, Visitor

MOST = 1000  # conversations of one word: the search stays as fast with a million messages
_TOLD = ("name", "email", "phone", "company")


def mentioning(rows: QuerySet[Conversation], words: Sequence[str]) -> QuerySet[Conversation]:
    """Of `rows` those in which each of `words` stands, or whose lead, visitor or id it names."""
    if not words:
        return rows
    return rows.filter(pk__in=set.intersection(*map(_found, words)))


def _found(word: str) -> set[uuid.UUID]:
    """Asked for one by one: each finds its index, and together none would."""
    leads = Lead.objects.filter(_any(_TOLD, word))
    signed = Q(external_id=word) | _any(("name", "email"), word)
    ids = _begins(word)
    visitors = Visitor.objects.filter(signed | ids if ids else signed).order_by()
    theirs = Conversation.objects.filter(
        visitor__in=list(visitors.values_list("pk", flat=True)[:MOST])
    )
    named = Conversation.objects.filter(ids) if ids else Conversation.objects.none()
    return {
        *_saying(word).order_by().values_list("conversation_id", flat=True)[:MOST],
        *leads.order_by().values_list("conversation_id", flat=True)[:MOST],
        *theirs.order_by().values_list("pk", flat=True)[:MOST],
        *named.order_by().values_list("pk", flat=True)[:MOST],
    }


def _saying(word: str) -> QuerySet[Message]:
    """In PostgreSQL by the index of words, the last of them by its beginning; else plainly."""
    plain = Message.objects.filter(text__icontains=word)
    if connection.vendor != "postgresql":
        return plain
    parts = ["".join(filter(str.isalnum, part)) for part in word.split()]
    parts = [part for part in parts if part]
    asked = SearchQuery(word, config="simple", search_type="plain")
    if parts:
        beginning = " & ".join([*parts[:-1], f"{parts[-1]}:*"])
        asked |= SearchQuery(beginning, config="simple", search_type="raw")
    found = Message.objects.annotate(found=SearchVector("text", config="simple"))
    found = found.filter(found=asked)
    if len(parts) < 2:
        return found
    # Where words stand beside each other no index knows: looked at in so many that hold them all.
    return plain.filter(pk__in=list(found.order_by().values_list("pk", flat=True)[:MOST]))


def _any(fields: Sequence[str], word: str) -> Q:
    either = Q()
    for field in fields:
        either |= Q(**{f"{field}__icontains": word})
    return either


def _begins(word: str) -> Q | None:
    """Ids that begin with `word`, as a range that an index knows; None where it begins none."""
    digits = word.replace("-", "").lower()
    if not 4 <= len(digits) <= 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    low, high = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    return Q(pk__gte=low, pk__lte=high)
