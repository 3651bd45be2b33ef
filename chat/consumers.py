"""The visitor's socket: frame in, one call, done."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.utils.translation import gettext as _

from chat import conversations, limits, origins, tokens, turns, wire
from chat.conversations import Changes, Refused
from chat.database import query
from chat.live import live
from chat.models import Site
from chat.sockets import Socket

logger = logging.getLogger(__name__)

STRIKES = 3  # broken frames
STRIKES_WITHIN = 60.0  # seconds


class ChatConsumer(AsyncConsumer):
    """Handlers return at once: Channels reads the next frame only then."""

    channel_layer_alias = "none"  # `live` alone knows the layer
    identity: tokens.Identity
    site: Site

    def __init__(self) -> None:
        self.connected = False
        self.page: wire.Page | None = None
        self.locale = ""
        self.last_frame = time.monotonic()
        self.strikes: deque[float] = deque(maxlen=STRIKES)
        self.watchdog: asyncio.TimerHandle | None = None
        self.counted = False

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without the hop to a thread that Channels makes before every handler."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    # --- The line -------------------------------------------------------------------------------

    async def websocket_connect(self, message: Mapping[str, Any]) -> None:
        await turns.startup()
        self.address = (self.scope.get("client") or ("",))[0]
        self.socket = Socket(self.send, self.catch_up)
        await self.send({"type": "websocket.accept"})
        self.counted = limits.enter(self.address)
        if not self.counted:
            await self.socket.close(wire.CLOSE_TOO_MANY, "retry_after=30")
            return
        self._watch(settings.CHAT_CONNECT_TIMEOUT)

    async def websocket_receive(self, message: Mapping[str, Any]) -> None:
        self.last_frame = time.monotonic()
        try:
            frame = wire.parse(message.get("text"))
        except wire.BadFrame as bad:
            await self.refuse(bad)
            return
        if not self.connected:
            try:
                await self._first(frame)
            except Exception as error:  # the database is away: the client comes back
                logger.error("not connected", extra={"error": type(error).__name__})
                await self.socket.close(wire.CLOSE_RESTARTING, "come back")
            return
        try:
            await self.handlers[type(frame)](self, frame)
        except Refused as refused:
            self.error(frame, refused.code, refused.message, final=refused.final)
        except Exception as error:  # the database is away, or a fault of ours: it may be sent again
            logger.error(
                "frame not done",
                exc_info=settings.DEBUG,
                extra={"frame": type(frame).__name__, "error": type(error).__name__},
            )
            text = _("Please try again in a moment.")
            self.error(frame, "try_again", text, final=False, retry_after=2)

    async def websocket_disconnect(self, message: Mapping[str, Any]) -> None:
        if self.watchdog is not None:
            self.watchdog.cancel()
        if self.counted:
            limits.leave(self.address)
        self.socket.gone()
        await live.leave(self.socket)
        raise StopConsumer

    def _watch(self, seconds: float) -> None:
        """Closes the socket where nothing was heard for so long."""
        self.watchdog = asyncio.get_running_loop().call_later(seconds, self._silent)

    def _silent(self) -> None:
        patience = settings.CHAT_SILENCE_TIMEOUT if self.connected else 0
        left = patience - (time.monotonic() - self.last_frame)
        if self.connected and left > 0:
            self._watch(left)
        else:
            live.spawn(self.socket.close(wire.CLOSE_SLOW, "silent"))

    async def refuse(self, bad: wire.BadFrame) -> None:
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

    def error(
        self,
        frame: wire.Frame,
        code: wire.ErrorCode,
        text: str,
        *,
        final: bool = True,
        retry_after: int | None = None,
    ) -> None:
        self.socket.push(
            wire.error(
                code,
                text,
                client_id=getattr(frame, "client_id", None),
                about=getattr(frame, "message", None),
                final=final,
                retry_after=retry_after,
            )
        )

    # --- The chat -------------------------------------------------------------------------------

    async def _first(self, frame: wire.Frame) -> None:
        if not isinstance(frame, wire.Connect):
            await self.socket.close(wire.CLOSE_PROTOCOL, "connect first")
            return
        try:
            self.identity = tokens.read(frame.token)
        except tokens.BadToken:
            await self.socket.close(wire.CLOSE_TOKEN, "token")
            return
        site = await query(Site.objects.filter(key=self.identity.site, enabled=True).first)
        if site is None or not self._origin_fits(site):
            await self.socket.close(wire.CLOSE_ORIGIN, "site or origin")
            return
        self.site, self.page, self.locale = site, frame.page, frame.locale
        self.connected = True
        await self.show(frame.rev, None, frame.epoch)

    def _origin_fits(self, site: Site) -> bool:
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin")
        host = headers.get(b"host", b"").decode("latin-1")
        header = None if origin is None else origin.decode("latin-1")
        return origins.allows(site, header, self.scope.get("scheme", "ws"), host)

    async def show(self, rev: int, named: str | None, epoch: str | None) -> None:
        """Answers with `status`: what was missed since `rev` of conversation `named`."""
        async with self.socket.reading():
            changes = await self._changes(rev, named, epoch)
            self._show(changes)
        await self._watch_reply(changes)

    async def catch_up(self, status: bool) -> None:
        """The socket missed something: as single frames where that does, else as `status`."""
        async with self.socket.reading():
            named = str(self.socket.conversation)
            changes = await self._changes(self.socket.rev, named, None)
            if status or changes.full or changes.more:
                self._show(changes)
            else:
                talk = changes.talk.id
                self.socket.missed(changes.messages, lambda shape: live.text_of(talk, shape))
        await self._watch_reply(changes)

    async def _changes(self, rev: int, named: str | None, epoch: str | None) -> Changes:
        """Joins the conversation that the token opens now, then reads it: nothing falls between."""
        identity = self.identity
        talk = self.socket.conversation or identity.conversation
        while True:
            await live.join(self.socket, talk)
            changes = await query(
                conversations.after,
                visitor=identity.visitor,
                conversation=identity.conversation,
                rev=rev,
                named=named,
                epoch=epoch,
            )
            if changes.talk.id == talk:
                return changes
            talk = changes.talk.id

    def _show(self, changes: Changes) -> None:
        open_reply = None
        if changes.open is not None:
            shape = changes.open.as_frame()
            text = live.text_of(changes.talk.id, shape)
            open_reply = wire.OpenReply({**shape, "text": shape["text"] if text is None else text})
        conversation = changes.talk.as_field()
        frame = wire.status(
            state=self._state(conversation["state"]),
            conversation=conversation,
            messages=changes.messages,
            open=open_reply,
            full=changes.full,
            more=changes.more,
        )
        last = changes.messages[-1]["rev"] if changes.messages else conversation["rev"]
        self.socket.status(frame, last if changes.more else conversation["rev"])

    def _state(self, conversation: str) -> wire.SocketState:
        if turns.draining:
            return "closing"
        return "human" if conversation == "human" else "ready"

    async def _watch_reply(self, changes: Changes) -> None:
        """Has the deltas sent here of a reply that another process writes."""
        if changes.open is not None:
            shape = changes.open.as_frame()
            if live.text_of(changes.talk.id, shape) is None:
                await live.watch(changes.open.owner, changes.talk.id)

    # --- Frames ---------------------------------------------------------------------------------

    async def _say(self, frame: wire.Say) -> None:
        wait = await limits.wait("visitor", self.identity.visitor.hex)
        wait = wait or await limits.wait("address", limits.network(self.address))
        if wait:
            text = _("You are writing too fast. Please wait a moment.")
            self.error(frame, "rate_limited", text, final=False, retry_after=wait)
            return
        received = await turns.say(
            site=self.site,
            visitor=self.identity.visitor,
            conversation=self.identity.conversation,
            frame=frame,
            page=self.page,
            locale=self.locale,
        )
        row = received.conversation
        if received.duplicate:
            ended = str(row.id) if row.id != self.socket.conversation else None
            self.socket.push(wire.message(received.message.as_frame(), ended))
        elif row.id != self.socket.conversation:
            # The conversation had ended meanwhile, and these words began the next one.
            await self.show(0, str(self.socket.conversation), None)

    async def _typing(self, frame: wire.Typing) -> None:
        """Goes to staff only, and their desk is not open yet."""

    async def _stop(self, frame: wire.Stop) -> None:
        await turns.stop(conversation=self._talk(), message=frame.message)

    async def _regenerate(self, frame: wire.Regenerate) -> None:
        await turns.regenerate(
            conversation=self._talk(), message=frame.message, attempt=frame.attempt
        )

    async def _feedback(self, frame: wire.Feedback) -> None:
        changed = await query(
            conversations.feedback,
            conversation=self._talk(),
            message=frame.message,
            value=frame.value,
        )
        await live.tell(self._talk(), [message.as_frame() for message in changed])

    async def _sound(self, frame: wire.Sound) -> None:
        self.socket.sound = frame.on

    async def _restart(self, frame: wire.Restart) -> None:
        identity = self.identity
        talk = await query(conversations.current, identity.visitor, identity.conversation)
        if talk.row is None:
            await self.show(0, None, None)
        else:
            await turns.restart(talk)

    async def _status(self, frame: wire.Status) -> None:
        named = frame.conversation or str(self.socket.conversation)
        await self.show(frame.rev, named, frame.epoch)

    async def _connect(self, frame: wire.Connect) -> None:
        await self.refuse(wire.BadFrame("This socket is connected already."))

    def _talk(self) -> Any:
        return self.socket.conversation

    handlers: dict[type, Callable[["ChatConsumer", Any], Awaitable[None]]] = {
        wire.Connect: _connect,
        wire.Say: _say,
        wire.Typing: _typing,
        wire.Stop: _stop,
        wire.Regenerate: _regenerate,
        wire.Feedback: _feedback,
        wire.Sound: _sound,
        wire.Restart: _restart,
        wire.Status: _status,
    }
