"""Finds conversations by words: of a message, a lead, a visitor, or an id."""

import uuid
from collections.abc import Sequence
from itertools import chain
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from chat.models import Conversation, Lead, Message, Visitor

MOST = 500  # conversations of the first word: the search stays as fast with a million messages
_TOLD = ("name", "email", "phone", "company")


def mentioning(rows: QuerySet[Conversation], words: Sequence[str]) -> QuerySet[Conversation]:
    """Of `rows` those in which each of `words` stands, or whose lead, visitor or id it names."""
    if not words:
        return rows
    # The longest is the rarest, as a rule; the others are looked for in what it finds.
    first, *others = sorted(words, key=len, reverse=True)
    found = _found(first)
    return rows.filter(pk__in=_narrowed(found, others) if found and others else found)


def _found(word: str) -> set[uuid.UUID]:
    """Asked for one by one: each finds its index, and together none would."""
    leads = Lead.objects.filter(_any(_TOLD, word))
    # Only who is signed in has a name, and of these there is an index.
    signed = Visitor.objects.exclude(external_id="")
    signed = signed.filter(Q(external_id=word) | _any(("name", "email"), word)).order_by()
    theirs = Q(visitor__in=list(signed.values_list("pk", flat=True)[:MOST]))
    named = [theirs, _begins("visitor", word), _begins("pk", word)]
    return {
        *_some(_saying(word), "conversation"),
        *_some(leads, "conversation"),
        *chain.from_iterable(_some(Conversation.objects.filter(it), "pk") for it in named if it),
    }


def _some(rows: QuerySet[Any], field: str) -> QuerySet[Any]:
    return rows.order_by().values_list(field, flat=True)[:MOST]


def _narrowed(found: set[uuid.UUID], words: Sequence[str]) -> set[uuid.UUID]:
    """Of the conversations found so far those that mention each of `words` as well."""
    # "Up to the last" says nothing of a message, but it keeps PostgreSQL from making a hash of the
    # whole table, where it has to look at the messages of some hundred conversations.
    theirs = Message.objects.filter(conversation=OuterRef("pk"), seq__lte=OuterRef("last_seq"))
    rows = Conversation.objects.filter(pk__in=found).order_by()
    for word in words:
        named = Q(visitor__external_id=word) | _any(("visitor__name", "visitor__email"), word)
        named |= _any([f"lead__{field}" for field in _TOLD], word)
        for field in ("visitor", "pk"):
            named |= _begins(field, word) or Q(pk__in=[])
        rows = rows.filter(named | Exists(theirs.filter(text__icontains=word)))
    return {*rows.values_list("pk", flat=True)}


def _saying(word: str) -> QuerySet[Message]:
    """In PostgreSQL by the index of words, the last of them by its beginning; else plainly."""
    plain = Message.objects.filter(text__icontains=word)
    if connection.vendor != "postgresql":
        return plain
    parts = ["".join(filter(str.isalnum, part)) for part in word.split()]
    parts = [part for part in parts if part]
    asked = SearchQuery(word, config="simple", search_type="plain")
    if parts and _tells(parts[-1]):
        beginning = " & ".join([*parts[:-1], f"{parts[-1]}:*"])
        begun = SearchQuery(beginning, config="simple", search_type="raw")
        # Where no sign was dropped the beginning finds all that the whole would.
        asked = begun if "".join(parts) == "".join(word.split()) else asked | begun
    found = Message.objects.annotate(found=SearchVector("text", config="simple"))
    found = found.filter(found=asked)
    if len(parts) < 2:
        return found
    # Where words stand beside each other no index knows: looked at in so many that hold them all.
    return plain.filter(pk__in=list(found.order_by().values_list("pk", flat=True)[:MOST]))


def _tells(beginning: str) -> bool:
    """Whether few enough words begin so: not with one or two letters of an alphabet."""
    return len(beginning) > 2 or not beginning.isascii()


def _any(fields: Sequence[str], word: str) -> Q:
    either = Q()
    for field in fields:
        either |= Q(**{f"{field}__icontains": word})
    return either


def _begins(field: str, word: str) -> Q | None:
    """Ids that begin with `word`, as a range that an index knows; None where it begins none."""
    digits = word.replace("-", "").lower()
    if not 4 <= len(digits) <= 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    low, high = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    return Q(**{f"{field}__gte": low, f"{field}__lte": high})
