"""The chat over HTTP: init, history, health, and what of a message can be spoken."""

import logging
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from chat import (
    consents,
    conversations,
    limits,
    looks,
    metrics,
    origins,
    personas,
    process,
    speaking,
    tokens,
    visitors,
    watching,
    wire,
)
from chat.database import query
from chat.erasing import gone
from chat.health import checks as health_checks
from chat.identity import Broken, Signed, fits, mark
from chat.identity import read as read_identity
from chat.live import live
from chat.models import Message, Site
from voice import engines
from voice.speech import segments

logger = logging.getLogger(__name__)

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class Problem(Exception):
    """An answer that is an error, with a sentence for a person."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.retry_after = retry_after

    def response(self) -> JsonResponse:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        response = json_answer({"error": error}, self.status)
        if self.retry_after is not None:
            response["Retry-After"] = str(self.retry_after)
        return response


def route(method: str) -> Callable[[View], View]:
    """A route of the widget: one method, preflights, CORS for known origins, errors as JSON."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            origin = request.headers.get("Origin")
            response: HttpResponseBase
            try:
                scheme, host = request.scheme or "http", request.get_host()
                if origin is not None and not await query(origins.known, origin, scheme, host):
                    raise Problem(403, "origin_refused", _("This page may not use the chat."))
                if request.method == "OPTIONS":
                    response = _preflight(method)
                elif request.method == method:
                    response = await view(request, *args, **kwargs)
                else:
                    response = _not_allowed(method)
            except Problem as problem:
                response = problem.response()
                if problem.code == "origin_refused":
                    return _varying(response)
            except Exception as error:
                logger.error(
                    "request failed",
                    exc_info=settings.DEBUG,
                    extra={"view": view.__name__, "error": type(error).__name__},
                )
                text = _("Please try again in a moment.")
                response = Problem(503, "unavailable", text, retry_after=2).response()
            if origin is not None:
                response["Access-Control-Allow-Origin"] = origin
                response["Access-Control-Expose-Headers"] = "Retry-After"
            return _varying(response)

        return answer

    return decorate


def _preflight(method: str) -> HttpResponse:
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = method
    response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    response["Access-Control-Max-Age"] = "7200"
    return response


def _not_allowed(method: str) -> HttpResponse:
    text = _("This address answers %(method)s only.") % {"method": method}
    response = Problem(405, "method_not_allowed", text).response()
    response["Allow"] = f"{method}, OPTIONS"
    return response


