"""Which pages may talk to the server: its own, and those that a site lists."""

import re
from urllib.parse import urlsplit

import idna
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from chat.models import Site

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PAGE_SCHEMES = {"ws": "http", "wss": "https"}


def parse(header: str | None) -> str | None:
    """The `Origin` header as an origin in lower case; None where it is none."""
    origin = (header or "").lower()
    if not _ORIGIN.fullmatch(origin):
        return None
    scheme, _, host = origin.partition("://")
    port = re.search(r":(\d+)$", host)
    if port and not 0 < int(port[1]) < 65536:
        return None
    return origin.removesuffix(_DEFAULT_PORTS[scheme])


def written(text: str) -> str | None:
    """An origin as a person writes it, as browsers send it: a name's own letters as `xn--...`."""
    scheme, mark, host = text.strip().rstrip("/").partition("://")
    if mark and not host.isascii():
        name, colon, port = host.partition(":")
        try:
            host = idna.encode(name, uts46=True).decode() + colon + port
        except idna.IDNAError:
            return None
    return parse(f"{scheme}{mark}{host}")


def of_request(scheme: str, host: str) -> str | None:
    """The origin of a page that this request's own scheme and host would have served.

    None where that host is not ours: a foreign name may lead to our address.
    """
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return None
    return parse(f"{_PAGE_SCHEMES.get(scheme, scheme)}://{host}")


def is_own(origin: str, scheme: str, host: str) -> bool:
    public = urlsplit(settings.PUBLIC_URL)
    return origin in (of_request(scheme, host), parse(f"{public.scheme}://{public.netloc}"))


def allows(site: Site, header: str | None, scheme: str, host: str) -> bool:
    """Whether a page of this `Origin` may use `site`; none was sent: not a browser, it may."""
    if header is None:
        return True
    origin = parse(header)
    return origin is not None and (is_own(origin, scheme, host) or origin in site.origins())


def known(header: str | None, scheme: str, host: str) -> bool:
    """Whether any enabled site lists this `Origin`, or it is the server's own."""
    origin = parse(header)
    if origin is None:
        return False
    if is_own(origin, scheme, host):
        return True
    return any(origin in site.origins() for site in Site.objects.filter(enabled=True))
