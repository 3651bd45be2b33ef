"""A visitor's token: who, in which conversation, on which site. Signed, 30 days old at the most."""

import json
import uuid
from dataclasses import astuple, dataclass, field

from django.core import signing

from chat.identity import Signed

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
    signed: Signed | None = None  # who that is on the website, by its own signature
    issued: int = field(default=0, compare=False)  # read from a token: when, in Unix seconds

    @property
    def since(self) -> tuple[uuid.UUID, int]:
        """The visitor, and since when they have this token: what `erasing.gone` asks for."""
        return self.visitor, self.issued


def fresh(site: str) -> Identity:
    """A new visitor. Nothing is stored until the first message."""
    return Identity(site, uuid.uuid4(), uuid.uuid4())


def issue(identity: Identity) -> str:
    payload = [
        identity.site,
        identity.visitor.hex,
        identity.conversation.hex,
        identity.locale,
        *(astuple(identity.signed) if identity.signed else ()),
    ]
    return signing.dumps(payload, salt=_SALT, serializer=_Plain)


def read(token: str) -> Identity:
    """Who holds `token`; raises `BadToken`."""
    try:
        payload = signing.loads(token, salt=_SALT, serializer=_Plain, max_age=MAX_AGE)
        issued = signing.b62_decode(token.rsplit(":", 2)[1])  # which the signature covers
        site, visitor, conversation, locale, *signed = payload
        return Identity(
            site,
            uuid.UUID(visitor),
            uuid.UUID(conversation),
            locale,
            Signed(*signed) if signed else None,
            issued,
        )
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise BadToken from None


class _Plain:
    """JSON with letters of any script as they are: escaped, a name could fill half a frame."""

    def dumps(self, obj: object) -> bytes:
        return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> object:
        return json.loads(data)
