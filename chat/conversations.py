"""Every change of a conversation but its replies' (`replies.py`) and its lead's (`leads.py`), and
the read `after(rev)`.

Synchronous, atomic, idempotent. Each function that changes something locks the conversation's row,
so its `seq` has no holes and its `rev` rises by one a change; it returns what changed, and the
caller tells the open sockets after the commit (`live.py`).
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat import campaigns, consents, hours, personas
from chat.erasing import Gone, gone
from chat.identity import Signed
from chat.models import Conversation, Message, Site, Visitor
from chat.wire import MAX_REPLY, MAX_STATUS, ErrorCode, Page
from salesagent.prepared import Prepared, Slot, update

HISTORY_PAGE = 50
_ENVELOPE = 1024  # bytes of a `status` beside its messages
_NEXT = uuid.UUID("3d2f7a0e-52f1-4f0b-9a3c-6c8e6f0b1d5a")


class Refused(Exception):
    """A wish that was not done; `code` of the protocol."""

    def __init__(self, code: ErrorCode, message: str, *, final: bool = True) -> None:
        super().__init__(code)
        self.code: ErrorCode = code
        self.message = message
        self.final = final


@dataclass(frozen=True, slots=True)
class Talk:
    """The conversation that a visitor is in now; `row` is None until something was said in it."""

    id: uuid.UUID
    row: Conversation | None

    def as_field(self) -> dict[str, Any]:
        if self.row is not None:
            return self.row.as_field()
        return {"id": str(self.id), "epoch": 1, "rev": 0, "state": Conversation.State.OPEN}


@dataclass(frozen=True, slots=True)
class Claim:
    """A reply that this process is to write now, to the visitor's message `question_seq`.

    `ended` are older replies that ended on the way.
    """

    conversation: Conversation
    reply: Message
    question_seq: int
    ended: Sequence[Message] = ()


# The columns of the reply to a message, the conversation's row being locked.
Opens = Callable[[Conversation, Message], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Received:
    """What `receive` did: the conversation, and the messages that it added, in order of `rev`.

    `claim`: the reply to them that was opened with them, if one was.
    """

    conversation: Conversation
    message: Message
    added: Sequence[Message]
    duplicate: bool = False
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a `rev`: the parts of a `status` frame."""

    talk: Talk
    messages: Sequence[Mapping[str, Any]]
    open: Message | None
    full: bool
    more: bool


# --- Who is where -------------------------------------------------------------------------------


def successor(conversation: uuid.UUID) -> uuid.UUID:
    """The id of the conversation after `conversation`.

    Derived, so that every tab and process agrees on it before it is stored; an id opens nothing.
    """
    return uuid.uuid5(_NEXT, conversation.hex)


def current(visitor: uuid.UUID, conversation: uuid.UUID) -> Talk:
    """The talk that a token of `visitor` and `conversation` opens now."""
    named = _NAMED.first(id=conversation)
    theirs = named is not None and named.visitor_id == visitor
    if named is not None and theirs and not ended(named):
        return Talk(named.id, named)
    latest = _THEIR_LATEST.first(visitor=visitor)
    if latest is None:
        # Another's by now: it went along when that visitor signed in (`visitors.py`).
        taken = named is not None and not theirs
        return Talk(uuid.uuid5(conversation, visitor.hex) if taken else conversation, None)
    if not ended(latest):
        return Talk(latest.id, latest)
    return Talk(successor(latest.id), None)


def ended(conversation: Conversation) -> bool:
    """Closed, or silent for longer than its site's idle days."""
    idle = timezone.now() - timedelta(days=conversation.site.idle_days)
    return conversation.state == Conversation.State.CLOSED or conversation.updated < idle


def lock(conversation: uuid.UUID) -> Conversation:
    """The row, held until the transaction ends."""
    found = _LOCK.first(id=conversation)
    if found is None:
        raise Conversation.DoesNotExist
    return found


def _lockable() -> QuerySet[Conversation]:
    return Conversation.objects.select_for_update(of=("self",)).select_related("site__persona")


