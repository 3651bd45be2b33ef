"""How a site's chat looks and greets, as the admin set it: for init, the greeting and the loader.

What stands in the JSON columns was checked by the admin's form, or written by hand: only what the
protocol names, and is sound, goes out.
"""

import re
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.db import DatabaseError, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from chat import origins, personas
from chat.models import Persona, PersonaVersion, Site

ACCENT = "#0b6b50"  # of the widget's own style sheet
MAX_RADIUS = 28  # px
TEXTS = {"title": 60, "subtitle": 120, "placeholder": 80, "hint": 200}  # characters at the most
MAX_AFTER = 3600  # seconds
FRESH = 30.0  # seconds that another process's change of a site may take to be seen here
AWAY = 5.0  # seconds after which a database that was away is asked again

_ACCENT = re.compile(r"#[0-9a-fA-F]{6}")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def theme(site: Site) -> dict[str, Any]:
    """The `theme` of init: only what differs from the widget's own look."""
    set_: dict[str, Any] = site.theme if isinstance(site.theme, dict) else {}
    found: dict[str, Any] = {}
    accent, radius = set_.get("accent"), set_.get("radius")
    if isinstance(accent, str) and _ACCENT.fullmatch(accent):
        found["accent"] = accent.lower()
    if set_.get("side") in ("left", "right"):
        found["side"] = set_["side"]
    if _whole(radius, 0, MAX_RADIUS):
        found["radius"] = radius
    if set_.get("scheme") in ("light", "dark"):
        found["scheme"] = set_["scheme"]
    return found


def texts(site: Site) -> dict[str, str]:
    """The company's words in place of the widget's own."""
    set_ = site.texts if isinstance(site.texts, dict) else {}
    return {name: set_[name] for name in TEXTS if isinstance(set_.get(name), str) and set_[name]}


def agent(site: Site, version: PersonaVersion | None) -> dict[str, str]:
    """Who speaks: a site's own picture wins over the persona's."""
    return {"name": personas.agent_name(version), "avatar": _avatar(site, version)}


def _avatar(site: Site, version: PersonaVersion | None) -> str:
    return site.avatar or (version.avatar if version else "")


# --- Greeting by itself -------------------------------------------------------------------------


def greeting(site: Site, version: PersonaVersion | None) -> dict[str, Any] | None:
    """What the closed chat says, and by which rules; None where it says nothing."""
    rules: dict[str, Any] = site.greets if isinstance(site.greets, dict) else {}
    text = rules.get("text") or personas.greeting(version, site)
    if not rules.get("on") or not isinstance(text, str) or not text:
        return None
    found: dict[str, Any] = {"text": text, "agent": agent(site, version)}
    for name, most in (("after", MAX_AFTER), ("scroll", 100)):
        if _whole(rules.get(name), 0, most):
            found[name] = rules[name]
    pages = rules.get("pages")
    if isinstance(pages, list) and pages:
        found["pages"] = [page for page in pages if isinstance(page, str)]
    found |= {name: True for name in ("exit", "daily") if rules.get(name) is True}
    return found


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


# --- What is known before anything is asked of the server ----------------------------------------


class _Kept(NamedTuple):
    looks: dict[str, list[Any]]
    pictures: dict[str, str]


_kept = _Kept({}, {})
_fresh_until = 0.0  # of the monotonic clock


def looks() -> dict[str, list[Any]]:
    """The enabled sites that differ from the default, by the hash of their key:
    `[accent or "", "left" or "", 1 where it greets by itself else 0]`.

    Cheap: read at most every 30 s. While the database is away the last reading holds.
    """
    return _known().looks


def picture(key: str) -> str | None:
    """The origin that a site's agent has its picture from, None where there is none; as cheap."""
    return _known().pictures.get(key)


def _known() -> _Kept:
    global _kept, _fresh_until
    now = time.monotonic()
    if now >= _fresh_until:
        try:
            _kept, _fresh_until = _read(), now + FRESH
        except DatabaseError:
            _fresh_until = now + AWAY
    return _kept


def _read() -> _Kept:
    asked = ["key", "theme", "greets", "greeting", "avatar"]
    asked += ["persona__published__avatar", "persona__published__greeting"]
    related = Site.objects.select_related("persona__published")
    sites = list(related.filter(enabled=True).only(*asked).order_by("key"))
    found = {hashed(site.key): _look(site) for site in sites}
    pictures = {site.key: _origin_of(_avatar(site, site.persona.published)) for site in sites}
    return _Kept(
        {key: look for key, look in found.items() if any(look)},
        {key: origin for key, origin in pictures.items() if origin is not None},
    )


def _origin_of(address: str) -> str | None:
    """The origin of a web address, as a browser names it; None of anything else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return origins.written(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def _look(site: Site) -> list[Any]:
    look = theme(site)
    accent = look.get("accent", "")
    rules = site.greets if isinstance(site.greets, dict) else {}
    version = site.persona.published
    said = rules.get("text") or (version and version.greeting.strip()) or site.greeting
    greets = bool(rules.get("on") and said)
    side = "left" if look.get("side") == "left" else ""
    return [accent if accent != ACCENT else "", side, int(greets)]


@receiver([post_save, post_delete], sender=Site)
@receiver(post_save, sender=Persona)
def _changed(**_: Any) -> None:
    """A site, or who speaks on it, was changed in this process: the next look is a fresh one, and
    once more when others can see the change."""
    forget()
    transaction.on_commit(forget)


def forget() -> None:
    global _fresh_until
    _fresh_until = 0.0


def hashed(key: str) -> str:
    """A site's key as the loader looks it up: FNV-1a, 32 bits, in base 36.

    So that the script, which everybody can read, does not list a server's customers.
    """
    number = 0x811C9DC5
    for code in key.encode("utf-16-le")[::2]:  # keys are ASCII
        number = (number ^ code) * 16777619 & 0xFFFFFFFF
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
