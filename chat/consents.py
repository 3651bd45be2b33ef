"""What a visitor was told before they wrote, and that they agreed: kept with time and version.

Synchronous, as `conversations` is, which calls it inside its own transaction.
"""

import uuid
from typing import Any

from chat.models import Site
from chat.privacy import Consent, ConsentText


class Missing(Exception):
    """The site asks before the first message, and this visitor has not agreed."""


def offered(site: Site, visitor: uuid.UUID) -> dict[str, Any] | None:
    """The `consent` of init; None where the site says nothing."""
    version = site.consent_version()
    if not version:
        return None
    told = {"kind": site.consent, "text": site.consent_text, "version": version}
    if site.consent_link:
        told["link"] = site.consent_link
    given = Consent.objects.filter(visitor_id=visitor, text__site=site, text__version=version)
    return {**told, "accepted": given.exists()}


def take(site: Site, visitor: uuid.UUID, version: str) -> None:
    """A message comes from a stored visitor who was shown `version`, "" for none that is known.

    Any version they have agreed to will do: a text that changes in the middle of a conversation
    is shown when the chat is opened next. Raises `Missing`.
    """
    if not site.consent:
        return
    mine = Consent.objects.filter(visitor_id=visitor, text__site=site)
    if version and not mine.filter(text__version=version).exists():
        text = _text(site, version)
        if text is not None:
            Consent.objects.get_or_create(visitor_id=visitor, text=text)
    if site.consent == Site.Consent.ASK and not mine.filter(text__kind=Site.Consent.ASK).exists():
        raise Missing


def bring_along(visitor: uuid.UUID, to: uuid.UUID) -> None:
    """What one visitor has agreed to holds for another: they are the same person."""
    known = Consent.objects.filter(visitor_id=to).values("text")
    Consent.objects.filter(visitor_id=visitor).exclude(text__in=known).update(visitor_id=to)


def _text(site: Site, version: str) -> ConsentText | None:
    if version == site.consent_version():
        return ConsentText.of(site)
    return ConsentText.objects.filter(site=site, version=version).first()
