"""Who speaks: a person takes a conversation over from the agent, says something, hands it back.

Synchronous, atomic, and done twice as good as once. Of two who take the same conversation one gets
it. The agent falls silent by the conversation's state, which `replies` looks at under the same lock
before it opens a reply and before it stores one's end.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat import conversations
from chat.conversations import Refused, keep
from chat.models import Conversation, Lead, Message
from chat.replies import Open, end_orphan, language_of

LOOKED_BACK = 20  # messages, for what is still unanswered


@dataclass(frozen=True, slots=True)
class Speaker:
    """A member of staff: the login, and the name that visitors see."""

    user: int
    name: str


@dataclass(frozen=True, slots=True)
class Handed:
    """Somebody else speaks now. `changed` is in order of `rev`, empty where nothing has changed.

    `open` is the agent's reply that its writer is to end.
    """

    conversation: Conversation
    changed: Sequence[Message] = ()
    open: Open | None = None


@transaction.atomic
def take(*, conversation: uuid.UUID, who: Speaker) -> Handed:
    """`who` speaks from now on, and the agent no more; raises `Refused` where another does."""
    row = _locked(conversation)
    if row.state == Conversation.State.HUMAN:
        if row.taken_by_id == who.user:
            return Handed(row)
        words = _("%(name)s has taken this conversation over.") % {"name": row.taken_name}
        raise Refused("busy", words)
    if conversations.ended(row):
        raise Refused("not_allowed", _("This conversation has ended."))
    row.state = Conversation.State.HUMAN
    row.taken_by_id, row.taken_name = who.user, who.name
    row.waiting_since = None
    row.waiting_mailed = timezone.now()  # nobody need be mailed of what the visitor says now
    changed, still = _silenced(row)
    with override(language_of(row)):
        line = _("%(name)s from our team has joined and answers now.") % {"name": who.name}
    changed.append(row.add(role=Message.Role.SYSTEM, text=line))
    keep(row, "state", "taken_by", "taken_name", "waiting_since", "waiting_mailed")
    return Handed(row, changed, still)


@transaction.atomic
def say(
    *, conversation: uuid.UUID, who: Speaker, id: uuid.UUID, text: str
) -> tuple[Message, Conversation | None]:
    """Stores what a person says, under an `id` of the client's making.

    Sent again it is the first answer, and the conversation None: nothing has changed.
    """
    row = _locked(conversation)
    earlier = Message.objects.filter(id=id).first()
    if earlier is not None:
        if (earlier.conversation_id, earlier.author_id) != (row.id, who.user):
            raise Refused("not_allowed", _("That id is taken."))
        return earlier, None
    if row.state != Conversation.State.HUMAN or row.taken_by_id != who.user:
        raise Refused("not_allowed", _("Take the conversation over first."))
    try:
        with transaction.atomic():
            added = row.add(
                id=id,
                role=Message.Role.STAFF,
                text=text,
                name=row.taken_name,
                author_id=who.user,
            )
    except IntegrityError:  # the id was stored in another conversation at this moment
        raise Refused("not_allowed", _("That id is taken.")) from None
    row.waiting_since = None
    keep(row, "waiting_since")
    return added, row


@transaction.atomic
def hand_back(
    *, conversation: uuid.UUID, who: Speaker, brief: str = "", others: bool = False
) -> Handed:
    """The agent speaks again, and answers what nobody has answered.

    `brief` is for the agent alone. With `others` also what somebody else has taken over.
    """
    row = _locked(conversation)
    if row.state != Conversation.State.HUMAN:
        return Handed(row)
    if row.taken_by_id != who.user and not others:
        words = _("%(name)s has taken this conversation over.") % {"name": row.taken_name}
        raise Refused("not_allowed", words)
    name = row.taken_name
    row.state = Conversation.State.OPEN
    row.taken_by, row.taken_name, row.waiting_since = None, "", None
    row.brief = brief
    row.awaiting_since = timezone.now() if unanswered(row) else None
    with override(language_of(row)):
        line = _("%(name)s has left; the assistant answers again.") % {"name": name}
    added = row.add(role=Message.Role.SYSTEM, text=line)
    keep(row, "state", "taken_by", "taken_name", "waiting_since", "awaiting_since", "brief")
    return Handed(row, [added])


# --- Nobody comes -------------------------------------------------------------------------------


def overdue(limit: int = 100) -> list[uuid.UUID]:
    """Conversations whose visitor has waited for a person for longer than the site says."""
    now = timezone.now()
    rows = Conversation.objects.filter(
        Q(state=Conversation.State.HUMAN) | Q(absent_told=None), waiting_since__isnull=False
    ).order_by("waiting_since")
    found = rows.values_list("id", "waiting_since", "state", "site__answer_within")[:limit]
    return [
        id for id, since, state, minutes in found if since and _is_over(state, minutes, since, now)
    ]


def _is_over(state: str, minutes: int, since: datetime, now: datetime) -> bool:
    """Whoever has taken over may think for twice as long."""
    factor = 2 if state == Conversation.State.HUMAN else 1
    return bool(minutes) and since + factor * timedelta(minutes=minutes) <= now


@transaction.atomic
def nobody_comes(conversation: uuid.UUID) -> Handed:
    """The agent goes on: it says that nobody is there, and asks for an address, once.

    Of a person who has taken over and is silent it takes the conversation back. Many processes may
    call this at once; one of them does it.
    """
    row = _locked(conversation)
    minutes, now = row.site.answer_within, timezone.now()
    if row.waiting_since is None or not _is_over(row.state, minutes, row.waiting_since, now):
        return Handed(row)
    if row.state == Conversation.State.HUMAN:
        who = Speaker(row.taken_by_id or 0, row.taken_name)
        return hand_back(conversation=conversation, who=who, others=True)
    told = row.absent_told is not None or Message.objects.open().filter(conversation=row).exists()
    if told or row.state != Conversation.State.OPEN:
        return Handed(row)
    row.absent_told = now
    lead = Lead.objects.filter(conversation=row).first()
    with override(language_of(row)):
        line = _("Nobody from our team is free at the moment, I am sorry.")
        if lead is not None and (lead.email or lead.phone):
            line += " " + _("We have your contact details, and somebody will get in touch.")
        else:
            line += " " + _(
                "Leave your e-mail address or phone number, and somebody will get in touch."
            )
        line += " " + _("Until then I am glad to go on helping you.")
    version = row.site.persona.published_id
    added = row.add(role=Message.Role.AGENT, text=line, persona_version_id=version)
    keep(row, "absent_told")
    return Handed(row, [added])


def unanswered(row: Conversation) -> bool:
    """Whether the visitor has said something since anybody answered them."""
    latest = row.messages.exclude(role=Message.Role.SYSTEM).order_by("-seq")
    for message in latest.only("role", "state", "stopped")[:LOOKED_BACK]:
        if message.role == Message.Role.VISITOR:
            return True
        cut_off = message.state in (Message.State.INTERRUPTED, Message.State.STREAMING)
        if not cut_off or message.stopped:
            return False
    return False


def _locked(conversation: uuid.UUID) -> Conversation:
    try:
        return conversations.lock(conversation)
    except Conversation.DoesNotExist:
        raise Refused("not_found", _("There is no such conversation.")) from None


def _silenced(row: Conversation) -> tuple[list[Message], Open | None]:
    """Ends the open reply where its writer is gone; otherwise says who is to end it."""
    reply = Message.objects.open().filter(conversation=row).first()
    if reply is None:
        return [], None
    if reply.lease_until and reply.lease_until < timezone.now():
        return [end_orphan(row, reply)], None
    return [], Open(reply.id, reply.attempt, reply.owner)
