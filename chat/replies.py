"""The life of a reply's row: claimed, saved, finished, taken over, asked for again.

One process owns an open reply, by a lease that it renews. All of this is synchronous and atomic;
what a function returns has been committed.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, F, QuerySet, Value
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.conversations import Claim, Opens, Refused, close, keep, lock, message_of
from chat.languages import spoken
from chat.models import Conversation, Message
from salesagent.prepared import Counting, Prepared, Slot


@dataclass(frozen=True, slots=True)
class Open:
    """A reply that is open, and who writes it."""

    reply: uuid.UUID
    attempt: int
    owner: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The text so far of an open reply."""

    reply: uuid.UUID
    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A reply has ended. `awaits`: the visitor has said more, and nobody answers it yet."""

    conversation: Conversation
    changed: Sequence[Message]
    awaits: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended, and what it took."""

    state: Message.State
    text: str
    error: str = ""  # a code for the client, with `failed`
    sources: Sequence[dict[str, str]] = ()
    replies: Sequence[str] = ()  # quick replies, offered with the finished message
    figures: dict[str, Any] = field(default_factory=dict)  # columns of Message


_COUNTED = Counting(Conversation, "rev", updated=Slot("now", DateTimeField()))
_OPEN = Prepared(lambda: Message.objects.open().filter(conversation_id=Slot("conversation")))
_QUESTION = Prepared(
    lambda: Message.objects.filter(
        conversation_id=Slot("conversation"), role=Message.Role.VISITOR
    ).order_by("-seq")[:1]
)


def language_of(conversation: Conversation) -> str:
    """The visitor's language, or else the site's, if we speak it."""
    return spoken(conversation.locale, conversation.site.language)


def claim(
    conversation: uuid.UUID, owner: str, writing: Sequence[uuid.UUID] = ()
) -> Claim | Open | None:
    """Opens the reply to whatever the visitor has said since the last one.

    `Open`: another reply is, and its writer has to end it first; `writing` are the replies that
    this owner does write. None: nothing waits for a reply, or a person has taken over.
    """
    with transaction.atomic():
        row = lock(conversation)
        now = timezone.now()
        if row.state != Conversation.State.OPEN or row.awaiting_since is None:
            return None
        ended = []
        open_reply = _OPEN.first(conversation=conversation)
        if open_reply is not None:
            forgotten = open_reply.owner == owner and open_reply.id not in writing
            if open_reply.lease_until and open_reply.lease_until > now and not forgotten:
                return Open(open_reply.id, open_reply.attempt, open_reply.owner)
            ended.append(end_orphan(row, open_reply))
        question = _QUESTION.first(conversation=conversation)
        reply = row.add(**_opened(row, question, owner, since=row.awaiting_since))
        row.awaiting_since = None
        keep(row, "awaiting_since")
        return Claim(row, reply, question.seq if question else 0, ended)


def opens(owner: str) -> Opens:
    """For `conversations.receive`: the reply opens in the transaction that stores the question."""

    def columns(row: Conversation, question: Message) -> dict[str, Any]:
        return _opened(row, question, owner, since=question.created)

    return columns


def _opened(
    row: Conversation, question: Message | None, owner: str, *, since: datetime
) -> dict[str, Any]:
    """The columns of a reply that the visitor waits for since then."""
    now = timezone.now()
    # After an outage the time is long over; then the visitor gets half of it from now.
    deadline = max(
        since + timedelta(seconds=settings.CHAT_REPLY_DEADLINE),
        now + timedelta(seconds=settings.CHAT_REPLY_DEADLINE / 2),
    )
    return {
        "role": Message.Role.AGENT,
        "state": Message.State.STREAMING,
        "reply_to": question,
        "owner": owner,
        "lease_until": _lease(now, deadline),
        "deadline": deadline,
        "persona_version_id": row.site.persona.published_id,
    }


