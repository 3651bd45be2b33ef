"""The visitor's socket: frame in, one call, done."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.db.models import CharField

from chat import limits, origins, process, tokens, visitors, wire
from chat.database import query
from chat.erasing import gone
from chat.live import live
from chat.models import Site
from chat.reading import Reader
from chat.sockets import Socket
from chat.visit import STRIKES, STRIKES_WITHIN, Visit
from salesagent.prepared import Prepared, Slot

logger = logging.getLogger(__name__)

_SITE = Prepared(lambda: Site.objects.filter(key=Slot("key", CharField()), enabled=True))


def _looked_up(identity: tokens.Identity) -> tuple[Site | None, bool]:
    """The site that a token is for, where its chat is open; and whether the visitor was erased."""
    return _SITE.first(key=identity.site), gone(*identity.since)


class ChatConsumer(AsyncConsumer):
    """The line: who connects, what is no sound frame, and silence.

    Handlers return at once, for Channels reads the next frame only then.
    """

    channel_layer_alias = "none"  # `live` alone knows the layer

    def __init__(self) -> None:
        self.visit: Visit | None = None
        self.reader: Reader | None = None
        self.last_frame = time.monotonic()
        self.strikes: deque[float] = deque(maxlen=STRIKES)
        frames, self.frames_within = limits.frames()
        self.recent: deque[float] = deque(maxlen=frames)  # when the latest came
        self.watchdog: asyncio.TimerHandle | None = None
        self.seat = limits.Seat()

    @property
    def connected(self) -> bool:
        return self.visit is not None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without the hop to a thread that Channels makes before every handler."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, message: Mapping[str, Any]) -> None:
        await process.startup()
        self.address = (self.scope.get("client") or ("",))[0]
        self.socket = Socket(self.base_send, self._catch_up)  # as it is: `send` only hands on
        await self.send({"type": "websocket.accept"})
        if not self.seat.take(self.address):
            await self.socket.close(wire.CLOSE_TOO_MANY, "retry_after=30")
            return
        self._watch(settings.CHAT_CONNECT_TIMEOUT)

    async def websocket_receive(self, message: Mapping[str, Any]) -> None:
        self.last_frame = time.monotonic()
        if self._too_many():
            await self.socket.close(wire.CLOSE_TOO_MANY, "retry_after=5")
            return
        try:
            await self._hear(message.get("text"))
        except wire.BadFrame as bad:
            await self._refuse(bad)

    async def _hear(self, text: str | None) -> None:
        frame = wire.parse(text)
        if self.visit is None:
            await self._connect(frame)
        else:
            await self.visit.take(frame)

    async def websocket_disconnect(self, message: Mapping[str, Any]) -> None:
        if self.watchdog is not None:
            self.watchdog.cancel()
        self.seat.leave()
        self.socket.gone()
        live.leave(self.socket)
        raise StopConsumer

    # --- Who connects ---------------------------------------------------------------------------

    async def _connect(self, frame: wire.Frame) -> None:
        if not isinstance(frame, wire.Connect):
            raise wire.BadFrame("The first frame is `connect`.")
        try:
            identity = tokens.read(frame.token)
        except tokens.BadToken:
            await self.socket.close(wire.CLOSE_TOKEN, "token")
            return
        try:
            site, erased = await query(_looked_up, identity)
            if site is None or not self._origin_fits(site):
                await self.socket.close(wire.CLOSE_ORIGIN, "site or origin")
                return
            if not visitors.holds(site, identity):
                await self.socket.close(wire.CLOSE_TOKEN, "token")
                return
            if erased:
                await self.socket.close(wire.CLOSE_ERASED, "erased")
                return
            if not self.seat.take_for(identity.visitor.hex):
                await self.socket.close(wire.CLOSE_TOO_MANY, "retry_after=30")
                return
            self.reader = Reader(self.socket, identity)
            visit = Visit(
                socket=self.socket,
                reader=self.reader,
                identity=identity,
                site=site,
                address=self.address,
            )
            await visit.begin(frame)
        except Exception as error:  # the database is away: the client comes back
            logger.error("not connected", extra={"error": type(error).__name__})
            await self.socket.close(wire.CLOSE_RESTARTING, "come back")
            return
        self.visit = visit

    def _origin_fits(self, site: Site) -> bool:
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin")
        host = headers.get(b"host", b"").decode("latin-1")
        header = None if origin is None else origin.decode("latin-1")
        return origins.allows(site, header, self.scope.get("scheme", "ws"), host)

    async def _catch_up(self, status: bool) -> None:
        if self.reader is not None:
            await self.reader.catch_up(status)

    # --- What is no sound frame, and silence ----------------------------------------------------

    async def _refuse(self, bad: wire.BadFrame) -> None:
        if not self.connected:
            await self.socket.close(wire.CLOSE_PROTOCOL, "connect first")
            return
        self.socket.push(
            wire.error(bad.code, bad.message, client_id=bad.client_id, about=bad.about)
        )
        if not bad.counts:
            return
        self.strikes.append(self.last_frame)
        if len(self.strikes) == STRIKES and self.last_frame - self.strikes[0] < STRIKES_WITHIN:
            await self.socket.close(wire.CLOSE_PROTOCOL, "too many broken frames")

    def _too_many(self) -> bool:
        self.recent.append(self.last_frame)
        full = len(self.recent) == self.recent.maxlen
        return (
            settings.CHAT_RATES and full and self.last_frame - self.recent[0] < self.frames_within
        )

    def _watch(self, seconds: float) -> None:
        """Closes the socket where nothing was heard for so long."""
        self.watchdog = asyncio.get_running_loop().call_later(seconds, self._silent)

    def _silent(self) -> None:
        patience = settings.CHAT_SILENCE_TIMEOUT if self.connected else 0.0
        left = patience - (time.monotonic() - self.last_frame)
        if left > 0.001:  # a loop calls a moment early: then it is time, not time once more
            self._watch(left)
        else:
            live.spawn(self.socket.close(wire.CLOSE_SLOW, "silent"))
