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

from chat import limits, wire
from chat.live import live
from chat.reading import Reader
from chat.sockets import Socket
from chat.views import Problem, bearer, body_of, json_answer, number_of, route
from chat.visit import Visit

MAX_FRAMES = 20  # in one request
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
    line = _Line()
    socket = Socket(line.send, lambda status: reader.catch_up(status))
    reader = Reader(socket, identity)
    visit = Visit(socket=socket, reader=reader, identity=identity, site=site, address=address)
    return StreamingHttpResponse(
        _flow(line, visit, frame, socket, address, identity.visitor.hex),
        content_type="text/event-stream",
        headers=_UNBUFFERED,
    )


class _Line:
    """Takes what the server would send to a socket, one at a time, as its reader reads."""

    def __init__(self) -> None:
        self._next: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1)

    async def send(self, message: dict[str, Any]) -> None:
        await self._next.put(message)

    async def next(self) -> dict[str, Any] | None:
        """None: nothing to say for a while."""
        try:
            async with asyncio.timeout(settings.CHAT_HEARTBEAT):
                return await self._next.get()
        except TimeoutError:
            return None


async def _flow(
    line: _Line, visit: Visit, frame: wire.Connect, socket: Socket, address: str, visitor: str
) -> AsyncIterator[str]:
    """The events, until one side has had enough."""
    seat = limits.Seat()
    if not (seat.take(address) and seat.take_for(visitor)):
        seat.leave()
        yield _closing(wire.CLOSE_TOO_MANY, "retry_after=30")
        return
    live.lines.add(socket)
    try:
        beginning = live.spawn(visit.begin(frame))
        yield ": open\n\n"  # so that a proxy passes the headers on
        while True:
            message = await line.next()
            if beginning.done() and beginning.exception() is not None:
                yield _closing(wire.CLOSE_RESTARTING, "come back")
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
        live.lines.discard(socket)
        socket.gone()
        live.leave(socket)


def _closing(code: int, reason: str) -> str:
    return f"event: close\ndata: {json.dumps({'code': code, 'reason': reason})}\n\n"


@route("POST")
async def frames(request: HttpRequest) -> HttpResponse:
    """Frames of the client, done in their order; the answer holds what is for it alone."""
    identity, site = await bearer(request)
    body = body_of(request)
    given = body.get("frames")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_FRAMES:
        raise Problem(400, "bad_request", _("The field 'frames' is missing or wrong."))
    try:
        page, locale = wire.page(body.get("page")), wire.locale(body.get("locale"))
    except wire.BadFrame as bad:
        raise Problem(400, "bad_request", bad.message) from None
    wait = await limits.wait(("frames", identity.visitor.hex))
    if wait:
        text = _("You are writing too fast. Please wait a moment.")
        raise Problem(429, "rate_limited", text, retry_after=wait)
    answers: list[dict[str, Any]] = []

    async def keep(message: dict[str, Any]) -> None:
        answers.append(json.loads(message["text"]))

    async def reload(status: bool) -> None:
        """What happens meanwhile comes by the other line."""

    socket = Socket(keep, reload)
    reader = Reader(socket, identity)
    address = request.META.get("REMOTE_ADDR", "")
    visit = Visit(socket=socket, reader=reader, identity=identity, site=site, address=address)
    visit.introduce(page, locale)
    try:
        for frame in given:
            await _take(visit, socket, frame)
        await socket.emptied()
    finally:
        socket.gone()
        live.leave(socket)
    return json_answer({"frames": answers})


async def _take(visit: Visit, socket: Socket, frame: Any) -> None:
    try:
        await visit.take(wire.parse(json.dumps(frame)))
    except wire.BadFrame as bad:
        socket.push(wire.error(bad.code, bad.message, client_id=bad.client_id, about=bad.about))
