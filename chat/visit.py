"""A connected visitor: each frame becomes one call."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import activate
from django.utils.translation import gettext as _

from chat import conversations, limits, speaking, turns, wire
from chat.conversations import Refused
from chat.database import query
from chat.erasing import Gone
from chat.languages import spoken
from chat.live import live
from chat.models import Site
from chat.reading import Reader
from chat.sockets import Socket
from chat.tokens import Identity

logger = logging.getLogger(__name__)


STRIKES = 3  # broken frames, and the line closes
STRIKES_WITHIN = 60  # seconds


class Visit:
    """One visitor on one socket, from `connect` until the socket closes."""

    def __init__(
        self,
        *,
        socket: Socket,
        reader: Reader,
        identity: Identity,
        site: Site,
        address: str,
        conversation: UUID | None = None,
    ) -> None:
        """`conversation`: the current one, where the socket joins none before the first frame."""
        self._named = conversation or identity.conversation
        self._socket = socket
        self._reader = reader
        self._identity = identity
        self._site = site
        self._address = address
        self._page: wire.Page | None = None
        self._locale = ""

    async def begin(self, frame: wire.Connect) -> None:
        self.introduce(frame.page, frame.locale)
        await self._reader.show(frame.rev, epoch=frame.epoch)

    def introduce(self, page: wire.Page | None, locale: str) -> None:
        """Where the visitor is, and in which language this task speaks to them from now on."""
        self._page = page
        self._locale = locale or self._identity.locale
        activate(spoken(self._locale, self._site.language))

    async def take(self, frame: wire.Frame) -> None:
        """Does what the frame asks for, or says why not."""
        try:
            await self._acts[type(frame)](self, frame)
        except wire.BadFrame:
            raise
        except Refused as refused:
            self._refuse(frame, refused.code, refused.message, final=refused.final)
        except Gone:  # and this process has not heard of it
            await self._socket.close(wire.CLOSE_ERASED, "erased")
        except Exception as error:  # the database is away, or a fault of ours: it may be sent again
            logger.error(
                "frame not done",
                exc_info=settings.DEBUG,
                extra={"frame": type(frame).__name__, "error": type(error).__name__},
            )
            text = _("Please try again in a moment.")
            self._refuse(frame, "try_again", text, final=False, retry_after=2)

    def _refuse(
        self,
        frame: wire.Frame,
        code: wire.ErrorCode,
        text: str,
        *,
        final: bool = True,
        retry_after: int | None = None,
    ) -> None:
        self._socket.push(
            wire.error(
                code,
                text,
                client_id=getattr(frame, "client_id", None),
                about=getattr(frame, "message", None),
                final=final,
                retry_after=retry_after,
            )
        )

    @property
    def _talk(self) -> UUID:
        return self._socket.conversation or self._named

    async def _say(self, frame: wire.Say) -> None:
        if await self._too_fast(frame):
            return
        speaking.hush(self._talk)
        received = await turns.say(
            site=self._site,
            visitor=self._identity.visitor,
            conversation=self._identity.conversation,
            frame=frame,
            page=self._page,
            locale=self._locale,
            signed=self._identity.signed,
            network=limits.mark(self._address),
            issued=self._identity.issued,
        )
        talk = received.conversation.id
        if received.duplicate:
            ended = str(talk) if talk != self._talk else None
            self._socket.push(wire.message(received.message.as_frame(), ended))
        elif talk != self._talk:
            # The conversation had ended meanwhile, and these words began the next one.
            await self._reader.show(0, str(self._talk))

    async def _too_fast(self, frame: wire.Say | wire.Regenerate) -> bool:
        """Whether a frame that has something written was refused, since it came too soon."""
        wait = await limits.wait(
            ("visitor", self._identity.visitor.hex),
            ("address", limits.network(self._address)),
            ("site", self._site.key),
        )
        if wait:
            text = _("You are writing too fast. Please wait a moment.")
            self._refuse(frame, "rate_limited", text, final=False, retry_after=wait)
        return bool(wait)

    async def _typing(self, frame: wire.Typing) -> None:
        """Goes to staff only."""
        live.person_types(self._talk, "visitor", frame.on)

    async def _stop(self, frame: wire.Stop) -> None:
        speaking.hush(self._talk)
        await turns.stop(conversation=self._talk, message=frame.message)

    async def _regenerate(self, frame: wire.Regenerate) -> None:
        if await self._too_fast(frame):
            return
        await turns.regenerate(
            conversation=self._talk, message=frame.message, attempt=frame.attempt
        )

    async def _feedback(self, frame: wire.Feedback) -> None:
        talk = self._talk
        changed = await query(
            conversations.feedback,
            conversation=talk,
            message=frame.message,
            value=frame.value,
            comment=frame.comment,
        )
        await live.tell(talk, [message.as_frame() for message in changed])

    async def _sound(self, frame: wire.Sound) -> None:
        live.sound(self._socket, frame.on)
        if not frame.on:
            speaking.hush(self._talk)

    async def _restart(self, frame: wire.Restart) -> None:
        identity = self._identity
        talk = await query(conversations.current, identity.visitor, identity.conversation)
        if talk.row is None:
            await self._reader.show(0)
        else:
            await turns.restart(talk.id)

    async def _status(self, frame: wire.Status) -> None:
        await self._reader.show(frame.rev, frame.conversation or str(self._talk), frame.epoch)

    async def _connect(self, frame: wire.Connect) -> None:
        raise wire.BadFrame("This socket is connected already.")

    _acts: dict[type, Callable[["Visit", Any], Awaitable[None]]] = {
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
