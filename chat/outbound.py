"""One POST to an address that staff typed in, without being led anywhere else by it.

The name is looked up once, each of its addresses must be a public one, and the line goes to the
very address that was looked at: a name that points elsewhere a moment later leads nowhere. No
proxy of the environment is asked and no redirect followed; whatever the other side does, it ends
after `PATIENCE`.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

PATIENCE = 10.0  # seconds for the whole exchange


class Unreachable(Exception):
    """Nothing was sent, or no answer came. `code`: "address", "name", "private", "certificate",
    "timeout" or "connection"; never the other side's words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    secure: bool
    host: str
    port: int
    path: str


def target(url: str) -> Target:
    """Checks an address by its looks; raises `Unreachable`. Plain http only where the setting
    allows private addresses, for tests and for a network of one's own."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Unreachable("address") from None
    secure = parts.scheme == "https"
    plain = parts.scheme == "http" and settings.CHAT_WEBHOOK_PRIVATE
    if not (secure or plain) or not host or parts.username is not None or not url.isascii():
        raise Unreachable("address")
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        raise Unreachable("address")
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return Target(secure, host, port or (443 if secure else 80), path)


def look(url: str) -> None:
    """As `target`, for a form: raises `Unreachable` also where the address itself is private.

    Where a name leads is looked up when something is sent there, each time anew.
    """
    host = target(url).host
    if settings.CHAT_WEBHOOK_PRIVATE:
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            raise Unreachable("private") from None
        return
    if not is_public(host):
        raise Unreachable("private")


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer, whatever it is; raises `Unreachable` where there is none."""
    to = target(url)
    address = _address(to)
    line: socket.socket | None = None
    over = threading.Event()
    try:
        started = time.monotonic()
        line = socket.create_connection((address, to.port), timeout=PATIENCE / 2)
        alarm = threading.Timer(PATIENCE - (time.monotonic() - started), _cut, (line, over))
        alarm.daemon = True
        alarm.start()
        try:
            status = _exchange(to, line, body, headers)
        finally:
            alarm.cancel()
        if over.is_set():  # what was cut off may look like the end of an answer
            raise TimeoutError
        return status
    except ssl.SSLCertVerificationError:
        raise Unreachable("certificate") from None
    except (OSError, http.client.HTTPException) as error:
        late = over.is_set() or isinstance(error, TimeoutError)
        raise Unreachable("timeout" if late else "connection") from None
    finally:
        if line is not None:
            line.close()


def _cut(line: socket.socket, over: threading.Event) -> None:
    """Ends whatever waits for the line: one that drips a byte at a time is never silent."""
    over.set()
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _exchange(to: Target, line: socket.socket, body: bytes, headers: Mapping[str, str]) -> int:
    kind = http.client.HTTPSConnection if to.secure else http.client.HTTPConnection
    connection: Any = kind(to.host, to.port)
    wrapped = line
    if to.secure:
        wrapped = ssl.create_default_context().wrap_socket(line, server_hostname=to.host)
    connection.sock = wrapped
    try:
        connection.request("POST", to.path, body=body, headers=dict(headers))
        return int(connection.getresponse().status)
    finally:
        wrapped.close()


def _address(to: Target) -> str:
    """The one address that is asked; all of the name's must be public ones."""
    try:
        found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable("name") from None
    addresses = [str(each[4][0]) for each in found]
    if not addresses:
        raise Unreachable("name")
    if not settings.CHAT_WEBHOOK_PRIVATE and not all(map(is_public, addresses)):
        raise Unreachable("private")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is anybody's on the internet, in whatever writing it stands."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None and not inner.is_global:
            return False
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped.is_global
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
