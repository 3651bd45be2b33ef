"""Who asks, and by which scheme: the one place that believes a proxy's headers."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_SECURE = {"http": "https", "ws": "wss", "https": "https", "wss": "wss"}
_PLAIN = {secure: plain for plain, secure in (("http", "https"), ("ws", "wss"))}


class TrustedProxy:
    """Sets a scope's client and scheme from the headers of `hops` proxies of our own.

    Each proxy appends the address it saw to X-Forwarded-For, so the n-th entry from the right was
    written by the outermost of n; everything left of it is the visitor's own invention. With no
    proxy the headers are dropped: whoever sends them is not to be believed. What is malformed
    counts as absent, and the connection's own address stays.
    """

    def __init__(self, app: App, hops: int = 0) -> None:
        self.app = app
        self.hops = hops

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = self._trusted(scope)
        await self.app(scope, receive, send)

    def _trusted(self, scope: Scope) -> Scope:
        headers: Headers = [
            (name, value)
            for name, value in scope["headers"]
            if not name.lower().startswith(b"x-forwarded-") and name.lower() != b"forwarded"
        ]
        if self.hops <= 0:
            return {**scope, "headers": headers}
        changed: dict[str, Any] = {"headers": headers}
        address = _address(self._entry(scope["headers"], b"x-forwarded-for"))
        if address is not None:
            changed["client"] = (address, 0)
        proto = self._entry(scope["headers"], b"x-forwarded-proto").lower()
        if proto in _SECURE:
            schemes = _SECURE if proto in ("https", "wss") else _PLAIN
            changed["scheme"] = schemes.get(scope["scheme"], scope["scheme"])
        return {**scope, **changed}

    def _entry(self, headers: Headers, name: bytes) -> str:
        """The entry of the outermost of our proxies; of a proto header often the only one."""
        lines = [value.decode("latin-1") for key, value in headers if key.lower() == name]
        entries = [entry.strip() for entry in ",".join(lines).split(",")]
        if name == b"x-forwarded-proto" and len(entries) < self.hops:
            return entries[0]  # most proxies set it once and the next ones leave it
        return entries[-self.hops] if len(entries) >= self.hops else ""


def _address(entry: str) -> str | None:
    """The address in `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1` or `[2001:db8::1]:4711`."""
    if entry.startswith("[") and "]" in entry:
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        address = ipaddress.ip_address(entry)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
