"""The marketing page around the widget's tag, and what browsers and crawlers ask for beside it."""

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urljoin

from csp.constants import SELF
from csp.decorators import csp_replace
from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from landing import content

ICON_SIZES = (192, 512)
OFFLINE = "landing/offline.html"
WORKER = Path(__file__).with_name("worker.js")


@require_safe
@gzip_page  # it says nothing that is secret
def index(request: HttpRequest) -> HttpResponse:
    origin = _origin(request)
    card = urljoin(f"{origin}/", static("landing/card.png"))  # a CDN's address stays as it is
    return render(request, "landing/index.html", {"origin": origin, "card": card})


@require_safe
@cache_control(public=True, max_age=86400)
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it here whatever a page says."""
    return HttpResponsePermanentRedirect(static("landing/favicon.ico"))


@require_safe
@cache_control(public=True, max_age=3600)
def robots(request: HttpRequest) -> HttpResponse:
    # Not `/chat/`: a page must be read for its `noindex` to be seen.
    rules = ["User-agent: *", "Disallow: /admin/", "Disallow: /api/"]
    lines = [*rules, "", f"Sitemap: {_origin(request)}/sitemap.xml", ""]
    return HttpResponse("\n".join(lines), "text/plain; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=3600)
def sitemap(request: HttpRequest) -> HttpResponse:
    """The landing page alone: a list of the sites' chats would name the company's customers."""
    context = {"addresses": [f"{_origin(request)}/"]}
    return render(request, "landing/sitemap.xml", context, "application/xml")


@require_safe
@cache_control(public=True, max_age=3600)
def manifest(request: HttpRequest) -> HttpResponseBase:
    """What a phone shows when somebody puts the page on their home screen."""
    icons = [
        {
            "src": static(f"landing/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }
        for size in ICON_SIZES
        for purpose in ("any", "maskable")
    ]
    described = {
        "name": content.NAME,
        "short_name": content.NAME,
        "description": content.DESCRIPTION,
        "start_url": "/",
        "display": "browser",
        "background_color": "#fbfaf7",
        "theme_color": "#fbfaf7",
        "icons": icons,
    }
    return JsonResponse(described, content_type="application/manifest+json")


@require_safe
@cache_control(no_cache=True)
@csp_replace({"script-src": [SELF]})  # no nonce in what is kept
def offline(request: HttpRequest) -> HttpResponse:
    """What a browser keeps, to show it where a page cannot be reached."""
    return render(request, OFFLINE)


@require_safe
@cache_control(no_cache=True)
@csp_replace({"connect-src": [SELF]})  # what it fetches, by its own policy and not the page's
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker that shows it. Another page or file in it makes another worker."""
    page = render_to_string(OFFLINE)
    files = re.findall(rf'(?:href|src)="({re.escape(settings.STATIC_URL)}[^"]+)"', page)
    source = WORKER.read_text()
    version = hashlib.sha256((source + page).encode()).hexdigest()[:12]
    script = source.replace('"OFFLINE_FILES"', json.dumps([reverse("offline"), *files]))
    return HttpResponse(script.replace("VERSION", version), "text/javascript; charset=utf-8")


def _origin(request: HttpRequest) -> str:
    """Where the world reaches this server, without a slash at the end."""
    return settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