_LOCK = Prepared(lambda: _lockable().filter(id=Slot("id")))
# With all that `prompts.load` needs of it.
_LOCK_THEIRS = Prepared(
    lambda: (
        _lockable()
        .select_related("site__persona__published", "visitor", "lead")
        .filter(id=Slot("id"), visitor_id=Slot("visitor"))
    )
)
_NAMED = Prepared(lambda: Conversation.objects.select_related("site").filter(id=Slot("id")))
_THEIR_LATEST = Prepared(
    lambda: (
        Conversation.objects.select_related("site")
        .filter(visitor_id=Slot("visitor"))
        .order_by("-created")[:1]
    )
)


def keep(conversation: Conversation, *fields: str) -> None:
    """Saves what `add` and `change` counted, and `fields`."""
    conversation.updated = timezone.now()
    update(conversation, "rev", "last_seq", "updated", *fields)


# --- What a visitor says ------------------------------------------------------------------------


def receive(
    *,
    site: Site,
    visitor: uuid.UUID,
    conversation: uuid.UUID,
    client_id: str,
    text: str,
    spoken: bool = False,
    page: Page | None = None,
    locale: str = "",
    signed: Signed | None = None,
    network: str = "",
    consent: str = "",
    issued: int = 0,
    opens: Opens | None = None,
) -> Received:
    """Stores a visitor's message; the same `client_id` again gives the first answer.

    `conversation` is the one the token names; a new one begins where that has ended. The greeting
    goes in front of the first message. `signed` says who the visitor is on the website, `network`
    (`limits.mark`) from which address they write, `consent` which text they were shown before,
    `issued` when their token was (Unix seconds). `opens` (`replies.opens`) opens the reply with it,
    unless another is open or awaited; then `awaiting_since` says that one is due. Raises `Gone`
    where they were erased since.
    """

    def begin(id: uuid.UUID) -> Conversation:
        begin_visitor(site, visitor, locale, signed, issued)
        return _begin(site, visitor, id, page, locale)

    for last_try in (False, True):
        try:
            with transaction.atomic():
                received = _receive(
                    visitor, conversation, client_id, text, spoken, network, begin, opens
                )
                if not received.duplicate:
                    consents.take(received.conversation.site, visitor, consent)
                return received
        except consents.Missing:
            words = _("Please read and agree to what stands above the input first.")
            raise Refused("not_allowed", words) from None
        except IntegrityError:
            # Another tab stored the same message, or made the same conversation, meanwhile.
            if last_try:
                raise
    raise AssertionError("unreachable")


def _receive(
    visitor_id: uuid.UUID,
    conversation_id: uuid.UUID,
    client_id: str,
    text: str,
    spoken: bool,
    network: str,
    begin: Callable[[uuid.UUID], Conversation],
    opens: Opens | None,
) -> Received:
    conversation = _locked(visitor_id, conversation_id)
    if conversation is None or not conversation.last_seq or not conversation.site.enabled:
        earlier = _sent_before(visitor_id, client_id)  # otherwise the row itself says so
        if earlier is not None:
            return earlier
    if conversation is None:
        conversation = begin(current(visitor_id, conversation_id).id)
    if not conversation.site.enabled:  # by now: the caller's is as old as its socket
        raise Refused("not_allowed", _("The chat is closed."))
    now = timezone.now()
    added = []
    if conversation.last_seq == 0 and (greeting := _greeting(conversation.site)):
        added.append(conversation.add(role=Message.Role.AGENT, text=greeting, created=now))
    said = {"role": Message.Role.VISITOR, "text": text, "created": now, "visitor_id": visitor_id}
    said |= {"client_id": client_id, "spoken": spoken}
    reply, talks = None, conversation.state == Conversation.State.OPEN
    if opens is not None and talks and conversation.awaiting_since is None:
        message, reply = conversation.add_with_reply(said, partial(opens, conversation))
    else:
        message = conversation.add_unless_there(**said)
    if message is None:
        earlier = _sent_before(visitor_id, client_id)
        if earlier is None:
            raise IntegrityError("What excluded the message has gone.")
        return earlier
    added.append(message)
    if not talks:  # a person has taken over
        conversation.waiting_since = conversation.waiting_since or now
    elif reply is None:
        conversation.awaiting_since = conversation.awaiting_since or now
    conversation.network = network
    keep(conversation, "awaiting_since", "waiting_since", "network")
    claim = Claim(conversation, reply, message.seq) if reply is not None else None
    return Received(conversation, message, added, claim=claim)


def _greeting(site: Site) -> str:
    return personas.greeting(personas.published(site), site)


