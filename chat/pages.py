"""What a browser asks for by itself: the embed tag's script, and the chat as a page of its own."""

import hashlib
import json
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from chat import demo, origins, personas
from chat.looks import looks
from chat.models import Site
from salesagent.static import ENTRY, EXTRAS, SHEETS, WIDGET, compact, compact_style, packed

_RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}


class Loader(NamedTuple):
    """The script in both forms, and the name of what it holds."""

    plain: bytes
    packed: bytes
    etag: str


@require_safe
def widget_js(request: HttpRequest) -> HttpResponseBase:
    """The loader, at an address that never changes. The same for every host and page."""
    build = _loader.__wrapped__ if settings.DEBUG else _loader
    loader = build(json.dumps(looks(), separators=(",", ":")))
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(loader.packed if packs else loader.plain, "text/javascript")
    if packs:
        response["Content-Encoding"] = "gzip"
    response["Vary"] = "Accept-Encoding"
    response["Cache-Control"] = "public, max-age=300, stale-while-revalidate=86400"
    response["ETag"] = etag = f'W/"{loader.etag}"'
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return get_conditional_response(request, etag=etag, response=response) or response


@lru_cache(maxsize=1)
def _loader(looks: str) -> Loader:
    """`loader.js` with the launcher's style, the sites' looks, and the addresses it may fetch."""
    names = [ENTRY, *((*SHEETS, *EXTRAS.values()) if settings.DEBUG else SHEETS[:1])]
    launcher = compact_style((WIDGET / "launcher.css").read_text())
    files = ",".join(json.dumps(static(f"widget/{name}")) for name in names)
    given = f"[{json.dumps(launcher)},{looks},{files}]"
    script = (WIDGET / "loader.js").read_text().replace('"WIDGET_FILES"', given)
    plain = compact(script).encode()
    return Loader(plain, packed(plain), hashlib.sha256(plain).hexdigest()[:16])


@require_safe
def chat_page(request: HttpRequest, key: str) -> HttpResponse:
    """The chat of one site, filling the page: to link to from an e-mail or a QR code.

    Above it a line leads home: to the first origin that the site lists, its company's website.
    """
    found = Site.objects.select_related("persona__published").filter(key=key, enabled=True)
    site = found.first()
    if site is None:
        return render(request, "chat/unknown.html", status=404)
    context = {
        "site": site,
        "greeting": personas.greeting(site.persona.published, site),
        "icon": _icon(site),
        "home": next(filter(None, map(origins.parse, site.allowed_origins.split())), ""),
        "direction": "rtl" if site.language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr",
    }
    return render(request, "chat/page.html", context)


@require_safe
def demo_page(request: HttpRequest) -> HttpResponse:
    """The website of the demo's company, with the chat on it; there as long as the demo is."""
    site = Site.objects.filter(key=demo.KEY, enabled=True).first()
    if site is None:
        return render(request, "chat/unknown.html", status=404)
    return render(request, "chat/demo.html", {"site": site, "icon": _icon(site)})


def _icon(site: Site) -> str:
    drawn = render_to_string("chat/icon.svg", {"site": site})
    return f"data:image/svg+xml,{quote(drawn)}"
