"""What a reply needs, begun or read while its question is being stored.

At forty replies at once these two steps, one after the other behind the question, were a third of
the time to the first word.
"""

from decimal import Decimal
from typing import Any

from django.db import DatabaseError

from chat import backends, conversations, paid, prompts
from chat.budgets import Payer
from chat.conversations import Received
from chat.models import Site

_dearest: dict[int, Decimal] = {}  # by site: what the first request of its latest reply might cost


def money(site: Site, payer: Payer) -> paid.Advance | None:
    """Holds it for the first request, by what the site's latest reply needed; None: nothing yet.

    What no request takes is to be dropped.
    """
    dearest = _dearest.get(site.pk)
    if dearest is None or backends.pays_first() is None:
        return None
    return paid.Advance(payer, dearest)


def note(material: prompts.Material) -> None:
    """A reply is made from this: the next one of its site will need as much."""
    _dearest[material.conversation.site_id] = prompts.dearest(material.version)


def receive(**said: Any) -> tuple[Received, prompts.Material | None]:
    """`conversations.receive`, and what the reply that it opened is made from. For a thread."""
    received = conversations.receive(**said)
    claim = received.claim
    if claim is None:
        return received, None
    try:
        row = claim.conversation
        return received, prompts.load(row.id, before=claim.reply.seq, row=row)
    except DatabaseError:  # the question is stored all the same; the turn reads on its own
        return received, None
