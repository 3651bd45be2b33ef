"""Visitors who are signed in on the website: one visitor, on however many devices.

The visitor's id is derived from the website's own id, so that two devices and two processes agree
on it before anything is stored, as they do on the id of a conversation.
"""

import time
import uuid
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.utils import timezone

from chat import consents
from chat.conversations import begin_visitor, current, ended, lock
from chat.identity import Signed, mark
from chat.models import Conversation, Message, Site, Visitor
from chat.tokens import Identity

_VISITOR = uuid.UUID("8f0b6c1d-7a3e-4f55-9d0a-2c41b7e60a97")
_FIRST = uuid.UUID("b1c5d9e2-3f64-4a8b-8f27-6e0d5a9c7341")


@dataclass(frozen=True, slots=True)
class Identified:
    """`identity` is the visitor's from now on; `moved` the conversation that went along."""

    identity: Identity
    moved: uuid.UUID | None = None


def identify(site: Site, identity: Identity, signed: Signed) -> Identified:
    """The visitor whom the website signed, in place of whoever `identity` was.

    The open conversation of somebody who was nobody so far goes along, unless the visitor has one
    already; that of another signed-in visitor stays where it is.
    """
    known = Visitor.objects.filter(site=site, external_id=signed.id).first()
    visitor = known.id if known else uuid.uuid5(_VISITOR, f"{site.pk} {signed.id}")
    if known is not None:
        _update(known, signed)
    conversation, moved = identity.conversation, None
    if identity.visitor != visitor:
        conversation = _first(visitor)
        if identity.signed is None:
            moved = _bring_along(site, identity, visitor, signed)
    now = replace(identity, visitor=visitor, conversation=moved or conversation, signed=signed)
    return Identified(now, moved)


def holds(site: Site, identity: Identity) -> bool:
    """Whether what the token says was signed with the key that the site has now."""
    return identity.signed is None or identity.signed.key == mark(site.identity_key)


def _update(known: Visitor, signed: Signed) -> None:
    """Name and e-mail as the website tells them now."""
    told = signed.fields
    if told != {"name": known.name, "email": known.email}:
        Visitor.objects.filter(id=known.id).update(**told, verified=timezone.now())


def _bring_along(
    site: Site, anonymous: Identity, visitor: uuid.UUID, signed: Signed
) -> uuid.UUID | None:
    """Gives an open conversation to `visitor`; None where there is none, or they have their own."""
    try:
        with transaction.atomic():
            talk = current(anonymous.visitor, anonymous.conversation)
            if talk.row is None:
                return None
            # Signed just now: whoever was erased before begins anew.
            begin_visitor(site, visitor, anonymous.locale, signed, int(time.time()) + 1)
            # Held, so that of two devices one alone brings its conversation along.
            Visitor.objects.select_for_update().get(id=visitor)
            row = lock(talk.id)
            if row.visitor_id != anonymous.visitor or ended(row):
                return None  # another tab was faster
            if current(visitor, _first(visitor)).row is not None:
                return None
            _give(row, visitor)
            return row.id
    except IntegrityError:  # both have sent a message of the same `client_id`: staff may sort it
        return None


def _first(visitor: uuid.UUID) -> uuid.UUID:
    """The id of a signed-in visitor's first conversation."""
    return uuid.uuid5(_FIRST, visitor.hex)


def _give(row: Conversation, visitor: uuid.UUID) -> None:
    Conversation.objects.filter(visitor_id=visitor).exclude(state=Conversation.State.CLOSED).update(
        state=Conversation.State.CLOSED, awaiting_since=None
    )  # idle for long
    Message.objects.filter(conversation=row, visitor_id=row.visitor_id).update(visitor=visitor)
    consents.bring_along(row.visitor_id, visitor)
    row.visitor_id = visitor
    row.save(update_fields=["visitor"])
