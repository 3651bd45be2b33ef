"""Erases a visitor: everything that is stored of them, and what their tokens open.

Synchronous and atomic; run again it changes nothing. Sockets, replies under way and caches are
seen to by `turns.erase`, which calls this.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chat import budgets
from chat.models import Conversation, Lead, Message, Visitor
from chat.privacy import Erasure
from voice import clips

_SALT = "chat.erasure"
_TRIES = 3  # a message that is stored at the same moment makes one fail


class Gone(Exception):
    """Whoever this is was erased after their token was issued."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How much there was; `site` is its public key."""

    site: str
    conversations: int
    messages: int
    leads: int

    def __str__(self) -> str:
        return f"{self.conversations} conversations, {self.messages} messages, {self.leads} leads"


def erase(visitor: uuid.UUID) -> Erased | None:
    """Deletes all rows of a visitor; None where nothing is stored of them."""
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                return _erase(visitor)
        except (IntegrityError, OperationalError):
            if not left or connection.in_atomic_block:
                raise
    raise AssertionError("unreachable")


def _erase(visitor: uuid.UUID) -> Erased | None:
    row = Visitor.objects.select_related("site").filter(id=visitor).first()
    if row is None:
        return None
    talks = Conversation.objects.filter(visitor=row)
    # Locked, and in one order, as whoever changes a conversation locks it first.
    ids = list(talks.order_by("id").select_for_update(of=("self",)).values_list("id", flat=True))
    leads = list(Lead.objects.filter(conversation__in=ids).values_list("id", flat=True))
    messages = list(Message.objects.filter(conversation__in=ids).values_list("id", flat=True))
    Erasure.objects.update_or_create(mark=_marks(visitor)[0], defaults={"at": timezone.now()})
    budgets.forget(visitor, since=row.created.date())
    unname({Visitor: [visitor], Conversation: ids, Lead: leads})
    clips.forget(messages)
    talks.delete()
    row.delete()
    return Erased(row.site.key, len(ids), len(messages), len(leads))


def unname(rows: dict[Any, Iterable[Any]]) -> None:
    """Takes from the admin's log what rows that go away were called: a lead by its name.

    That something was done to them, when and by whom, stays there.
    """
    for model, ids in rows.items():
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(model), object_id__in=map(str, ids)
        )
        entries.update(object_id="", object_repr=str(model._meta.verbose_name)[:200])


def gone(visitor: uuid.UUID, issued: int) -> bool:
    """Whether a token that was issued then, in Unix seconds, is of somebody erased since."""
    since = datetime.fromtimestamp(issued, UTC)
    return Erasure.objects.filter(mark__in=_marks(visitor), at__gte=since).exists()


def _marks(visitor: uuid.UUID) -> list[str]:
    """How an erased visitor is known again: by the key of now, or one that was in use before."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    made = (salted_hmac(_SALT, visitor.hex, secret=key, algorithm="sha256") for key in keys)
    return [mark.hexdigest()[:32] for mark in made]