def take_over(reply: uuid.UUID, owner: str) -> Claim | Finished | None:
    """Goes on with a reply whose writer is gone: one attempt higher, from the start.

    Ends it instead where nobody waits for it any more; None where somebody else was faster.
    """
    found = Message.objects.filter(id=reply).values_list("conversation_id", flat=True).first()
    if found is None:
        return None
    with transaction.atomic():
        row = lock(found)
        now = timezone.now()
        message = Message.objects.open().filter(id=reply, lease_until__lt=now).first()
        if message is None:
            return None
        if message.stopped or row.state != "open" or row.awaiting_since is not None:
            ended = end_orphan(row, message)
            keep(row)
            return Finished(row, [ended], awaits=row.awaiting_since is not None)
        if message.deadline and message.deadline <= now:
            row.change(
                message,
                state=Message.State.FAILED,
                attempt=message.attempt + 1,
                lease_until=None,
                **failure("try_again", language_of(row)),
            )
            keep(row)
            return Finished(row, [message], awaits=False)
        row.change(
            message,
            text="",
            sources=[],
            replies=[],
            attempt=message.attempt + 1,
            owner=owner,
            lease_until=_lease(now, message.deadline),
            persona_version_id=row.site.persona.published_id,
        )
        keep(row)
        return Claim(row, message, _question_seq(message))


def _question_seq(reply: Message) -> int:
    return reply.reply_to.seq if reply.reply_to else 0


def end_orphan(row: Conversation, reply: Message) -> Message:
    """Ends a reply whose writer is gone, with the text that was saved.

    More may have been shown than was saved, so it becomes an attempt of its own.
    """
    return row.change(
        reply, state=Message.State.INTERRUPTED, attempt=reply.attempt + 1, lease_until=None
    )


def save(*, reply: uuid.UUID, attempt: int, owner: str, text: str) -> bool:
    """Keeps the text so far; raises no `rev`. False: the reply is no longer this process's."""
    return not save_all([Draft(reply, attempt, text)], owner)


_SAVE = "UPDATE {table} SET text = %s WHERE id = %s AND attempt = %s AND owner = %s AND state = %s"


@transaction.atomic
def save_all(drafts: Sequence[Draft], owner: str) -> list[Draft]:
    """Keeps the texts so far of many replies, as `save` does; those no longer this process's."""
    id = Message._meta.pk
    in_order = sorted(drafts, key=lambda draft: draft.reply)
    rows = [
        (one.text, id.get_db_prep_value(one.reply, connection), one.attempt, owner, "streaming")
        for one in in_order
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE.format(table=Message._meta.db_table), rows)
        if cursor.rowcount == len(rows):
            return []
    mine = Message.objects.open().filter(id__in=[one.reply for one in drafts], owner=owner)
    kept = set(mine.values_list("id", "attempt"))
    return [one for one in in_order if (one.reply, one.attempt) not in kept]


@transaction.atomic
def renew(replies: Sequence[uuid.UUID], owner: str) -> None:
    """Keeps them for this process; those past their deadline fall to whoever looks next."""
    now = timezone.now()
    mine = Message.objects.open().filter(id__in=replies, owner=owner, deadline__gt=now)
    # Locked in the order of `save_all`: the two never wait for each other.
    held = list(mine.select_for_update().order_by("id").values_list("id", flat=True))
    Message.objects.filter(id__in=held).update(
        lease_until=Least(Value(_lease(now)), F("deadline") + _grace())
    )


def release(replies: Sequence[uuid.UUID], owner: str) -> None:
    """This process stops: others may take its open replies over at once."""
    mine = Message.objects.open().filter(id__in=replies, owner=owner)
    mine.update(lease_until=timezone.now() - timedelta(seconds=1))


def finish(claim: Claim, owner: str, outcome: Outcome) -> Finished | None:
    """Ends an open reply of this process; None where it is no longer its own.

    It is not read again: of what clients see nobody else changes anything of an open reply.
    """
    with transaction.atomic():
        row = _COUNTED.first(pk=claim.conversation.id, now=timezone.now())  # and locked
        if row is None:  # erased meanwhile
            return None
        row.site = claim.conversation.site  # which is known
        state, error, quick = outcome.state, outcome.error, list(outcome.replies)
        if row.state == Conversation.State.HUMAN:  # a person has taken over meanwhile
            state, error, quick = Message.State.INTERRUPTED, "", []
        figures = dict(outcome.figures)
        if claim.reply.cost is not None and figures.get("cost") is not None:
            figures["cost"] += claim.reply.cost  # of earlier attempts
        elif figures.get("cost") is None:
            figures.pop("cost", None)
        if error:
            figures |= failure(error, language_of(row))
        mine = {"state": Message.State.STREAMING, "attempt": claim.reply.attempt, "owner": owner}
        message = row.changed_where(
            mine,
            claim.reply,
            state=state,
            text=outcome.text,
            sources=list(outcome.sources),
            replies=quick,
            lease_until=None,
            **figures,
        )
        if message is None:
            transaction.set_rollback(True)
            return None
        return Finished(row, [message], awaits=row.awaiting_since is not None)


