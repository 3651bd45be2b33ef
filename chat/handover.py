"""Who speaks: a person takes a conversation over from the agent, says something, hands it back.

Synchronous, atomic, and done twice as good as once. Of two who take the same conversation one gets
it. The agent falls silent by the conversation's state, which `replies` looks at under the same lock
before it opens a reply and before it stores one's end.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat import conversations
from chat.conversations import Refused, keep
from chat.models import Conversation, Message
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