def _locked(visitor: uuid.UUID, conversation: uuid.UUID) -> Conversation | None:
    """The talk that a token opens now, held until the transaction ends; None where none is open."""
    named = _LOCK_THEIRS.first(id=conversation, visitor=visitor)
    if named is not None and not ended(named):
        return named
    talk = current(visitor, conversation)
    if talk.row is None:
        return None
    latest = lock(talk.id)
    if ended(latest):  # between the look and the lock
        raise IntegrityError("the conversation has just ended")
    return latest


def _sent_before(visitor: uuid.UUID, client_id: str) -> Received | None:
    sent = Message.objects.select_related("conversation__site")
    message = sent.filter(visitor=visitor, client_id=client_id).first()
    if message is None:
        return None
    return Received(message.conversation, message, [], duplicate=True)


def begin_visitor(
    site: Site, visitor: uuid.UUID, locale: str, signed: Signed | None, issued: int
) -> None:
    """The visitor's row, made if there is none yet; raises `Gone` where it was erased."""
    told: dict[str, Any] = {}
    if signed is not None:
        told = {"external_id": signed.id, "verified": timezone.now(), **signed.fields}
    defaults = {"site": site, "locale": locale, **told}
    _row, made = Visitor.objects.get_or_create(id=visitor, defaults=defaults)
    if made and gone(visitor, issued):
        raise Gone


def _begin(
    site: Site, visitor_id: uuid.UUID, id: uuid.UUID, page: Page | None, locale: str
) -> Conversation:
    """A new conversation, its row locked; the visitor's earlier idle ones are closed."""
    Conversation.objects.filter(visitor_id=visitor_id).exclude(
        state=Conversation.State.CLOSED
    ).update(state=Conversation.State.CLOSED, awaiting_since=None)
    page = page or Page()
    Conversation.objects.get_or_create(
        id=id,
        defaults={
            "site": site,
            "visitor_id": visitor_id,
            "locale": locale,
            "page_url": page.url,
            "page_title": page.title,
            "referrer": page.referrer,
            "campaign": campaigns.in_a_line(page.url),
        },
    )
    conversation = lock(id)
    if conversation.last_seq:  # another tab's first message came first
        raise IntegrityError("the conversation has just begun")
    return conversation


def message_of(conversation: uuid.UUID, message: str, *related: str) -> Message:
    """A message of this conversation, with `related` rows read along.

    Raises `Refused` alike for not there and not yours.
    """
    try:
        id = uuid.UUID(message)
    except ValueError:
        id = None
    rows = Message.objects.select_related(*related) if related else Message.objects.all()
    found = rows.filter(conversation_id=conversation, id=id).first() if id else None
    if found is None:
        raise Refused("not_found", _("There is no such message here."))
    return found


@transaction.atomic
def feedback(
    *, conversation: uuid.UUID, message: str, value: int, comment: str = ""
) -> list[Message]:
    """Thumbs on a finished message of the agent or staff, and why, which only staff see.

    Without a `comment` an earlier one stays, as long as the thumb does.
    """
    found = message_of(conversation, message)
    row = lock(conversation)
    found.refresh_from_db()
    finished = found.state != Message.State.STREAMING
    if found.role not in (Message.Role.AGENT, Message.Role.STAFF) or not finished:
        raise Refused("not_allowed", _("Only a finished answer can be rated."))
    if value == 0:
        comment = ""
    elif found.feedback == value:
        comment = comment or found.feedback_comment
    if (found.feedback, found.feedback_comment) == (value, comment):
        return []
    row.change(found, feedback=value, feedback_comment=comment)
    keep(row)
    return [found]


@transaction.atomic
def close(conversation: uuid.UUID) -> bool:
    """Ends a conversation; its open reply is ended by whoever writes it. False: it had ended."""
    row = Conversation.objects.select_for_update().filter(id=conversation).first()
    if row is None or row.state == Conversation.State.CLOSED:
        return False
    row.state = Conversation.State.CLOSED
    row.awaiting_since = row.waiting_since = row.taken_by = None
    keep(row, "state", "awaiting_since", "waiting_since", "taken_by")
    return True


# --- What the agent's tools do ------------------------------------------------------------------


