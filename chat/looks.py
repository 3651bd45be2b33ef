"""How a site's chat looks and greets, as the admin set it: for init, the greeting and the loader.

What stands in the JSON columns was checked by the admin's form, or written by hand: only what the
protocol names, and is sound, goes out.
"""

import re
import time
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from chat import personas
from chat.models import PersonaVersion, Site

ACCENT = "#0b6b50"  # of the widget's own style sheet
MAX_RADIUS = 28  # px
TEXTS = {"title": 60, "subtitle": 120, "placeholder": 80, "hint": 200}  # characters at the most
MAX_AFTER = 3600  # seconds
FRESH = 30.0  # seconds that another process's change of a site may take to be seen here

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
    avatar = site.avatar or (version.avatar if version else "")
    return {"name": personas.agent_name(version), "avatar": avatar}


# --- Greeting by itself -------------------------------------------------------------------------


def greeting(site: Site, version: PersonaVersion | None) -> dict[str, Any] | None:
    """What the closed chat says, and by which rules; None where it says nothing."""
    rules: dict[str, Any] = site.greets if isinstance(site.greets, dict) else {}
    text = rules.get("text") or site.greeting
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


# --- What the loader knows before anything is asked of the server -------------------------------

_kept: dict[str, list[Any]] = {}
_fresh_until = 0.0  # of the monotonic clock


def looks() -> dict[str, list[Any]]:
    """The enabled sites that differ from the default, by the hash of their key:
    `[accent or "", "left" or "", 1 where it greets by itself else 0]`.

    Cheap: read at most every 30 s. While the database is away the last reading holds.
    """
    global _kept, _fresh_until
    now = time.monotonic()
    if now >= _fresh_until:
        try:
            _kept, _fresh_until = _read(), now + FRESH
        except DatabaseError:
            return _kept
    return _kept


def _read() -> dict[str, list[Any]]:
    sites = Site.objects.filter(enabled=True).only("key", "theme", "greets", "greeting")
    found = {hashed(site.key): _look(site) for site in sites.order_by("key")}
    return {key: look for key, look in found.items() if any(look)}


def _look(site: Site) -> list[Any]:
    look = theme(site)
    accent = look.get("accent", "")
    rules = site.greets if isinstance(site.greets, dict) else {}
    greets = bool(rules.get("on") and (rules.get("text") or site.greeting))
    side = "left" if look.get("side") == "left" else ""
    return [accent if accent != ACCENT else "", side, int(greets)]


@receiver([post_save, post_delete], sender=Site)
def _changed(**_: Any) -> None:
    """A site was changed in this process: the next look is a fresh one, and once more when others
    can see the change."""
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
