"""Money for a reply, held while its question is still being stored.

Held behind the question it was a sixth of the time to the first word, at forty replies at once.
"""

from decimal import Decimal

from chat import backends, paid, prompts
from chat.budgets import Payer
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
