"""A visitor's token: who, in which conversation, on which site. Signed, 30 days old at the most."""

import uuid
from dataclasses import dataclass

from django.core import signing

MAX_AGE = 30 * 24 * 3600
_SALT = "chat.visitor-token"


class BadToken(Exception):
    """No token of ours, too old, or of another site."""


@dataclass(frozen=True, slots=True)
class Identity:
    site: str  # the site's public key
    visitor: uuid.UUID
    conversation: uuid.UUID
    locale: str = ""  # as told at init, for a client that does not tell it again


def fresh(site: str) -> Identity:
    """A new visitor. Nothing is stored until the first message."""
    return Identity(site, uuid.uuid4(), uuid.uuid4())


def issue(identity: Identity) -> str:
    payload = [
        identity.site,
        identity.visitor.hex,
        identity.conversation.hex,
        identity.locale,
    ]
    return signing.dumps(payload, salt=_SALT)


def read(token: str) -> Identity:
    """Who holds `token`; raises `BadToken`."""
    try:
        site, visitor, conversation, locale = signing.loads(token, salt=_SALT, max_age=MAX_AGE)
        return Identity(site, uuid.UUID(visitor), uuid.UUID(conversation), locale)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise BadToken from None