@transaction.atomic
def hand_over(*, conversation: uuid.UUID, language: str) -> list[Message]:
    """Marks a conversation as waiting for a person, and says so to the visitor, once."""
    row = lock(conversation)
    if row.waiting_since is not None or row.state != Conversation.State.OPEN:
        return []
    row.waiting_since = timezone.now()
    row.waiting_mailed = None
    back = hours.next_opening(row.site.office_hours, row.site.office_zone, row.waiting_since)
    row.absent_told = row.waiting_since if back else None
    with override(language):
        line = _("Our team has been told and will answer here as soon as somebody is free.")
        if back:
            when = date_format(back, "l, H:i")
            line = _("Our team has been told, and is back here on %(when)s.") % {"when": when}
    added = row.add(role=Message.Role.SYSTEM, text=line)
    keep(row, "waiting_since", "waiting_mailed", "absent_told")
    return [added]


def summarised(*, conversation: uuid.UUID, summary: str, seq: int) -> None:
    """Keeps the summary of what no prompt has room for any more, up to message `seq`."""
    Conversation.objects.filter(id=conversation, summary_seq__lt=seq).update(
        summary=summary, summary_seq=seq
    )


# --- Reading ------------------------------------------------------------------------------------


def after(
    *,
    visitor: uuid.UUID,
    conversation: uuid.UUID,
    rev: int,
    named: str | None = None,
    epoch: str | None = None,
) -> Changes:
    """What a client that has seen `rev` of conversation `named` has missed; all, if `rev` is none.

    As many whole messages as fit into one frame, lowest `rev` first, beside the open reply.
    """
    changes = _look(visitor, conversation, rev, named, epoch)
    while changes.talk.row is not None and _moved_on(changes.talk.row):
        changes = _look(visitor, conversation, rev, named, epoch)
    return changes


def changes_of(conversation: uuid.UUID, rev: int) -> Changes | None:
    """The same for staff, of one conversation, ended or not; None: it is not there."""
    while True:
        row = _NAMED.first(id=conversation)
        if row is None:
            return None
        changes = _changes(Talk(row.id, row), rev, full=not 0 <= rev <= row.rev)
        if not _moved_on(row):
            return changes


def _look(
    visitor: uuid.UUID, conversation: uuid.UUID, rev: int, named: str | None, epoch: str | None
) -> Changes:
    talk = current(visitor, conversation)
    shown = talk.as_field()
    other = (named or str(conversation)) != shown["id"]
    unknown = other or not 0 <= rev <= shown["rev"]
    full = unknown or (epoch is not None and epoch != str(shown["epoch"]))
    return _changes(talk, rev, full)


def _changes(talk: Talk, rev: int, full: bool) -> Changes:
    if talk.row is None:
        return Changes(talk, [], None, full=full, more=False)
    messages = Message.objects.filter(conversation=talk.row)
    open_reply = messages.open().first()
    # The open reply may have more words by now than were saved of it, in any script.
    room = (
        MAX_STATUS - _ENVELOPE - (_size(open_reply.as_frame()) + 3 * MAX_REPLY if open_reply else 0)
    )
    fitting, more = _fitting(messages.after(0 if full else rev).iterator(chunk_size=100), room)
    return Changes(talk, fitting, open_reply, full=full, more=more)


def _moved_on(row: Conversation) -> bool:
    """Whether the conversation changed while it was read, piece by piece and without a lock."""
    return not Conversation.objects.filter(id=row.id, rev=row.rev, state=row.state).exists()


def _fitting(changed: Iterable[Message], room: int) -> tuple[list[dict[str, Any]], bool]:
    shapes: list[dict[str, Any]] = []
    for message in changed:
        shape = message.as_frame()
        room -= _size(shape) + 1
        if room < 0 and shapes:
            return shapes, True
        shapes.append(shape)
    return shapes, False


def _size(shape: Mapping[str, Any]) -> int:
    return len(json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode())


def history(conversation: uuid.UUID, before: int | None = None) -> tuple[list[Message], bool]:
    """A page of messages, oldest first, and whether there are earlier ones."""
    rows = Message.objects.filter(conversation_id=conversation)
    rows = rows.before(before) if before is not None else rows.order_by("-seq")
    page = list(rows[: HISTORY_PAGE + 1])
    return page[:HISTORY_PAGE][::-1], len(page) > HISTORY_PAGE
