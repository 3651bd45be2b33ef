"""Every change of a lead: by the agent's tools, and by hand. Only this module writes them.

Synchronous and atomic; each function locks the lead's conversation first, so that a conversation
has one lead however many write at once. Webhooks hear of every change (`deliveries.py`).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from chat import deliveries, evidence
from chat.conversations import lock
from chat.evidence import Said
from chat.models import Conversation, Lead, Message
from chat.models.leads import CONTACT, QUALIFYING

VALUES = (*CONTACT, *QUALIFYING)
Staff = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class Saved:
    """The lead as it is now; None where nothing was taken. `refused` are fields that were not."""

    lead: Lead | None
    fields: Sequence[str]
    refused: Sequence[str] = ()


@transaction.atomic
def save(
    *,
    conversation: uuid.UUID,
    fields: Mapping[str, str],
    signed: Mapping[str, str] | None = None,
) -> Saved:
    """What the agent has heard. A value is taken where a message of the visitor's holds it, or
    where the website has signed it; what staff wrote themselves stays as they wrote it."""
    row = lock(conversation)
    lead = Lead.objects.filter(conversation=row).first() or Lead(conversation=row, site=row.site)
    before = _state(lead)
    heard = said(conversation)
    kept = [name for name, value in fields.items() if _take(lead, name, value, heard, signed or {})]
    refused = [name for name in fields if name not in kept]
    if not kept:
        return Saved(lead if lead.pk else None, [], refused)
    if set(kept) & set(CONTACT):
        lead.mailed = None
    _store(lead, before)
    return Saved(lead, kept, refused)


def _take(
    lead: Lead, name: str, value: str, heard: Sequence[Said], signed: Mapping[str, str]
) -> bool:
    """Whether a value the agent gives was taken."""
    if name == "note":
        lead.note = value if value in lead.note or not lead.note else f"{lead.note}\n{value}"
        _quote(lead, heard[-1:])
        return True
    if name not in VALUES or not value or "by" in lead.evidence.get(name, {}):
        return False
    found = evidence.find(name, value, heard)
    if found is None and signed.get(name) == value:
        found = {"signed": True}
    if found is None:
        return False
    setattr(lead, name, value)
    lead.evidence = {**lead.evidence, name: found}
    _quote(lead, [each for each in heard if each.message == found.get("message")])
    return True


def _quote(lead: Lead, messages: Sequence[Said]) -> None:
    for each in messages:
        if each.text not in lead.words:
            lead.words = f"{lead.words}\n{each.text}".strip()


@transaction.atomic
def write(conversation: uuid.UUID, values: Mapping[str, Any], *, by: Staff) -> Lead:
    """What staff write: values, note, stage and owner. A value that stands in the visitor's words
    is shown with those; any other says who wrote it. An empty value is taken away."""
    row = lock(conversation)
    lead = Lead.objects.filter(conversation=row).first() or Lead(conversation=row, site=row.site)
    before = _state(lead)
    owner = lead.owner_id
    heard = said(conversation)
    for name, value in values.items():
        changed = getattr(lead, name) != value
        setattr(lead, name, value)
        if name in VALUES and changed:
            others = {key: found for key, found in lead.evidence.items() if key != name}
            lead.evidence = {**others, **({name: _origin(name, value, heard, by)} if value else {})}
    if lead.owner_id not in (owner, by.pk):
        lead.mailed = None  # the new owner hears of it
    elif not lead.pk:
        lead.mailed = timezone.now()  # who writes it knows of it
    _store(lead, before)
    return lead


def _origin(name: str, value: str, heard: Sequence[Said], by: Staff) -> dict[str, object]:
    written: dict[str, object] = {
        "by": by.get_username(),
        "at": timezone.now().isoformat(timespec="seconds"),
    }
    return evidence.find(name, value, heard) or written


def said(conversation: uuid.UUID) -> list[Said]:
    """All that the visitor has said in it, oldest first."""
    rows = Message.objects.filter(conversation_id=conversation, role=Message.Role.VISITOR)
    found = rows.order_by("seq").values_list("id", "seq", "text")
    return [Said(str(id), seq, text) for id, seq, text in found]


def of(conversation: Conversation) -> Lead | None:
    return Lead.objects.filter(conversation=conversation).first()


def _store(lead: Lead, before: Mapping[str, Any]) -> None:
    new = lead.pk is None
    changed = new or _state(lead) != before
    lead.save()
    if changed:
        deliveries.queue(lead, new=new)


def _state(lead: Lead) -> dict[str, Any]:
    return {**lead.known(), "stage": lead.stage, "owner": lead.owner_id}
