"""Who a visitor is on the company's website, as its own server signed it. Pure.

The page's word is worth nothing, and an e-mail address alone neither: only what comes with the
HMAC that the company's server made with the site's identity key is taken.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from chat import wire

MAX_ID = 200
MAX_EMAIL = 254
MAX_NAME = 120
_HASH = re.compile(r"[0-9a-f]{64}")
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Broken(Exception):
    """No sound identity; says in words what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody who is signed in on the website. `key` is the mark of the key that signed it."""

    id: str
    email: str = ""
    name: str = ""
    key: str = ""

    @property
    def fields(self) -> dict[str, str]:
        return {"name": self.name, "email": self.email}


def mark(key: str) -> str:
    """Tells one identity key from another, and nothing about either."""
    return hashlib.sha256(f"identity key {key}".encode()).hexdigest()[:12]


def sign(key: str, id: str, email: str = "", name: str = "") -> str:
    """The hash that the company's server makes. Parts that are missing are empty."""
    words = f"{id}\n{email}\n{name}"
    return hmac.new(key.encode(), words.encode(), hashlib.sha256).hexdigest()


def read(value: Any) -> tuple[Signed, str] | None:
    """The `identity` of an init and its hash, not yet compared; raises `Broken`."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Broken("The field 'identity' is no object.")
    signed = Signed(
        id=_text(value, "id", MAX_ID),
        email=_text(value, "email", MAX_EMAIL),
        name=_text(value, "name", MAX_NAME),
    )
    if not signed.id.strip():
        raise Broken("The identity's 'id' is missing.")
    if signed.email:
        try:
            validate_email(signed.email)
        except ValidationError:
            raise Broken("The identity's 'email' is no e-mail address.") from None
    found = value.get("hash")
    return signed, found if isinstance(found, str) else ""


def _text(value: Mapping[str, Any], name: str, limit: int) -> str:
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Broken(f"The identity's {name!r} is no string.")
    if len(text) > limit:
        raise Broken(f"The identity's {name!r} is longer than {limit} characters.")
    if _UNFIT.search(text) or wire.drop_controls(text) != text:
        raise Broken(f"The identity's {name!r} holds a line break or control character.")
    return text


def fits(signed: Signed, found: str, key: str) -> bool:
    """Whether the website's server made `found` with `key`; without a key nothing fits."""
    if not key or not _HASH.fullmatch(found):
        return False
    return hmac.compare_digest(sign(key, signed.id, signed.email, signed.name), found)
