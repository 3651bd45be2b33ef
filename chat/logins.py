"""Staff's login, and how often somebody may try.

Counted before the password is looked at, so that a thousand tries at once are no more than ten. An
address that has logged in to an account before is not held up by strangers who guess at it.
"""

import hashlib
import logging
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ValidationError
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm

from chat.limits import network

logger = logging.getLogger(__name__)

WINDOW = 600  # seconds
PER_ADDRESS = 3  # times as many as for one account: several people may sit behind one
KNOWN = 30 * 24 * 3600  # seconds that an address is remembered for an account
# Counts where Redis does not answer: then each process for itself.
_own: BaseCache = LocMemCache("logins", {"OPTIONS": {"MAX_ENTRIES": 100_000}})


class LoginForm(AuthenticationForm):
    """Unfold's, and a sentence in place of a try for who has tried too often."""

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data.get("username", "")
        door = Door(self.request.META.get("REMOTE_ADDR", ""), given) if self.request else None
        wait = door.knock() if door else 0
        if wait:
            minutes = -(-wait // 60)
            raise ValidationError(
                ngettext(
                    "Too many failed logins. Please try again in %(minutes)s minute.",
                    "Too many failed logins. Please try again in %(minutes)s minutes.",
                    minutes,
                )
                % {"minutes": minutes},
                code="throttled",
            )
        cleaned: dict[str, Any] = super().clean()
        if door:
            door.opened()
        return cleaned


class Door:
    """One try from `address` at `account`, which need not exist."""

    def __init__(self, address: str, account: str) -> None:
        window = int(time.time()) // WINDOW
        client = network(address)
        self._known = _key("known", account, client)
        self._address = _key("address", client, window)
        self._strangers = _key("strangers", account, window)
        self._theirs = _key("theirs", account, client, window)
        self._counted: tuple[str, ...] = ()

    def knock(self) -> int:
        """Counts the try; seconds to wait, 0: go on."""
        allowed = settings.CHAT_LOGIN_TRIES
        account = self._theirs if _ask("get", self._known) else self._strangers
        self._counted = (self._address, account)
        by_address = _count(self._address) > allowed * PER_ADDRESS
        if not by_address and _count(account) <= allowed:
            return 0
        logger.warning("login held up", extra={"by": "address" if by_address else "account"})
        return WINDOW - int(time.time()) % WINDOW

    def opened(self) -> None:
        """The password was right: who sits there is known, and this was no guess."""
        for key in self._counted:
            _ask("decr", key)
        _ask("set", self._known, True, KNOWN)


def _count(key: str) -> int:
    """How often, with this one. Whoever comes first makes the counter; adding is atomic."""
    _ask("add", key, 0, WINDOW)
    return int(_ask("incr", key))


def _ask(call: str, *arguments: Any) -> Any:
    try:
        return getattr(cache, call)(*arguments)
    except ValueError:  # the counter has just run out
        return 1
    except Exception as error:
        logger.warning("logins counted alone", extra={"error": type(error).__name__})
        return getattr(_own, call)(*arguments)


def _key(*parts: object) -> str:
    """Neither an address nor a name stands in the store."""
    words = "\n".join(map(str, parts))
    return f"login-{hashlib.sha256(words.encode()).hexdigest()[:40]}"