def _varying(response: HttpResponseBase) -> HttpResponseBase:
    response["Vary"] = "Origin"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def json_answer(data: Any, status: int = 200) -> JsonResponse:
    response = JsonResponse(data, status=status, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "no-store"
    return response


# --- Opening the chat ---------------------------------------------------------------------------


@route("POST")
async def init(request: HttpRequest) -> HttpResponse:
    """Opens or resumes a visitor's chat. Stores nothing."""
    body = body_of(request)
    key, token = body.get("site"), body.get("token")
    try:
        wire.page(body.get("page"))
        locale = wire.locale(body.get("locale"))
    except wire.BadFrame as bad:
        raise Problem(400, "bad_request", bad.message) from None
    if not isinstance(key, str) or not isinstance(token, str | None):
        raise Problem(400, "bad_request", _("The field 'site' or 'token' is missing or wrong."))
    told = _told(body)
    site = await query(_site, key)
    if site is None:
        raise Problem(404, "unknown_site", _("There is no such site here."))
    _check_origin(site, request)
    network = limits.network(request.META.get("REMOTE_ADDR", ""))
    wait = await limits.wait(
        ("init", network), *([("new_visitors", network)] if token is None else [])
    )
    if wait:
        text = _("You are writing too fast. Please wait a moment.")
        raise Problem(429, "rate_limited", text, retry_after=wait)
    identity = tokens.fresh(key) if token is None else _identity(token, site)
    if token is not None and await query(gone, *identity.since):
        raise _bad_token()
    identity = replace(identity, locale=locale or identity.locale)
    if told is not None:
        identity = await _signed_in(site, identity, *told)
    return json_answer(await query(_opened, site, identity, _socket_url(request)))


def _told(body: dict[str, Any]) -> tuple[Signed, str] | None:
    """The `identity` of the body with its hash, of sound form."""
    try:
        return read_identity(body.get("identity"))
    except Broken as broken:
        raise Problem(400, "bad_request", str(broken)) from None


async def _signed_in(
    site: Site, identity: tokens.Identity, signed: Signed, found: str
) -> tokens.Identity:
    if not fits(signed, found, site.identity_key):
        raise Problem(403, "bad_identity", _("The website has not signed this identity."))
    signed = replace(signed, key=mark(site.identity_key))
    identified = await query(visitors.identify, site, identity, signed)
    if identified.moved is not None:  # tabs that hold the old token have nothing to read there
        await live.state_changed(identified.moved)
    return identified.identity


def body_of(request: HttpRequest) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Problem(415, "unsupported_type", _("Send application/json."))
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = 0
    if length > wire.MAX_FRAME or len(request.body) > wire.MAX_FRAME:
        raise Problem(413, "too_large", _("That is too large."))
    try:
        return wire.decode(request.body.decode())
    except (UnicodeDecodeError, wire.BadFrame):
        raise Problem(400, "bad_request", _("That is not sound JSON.")) from None


def _site(key: str) -> Site | None:
    if not _KEY.fullmatch(key):
        return None
    sites = Site.objects.select_related("persona__published")
    return sites.filter(key=key, enabled=True).first()


def _check_origin(site: Site, request: HttpRequest) -> None:
    origin = request.headers.get("Origin")
    if not origins.allows(site, origin, request.scheme or "http", request.get_host()):
        raise Problem(403, "origin_refused", _("This page may not use the chat."))


def _identity(token: str, site: Site | None = None) -> tokens.Identity:
    """Whose token it is; of `site`, where one is given."""
    try:
        identity = tokens.read(token)
    except tokens.BadToken:
        raise _bad_token() from None
    if site is not None and (identity.site != site.key or not visitors.holds(site, identity)):
        raise _bad_token()
    return identity


def _bad_token() -> Problem:
    return Problem(401, "bad_token", _("Please open the chat again."))


def _socket_url(request: HttpRequest) -> str:
    base = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    return base.replace("http", "ws", 1) + "/socket"


def _opened(site: Site, identity: tokens.Identity, socket: str) -> dict[str, Any]:
    """The answer of init."""
    talk = conversations.current(identity.visitor, identity.conversation)
    messages: list[Message] = []
    earlier = False
    if talk.row is not None:
        messages, earlier = conversations.history(talk.id)
    version = personas.published(site)
    return {
        "token": tokens.issue(replace(identity, conversation=talk.id)),
        "visitor": str(identity.visitor),
        "conversation": talk.as_field(),
        "messages": [message.as_frame() for message in messages],
        "earlier": earlier,
        "site": {
            "name": site.name,
            "agent": looks.agent(site, version),
            "greeting": personas.greeting(version, site),
            "suggestions": personas.suggestions(version, site),
            "texts": looks.texts(site),
            "theme": looks.theme(site),
            "consent": consents.offered(site, identity.visitor),
            "locale": site.language,
        },
        "voice": speaking.modes(site.key),
        "limits": {"text": wire.MAX_TEXT, "frame": wire.MAX_FRAME},
        "socket": socket,
        "heartbeat": settings.CHAT_HEARTBEAT,
        "time": timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


@route("GET")
async def greeting(request: HttpRequest) -> HttpResponse:
    """What the closed chat says by itself, and when: the same for every visitor of a site."""
    site = await query(_site, request.GET.get("site", ""))
    if site is None:
        raise Problem(404, "unknown_site", _("There is no such site here."))
    _check_origin(site, request)
    told = looks.greeting(site, site.persona.published)
    if told is None:
        raise Problem(404, "no_greeting", _("This site does not greet by itself."))
    response = json_answer(told)
    response["Cache-Control"] = "public, max-age=300"
    return response


# --- What was said ------------------------------------------------------------------------------


@route("GET")
async def messages(request: HttpRequest) -> HttpResponse:
    """Earlier messages, 50 at a time, before the one with `seq` BEFORE."""
    before = number_of(request, "before")
    talk = await _talk(request)
    if talk.row is None:
        return json_answer({"messages": [], "earlier": False})
    page, earlier = await query(conversations.history, talk.id, before)
    return json_answer({"messages": [message.as_frame() for message in page], "earlier": earlier})


def number_of(request: HttpRequest, name: str) -> int | None:
    """A parameter that counts something; None where it is not given."""
    given = request.GET.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        text = _("The parameter '%(name)s' is no such number.") % {"name": name}
        raise Problem(400, "bad_request", text)
    return int(given)


@route("GET")
async def speech(request: HttpRequest, message: str) -> HttpResponse:
    """What of a stored reply can be spoken, segment by segment."""
    found = await _spoken(request, message)
    parts = [
        {
            "n": each.n,
            "text": each.text,
            "off": wire.units(found.text[: each.start]),
            "size": wire.units(found.text[each.start : each.end]),
        }
        for each in segments(found.text)
    ]
    return json_answer({"segments": parts, "attempt": found.attempt})


@route("GET")
async def audio(request: HttpRequest, message: str, n: str) -> HttpResponseBase:
    """Segment `n` of a reply as sound, while it is being spoken."""
    attempt = number_of(request, "attempt")
    identity, _site = await bearer(request)
    if engines.output() != "server" or not (n.isascii() and n.isdigit() and len(n) < 5):
        raise _nothing()
    wait = await limits.wait(("voice", identity.visitor.hex))
    if wait:
        raise Problem(429, "rate_limited", _("Please wait a moment."), retry_after=wait)
    talk = await query(conversations.current, identity.visitor, identity.conversation)
    try:
        sound = await speaking.sound(talk.id, message, int(n), attempt)
    except conversations.Refused:
        raise _nothing() from None
    except speaking.Silent as silent:
        raise Problem(silent.status, silent.code, silent.message, silent.retry_after) from None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if sound.pieces is None:
        return HttpResponse(sound.whole, content_type=sound.type, headers=headers)
    return StreamingHttpResponse(sound.pieces, content_type=sound.type, headers=headers)


async def _spoken(request: HttpRequest, message: str) -> Message:
    talk = await _talk(request)
    try:
        found = await query(conversations.message_of, talk.id, message)
    except conversations.Refused:
        raise _nothing() from None
    if found.role not in (Message.Role.AGENT, Message.Role.STAFF):
        raise _nothing()
    return found


def _nothing() -> Problem:
    return Problem(404, "not_found", _("There is no such message here."))


async def bearer(request: HttpRequest, *, erased: bool = False) -> tuple[tokens.Identity, Site]:
    """Who holds the token in the request's `Authorization`, and of which site it is.

    A visitor who was erased since is nobody, unless `erased` says that this makes no difference.
    """
    kind, __, token = request.headers.get("Authorization", "").partition(" ")
    identity = _identity(token.strip() if kind.lower() == "bearer" else "")
    site = await query(_site, identity.site)
    if site is None or not visitors.holds(site, identity):
        raise _bad_token()
    if not erased and await query(gone, *identity.since):
        raise _bad_token()
    _check_origin(site, request)
    return identity, site


async def _talk(request: HttpRequest) -> conversations.Talk:
    """The conversation that the bearer's token opens."""
    identity, _site = await bearer(request)
    return await query(conversations.current, identity.visitor, identity.conversation)


# --- Health -------------------------------------------------------------------------------------


@csrf_exempt
async def health(request: HttpRequest) -> HttpResponse:
    """Whether the product can serve, and what of it is not well. No paid call, no secret."""
    if request.method not in ("GET", "HEAD"):
        return _not_allowed("GET")
    await process.startup()
    checks = await health_checks()
    if checks["database"]["status"] != "ok":
        return json_answer({"status": "down", "checks": checks}, 503)
    well = all(check["status"] in ("ok", "off") for check in checks.values())
    return json_answer({"status": "ok" if well else "degraded", "checks": checks})


@csrf_exempt
async def figures(request: HttpRequest) -> HttpResponse:
    """`/metrics` for Prometheus, to whoever holds CHAT_METRICS_TOKEN; else it is not there."""
    token = settings.CHAT_METRICS_TOKEN
    kind, __, given = request.headers.get("Authorization", "").partition(" ")
    fits = constant_time_compare(given.strip(), token) and kind.lower() == "bearer"
    if not token or not fits or request.method not in ("GET", "HEAD"):
        return unknown(request)
    await process.startup()
    watching.measure()
    response = HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    # Several processes may share the port: the next scrape is to meet another one.
    response["Connection"] = "close"
    return response


@csrf_exempt
def unknown(request: HttpRequest) -> HttpResponse:
    """Every other address under /api/."""
    return Problem(404, "not_found", _("There is nothing here.")).response()
