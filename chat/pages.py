"""What a browser asks for by itself: the embed tag's script, and the chat as a page of its own."""

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from chat.models import Site
from salesagent.static import compact, compact_style

WIDGET = Path(settings.BASE_DIR) / "static" / "widget"


class Loader(NamedTuple):
    """The script in both forms, and the name of what it holds."""

    plain: bytes
    packed: bytes
    etag: str


@require_safe
def widget_js(request: HttpRequest) -> HttpResponseBase:
    """The loader, at an address that never changes. The same for every host and page."""
    loader = _loader() if settings.DEBUG else _built_loader()
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


@cache
def _built_loader() -> Loader:
    return _loader()


def _loader() -> Loader:
    """`loader.js` with the addresses of everything it may fetch, and the launcher's style."""
    names = ["define.js", "chat-widget.css", "messages.css"]  # the entry first
    names += sorted(path.name for path in WIDGET.glob("*.js"))
    names = [name for name in dict.fromkeys(names) if name != "loader.js"]
    launcher = compact_style((WIDGET / "launcher.css").read_text())
    files = [launcher, *(static(f"widget/{name}") for name in names)]
    script = compact((WIDGET / "loader.js").read_text())
    plain = script.replace('"WIDGET_FILES"', json.dumps(files, separators=(",", ":"))).encode()
    return Loader(plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:16])


@require_safe
def chat_page(request: HttpRequest, key: str) -> HttpResponse:
    """The chat of one site, filling the page: to link to from an e-mail or a QR code."""
    site = Site.objects.filter(key=key, enabled=True).first()
    if site is None:
        return render(request, "chat/unknown.html", status=404)
    return render(request, "chat/page.html", {"site": site})
