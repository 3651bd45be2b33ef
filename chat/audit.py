"""Lines in the admin's log of what staff did to a conversation, or that they read it.

By number and never by name: the log outlives whoever is erased.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from chat.models import Conversation

OPENED = "Opened"
AGAIN = timedelta(hours=1)  # a page that reloads by itself is no further reading


def note(user: Any, conversation: uuid.UUID, what: str) -> None:
    """`user` is the key of a login."""
    LogEntry.objects.create(
        user_id=user,
        content_type=ContentType.objects.get_for_model(Conversation),
        object_id=str(conversation),
        object_repr=f"conversation {conversation}",
        action_flag=CHANGE,
        change_message=what,
    )


def opened(user: Any, conversation: uuid.UUID) -> None:
    """`user` watches it; the page they do so from has said that it was opened."""
    known = LogEntry.objects.filter(
        user_id=user,
        content_type=ContentType.objects.get_for_model(Conversation),
        object_id=str(conversation),
        change_message=OPENED,
        action_time__gte=timezone.now() - AGAIN,
    )
    if not known.exists():
        note(user, conversation, OPENED)