def failure(code: str, language: str) -> dict[str, str]:
    """The columns that say in words, on a failed reply, what went wrong."""
    with override(language):
        if code == "busy":
            words = _("Many people are chatting right now. Please try again in a moment.")
        elif code == "try_again":
            words = _("I could not answer in time. Please try again.")
        elif code == "budget_spent":
            words = _("I had to stop in the middle. Please ask again.")
        else:
            words = _("Something went wrong while I was writing. Please try again.")
    return {"error_code": code, "error_text": words}


def regenerate(*, conversation: uuid.UUID, message: str, attempt: int, owner: str) -> Claim | None:
    """Opens the last reply again, one attempt higher; None where that has been done already."""
    message_of(conversation, message)  # not there: the same answer without a lock
    with transaction.atomic():
        row = lock(conversation)
        found = message_of(conversation, message)
        last = row.messages.filter(role=Message.Role.AGENT, reply_to__isnull=False).last()
        if last is None or found.id != last.id or row.state != Conversation.State.OPEN:
            raise Refused("not_allowed", _("Only the last answer can be asked for again."))
        if attempt < found.attempt:
            return None
        if attempt > found.attempt:
            raise Refused("not_allowed", _("There is no such attempt."))
        if found.state == Message.State.STREAMING or row.awaiting_since is not None:
            raise Refused("busy", _("An answer is being written."), final=False)
        now = timezone.now()
        deadline = now + timedelta(seconds=settings.CHAT_REPLY_DEADLINE)
        earlier = {"attempt": found.attempt, "state": found.state, "text": found.text}
        row.change(
            found,
            text="",
            state=Message.State.STREAMING,
            attempt=found.attempt + 1,
            earlier=[*found.earlier, earlier],
            sources=[],
            replies=[],
            feedback=None,
            feedback_comment="",
            stopped=False,
            error_code="",
            error_text="",
            owner=owner,
            lease_until=_lease(now, deadline),
            deadline=deadline,
            persona_version_id=row.site.persona.published_id,
        )
        keep(row)
        return Claim(row, found, _question_seq(found))


@transaction.atomic
def stop(*, conversation: uuid.UUID, message: str) -> Open | None:
    """The visitor wants no more of a reply; None where it has ended already."""
    found = message_of(conversation, message)
    if found.role == Message.Role.VISITOR:
        raise Refused("not_allowed", _("Only an answer can be stopped."))
    return _stopped(Message.objects.open().filter(id=found.id))


@transaction.atomic
def restart(conversation: uuid.UUID) -> Open | None:
    """Ends the conversation. Its open reply, which its writer is to end, if there is one."""
    close(conversation)
    return _stopped(Message.objects.open().filter(conversation_id=conversation))


def _stopped(replies: QuerySet[Message]) -> Open | None:
    reply = replies.select_for_update().first()
    if reply is None:
        return None
    Message.objects.filter(id=reply.id).update(stopped=True)
    return Open(reply.id, reply.attempt, reply.owner)


def open_of(visitor: uuid.UUID) -> list[tuple[uuid.UUID, Open]]:
    """A visitor's open replies, each with its conversation."""
    found = Message.objects.open().filter(conversation__visitor=visitor)
    return [(row.conversation_id, Open(row.id, row.attempt, row.owner)) for row in found]


def is_open(reply: uuid.UUID) -> bool:
    return Message.objects.open().filter(id=reply).exists()


def orphans(limit: int = 50) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Replies whose lease has run out, and conversations whose visitor nobody answers."""
    now = timezone.now()
    patience = timedelta(seconds=settings.CHAT_LEASE / 3)
    replies = Message.objects.open().filter(lease_until__lt=now).order_by("lease_until")
    unanswered = Conversation.objects.filter(
        awaiting_since__lt=now - patience, state=Conversation.State.OPEN
    ).order_by("awaiting_since")
    return (
        list(replies.values_list("id", flat=True)[:limit]),
        list(unanswered.values_list("id", flat=True)[:limit]),
    )


def _lease(now: datetime, deadline: datetime | None = None) -> datetime:
    """Until when a reply is its owner's: not much longer than it may take at all."""
    lease = now + timedelta(seconds=settings.CHAT_LEASE)
    return lease if deadline is None else min(lease, deadline + _grace())


def _grace() -> timedelta:
    return timedelta(seconds=settings.CHAT_LEASE / 10)
