"""The staff's socket: who may open it. The line itself is the visitor's."""

import logging
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings

from chat import origins, process, staff, staff_wire, wire
from chat.consumers import ChatConsumer
from chat.database import query
from chat.live import live
from chat.sockets import Socket
from chat.staff_visit import StaffVisit

logger = logging.getLogger(__name__)


class StaffConsumer(ChatConsumer):
    """Opens for a session of staff, from a page of this server's own origin.

    The session is asked for again at every act, in `StaffVisit`.
    """

    staff: StaffVisit | None = None

    @property
    def connected(self) -> bool:
        return self.staff is not None

    async def websocket_connect(self, message: Mapping[str, Any]) -> None:
        await process.startup()
        self.address = (self.scope.get("client") or ("",))[0]
        self.socket = Socket(self.base_send, self._catch_up)
        await self.send({"type": "websocket.accept"})
        if not self.seat.take(self.address):
            await self.socket.close(wire.CLOSE_TOO_MANY, "retry_after=30")
            return
        if not self._is_own_page():
            await self.socket.close(wire.CLOSE_ORIGIN, "origin refused")
            return
        session = self._session()
        try:
            member = await query(staff.member, session) if session else None
        except Exception as error:  # the database is away: the client comes back
            logger.error("staff not connected", extra={"error": type(error).__name__})
            await self.socket.close(wire.CLOSE_RESTARTING, "come back")
            return
        if member is None or not member.may("view_conversation"):
            await self.socket.close(wire.CLOSE_TOKEN, "login")
            return
        self.staff = StaffVisit(self.socket, session, member)
        self.staff.begin()
        self._watch(settings.CHAT_SILENCE_TIMEOUT)

    async def websocket_disconnect(self, message: Mapping[str, Any]) -> None:
        live.desk.discard(self.socket)
        await super().websocket_disconnect(message)

    async def _hear(self, text: str | None) -> None:
        if self.staff is not None and not self.socket.closed:
            await self.staff.take(staff_wire.parse(text))

    async def _catch_up(self, status: bool) -> None:
        if self.staff is not None:
            await self.staff.catch_up()

    def _is_own_page(self) -> bool:
        headers = dict(self.scope["headers"])
        origin = origins.parse(headers.get(b"origin", b"").decode("latin-1"))
        host = headers.get(b"host", b"").decode("latin-1")
        return origin is not None and origins.is_own(origin, self.scope.get("scheme", "ws"), host)

    def _session(self) -> str:
        """The session's cookie, or nothing."""
        sent = dict(self.scope["headers"]).get(b"cookie", b"").decode("latin-1")
        try:
            found = SimpleCookie(sent).get(settings.SESSION_COOKIE_NAME)
        except CookieError:
            return ""
        return found.value if found else ""
