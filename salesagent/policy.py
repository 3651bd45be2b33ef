"""Which content security policy a response gets, and what else a browser is told beside it.

A page of ours names its scripts by a nonce, made anew for each answer: so such a page may not be
kept, neither by a proxy nor by the browser. What is no page may do nothing at all where somebody
opens it as one.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF, STRICT_DYNAMIC, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from chat import demo, looks
from landing import content

Directives = Mapping[str, list[Any]]

NOTHING: Directives = {
    "default-src": [NONE],
    "base-uri": [NONE],
    "object-src": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}
# The widget adopts its sheets and asks for the rest by the same origin. Scripts come in by their
# nonce alone, and no string becomes one.
PAGE: Directives = {
    **NOTHING,
    "script-src": [NONE],
    "style-src": [SELF],
    "img-src": [SELF],
    "font-src": [SELF],
    "connect-src": [SELF],
    "media-src": [SELF, "blob:"],
    "manifest-src": [SELF],
    "worker-src": [SELF],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["worker"],  # static/landing/register.js
}
# Alpine evaluates the attributes of Unfold's pages, and writes into `style` attributes; nothing
# else may be inline, and no foreign host is asked for anything.
ADMIN: Directives = {
    **NOTHING,
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF],
    "style-src-attr": [UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "media-src": ["blob:"],  # static/admin_desk/voice.js
    "manifest-src": [SELF],
    "form-action": [SELF],
}
# Nothing of ours asks for any of these; the microphone is for the chat.
PERMISSIONS = ", ".join(
    [
        *(f"{name}=()" for name in ("camera", "display-capture", "geolocation", "payment", "usb")),
        *(f"{name}=()" for name in ("serial", "hid", "midi", "browsing-topics")),
        "microphone=(self)",
    ]
)


class PolicyMiddleware(CSPMiddleware):
    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response = super().process_response(request, response)
        response.setdefault("Permissions-Policy", PERMISSIONS)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if getattr(request, "_csp_nonce", None):
            response["Cache-Control"] = "private, no-cache"
        elif "public" in response.get("Cache-Control", ""):
            # Who sends a session that is none gets it deleted; whoever shares the cache must not.
            response.cookies.clear()
        elif _in_admin(request) and _is_page(response):
            response.setdefault("Cache-Control", "private, no-store")
        return response

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only:
            parts.config = dict(directives(request, response))
        return parts


def directives(request: HttpRequest, response: HttpResponseBase) -> Directives:
    """The policy of a response; a view's own decorators of django-csp go before it."""
    if _in_admin(request):
        return ADMIN
    if not _is_page(response):
        return NOTHING
    if not getattr(request, "_csp_nonce", None):
        return PAGE
    return {
        **PAGE,
        "script-src": [NONCE, STRICT_DYNAMIC],
        "img-src": [SELF, *_pictures(request)],
        "connect-src": [SELF, *_socket()],
    }


def _in_admin(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.app_name == "admin"


def _is_page(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").startswith("text/html")


def _pictures(request: HttpRequest) -> Iterator[str]:
    """What a page with the chat on it shows of others: the agent's picture."""
    match = request.resolver_match
    if match is None:
        return
    pages = {"landing": content.SITE, "demo": demo.KEY, "chat": match.kwargs.get("key", "")}
    if match.url_name in ("demo", "chat"):
        yield "data:"  # their icon, drawn from the site's name
    origin = looks.picture(pages.get(match.url_name or "", ""))
    if origin is not None:
        yield origin


def _socket() -> Iterator[str]:
    """Where the chat's socket is, if a page may come from another name of this server."""
    if settings.PUBLIC_URL:
        public = urlsplit(settings.PUBLIC_URL)
        yield f"{public.scheme.replace('http', 'ws', 1)}://{public.netloc}"
