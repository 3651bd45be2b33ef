"""The socket's frames over HTTP, for clients behind a proxy that lets no WebSocket through.

Down goes one answer that does not end, a frame an event. Up goes a request with frames; what
answers a frame itself comes back with the request, all else by the other line. Both may reach
different processes: what joins them is the conversation, as with two tabs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _

from chat import conversations, limits, lines, wire
from chat.database import query
from chat.live import live
from chat.reading import Reader
from chat.sockets import Socket
from chat.tokens import Identity
from chat.views import Problem, bearer, body_of, json_answer, number_of, route
from chat.visit import STRIKES, STRIKES_WITHIN, Visit

MAX_FRAMES = 20  # in one request
_BROKEN = (wire.CLOSE_PROTOCOL, "too many broken frames")
_UNBUFFERED = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


@route("GET")
async def events(request: HttpRequest) -> HttpResponseBase:
    """What a socket sends, from `connect` on: `rev`, `epoch` and `locale` are parameters."""
    identity, site = await bearer(request)
    try:
        locale = wire.locale(request.GET.get("locale"))
    except wire.BadFrame as bad:
        raise Problem(400, "bad_request", bad.message) from None
    epoch = request.GET.get("epoch")
    frame = wire.Connect("", number_of(request, "rev") or 0, wire.VERSION, epoch, None, locale)
    address = request.META.get("REMOTE_ADDR", "")
    down = _Down()
    socket = Socket(down.send, lambda status: reader.catch_up(status))
    reader = Reader(socket, identity)
    visit = Visit(socket=socket, reader=reader, identity=identity, site=site, address=address)
    return StreamingHttpResponse(
        _flow(down, visit, frame, lines.Line(identity.visitor, socket), address),
        content_type="text/event-stream",
        headers=_UNBUFFERED,
    )


class _Down:
    """Takes what the server would send to a socket, one at a time, as its reader reads."""

    def __init__(self) -> None:
        self._next: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1)

    async def send(self, message: dict[str, Any]) -> None:
        await self._next.put(message)

    async def next(self, patience: float) -> dict[str, Any] | None:
        """None: nothing to say for so long."""
        try:
            async with asyncio.timeout(patience):
                return await self._next.get()
        except TimeoutError:
            return None


async def _flow(
    down: _Down, visit: Visit, frame: wire.Connect, line: lines.Line, address: str
) -> AsyncIterator[str]:
    """The events, until one side has had enough."""
    seat, socket = limits.Seat(), line.socket
    if not (seat.take(address) and seat.take_for(line.visitor.hex)):
        seat.leave()
        yield _closing(wire.CLOSE_TOO_MANY, "retry_after=30")
        return
    line.open()
    try:
        beginning = live.spawn(visit.begin(frame))
        yield ": open\n\n"  # so that a proxy passes the headers on
        while True:
            silent = line.silent_in()
            message = await down.next(min(settings.CHAT_HEARTBEAT, max(0, silent)))
            if beginning.done() and beginning.exception() is not None:
                yield _closing(wire.CLOSE_RESTARTING, "come back")
                return
            if message is None and line.silent_in() <= 0:
                yield _closing(wire.CLOSE_SLOW, "silent")
                return
            if message is None:
                yield ": still here\n\n"
            elif message["type"] == "websocket.close":
                yield _closing(message["code"], message["reason"])
                return
            else:
                yield f"data: {message['text']}\n\n"
    finally:
        seat.leave()
        line.close()
        socket.gone()
        live.leave(socket)


def _closing(code: int, reason: str) -> str:
    return f"event: close\ndata: {json.dumps({'code': code, 'reason': reason})}\n\n"


@route("POST")
async def frames(request: HttpRequest) -> HttpResponse:
    """Frames of the client, done in their order; the answer holds what is for it alone."""
    identity, site = await bearer(request)
    try:
        given, page, locale = _given(request)
    except Problem:
        await _broken(identity)
        raise
    wait = await limits.wait(("frames", identity.visitor.hex), cost=len(given))
    if wait:
        text = _("You are writing too fast. Please wait a moment.")
        raise Problem(429, "rate_limited", text, retry_after=wait)
    answers: list[dict[str, Any]] = []

    async def keep(message: dict[str, Any]) -> None:
        answers.append(json.loads(message["text"]))

    async def reload(status: bool) -> None:
        """What happens meanwhile comes by the other line."""

    talk = await query(conversations.current, identity.visitor, identity.conversation)
    socket = Socket(keep, reload)
    visit = Visit(
        socket=socket,
        reader=Reader(socket, identity),
        identity=identity,
        site=site,
        address=request.META.get("REMOTE_ADDR", ""),
        conversation=talk.id,
    )
    visit.introduce(page, locale)
    closes: dict[str, Any] = {}
    try:
        for frame in given:
            if await _take(visit, socket, frame, identity) and await _broken(identity):
                closes = {"close": dict(zip(("code", "reason"), _BROKEN, strict=True))}
                break
        await socket.emptied()
        lines.heard(identity.visitor, socket.conversation or talk.id)
    finally:
        socket.gone()
        live.leave(socket)
    return json_answer({"frames": answers, **closes})


def _given(request: HttpRequest) -> tuple[list[Any], wire.Page | None, str]:
    """The frames of a request, the page they come from, and the locale."""
    body = body_of(request)
    given = body.get("frames")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_FRAMES:
        raise Problem(400, "bad_request", _("The field 'frames' is missing or wrong."))
    try:
        return given, wire.page(body.get("page")), wire.locale(body.get("locale"))
    except wire.BadFrame as bad:
        raise Problem(400, "bad_request", bad.message) from None


async def _take(visit: Visit, socket: Socket, frame: Any, identity: Identity) -> bool:
    """Does one frame; True: it was broken, and counts for the close."""
    try:
        parsed = wire.parse(json.dumps(frame))
        if isinstance(parsed, wire.Sound):  # it is the visitor's other line that speaks
            lines.sound(identity.visitor, parsed.on)
        else:
            await visit.take(parsed)
    except wire.BadFrame as bad:
        socket.push(wire.error(bad.code, bad.message, client_id=bad.client_id, about=bad.about))
        return bad.counts
    return False


async def _broken(identity: Identity) -> bool:
    """The visitor has sent what is no frame; at the third in a minute the lines close."""
    third = await limits.struck(identity.visitor.hex, STRIKES, STRIKES_WITHIN)
    if third:
        lines.close(identity.visitor, *_BROKEN)
    return third
