"""Somebody of the staff at a socket: each frame becomes one call, once their rights are known."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat import audit, conversations, handover, staff, staff_wire, suggestions, turns, wire
from chat.conversations import Changes, Refused
from chat.database import query
from chat.handover import Handed, Speaker
from chat.live import live
from chat.models import Conversation
from chat.sockets import Socket
from chat.staff import Member

logger = logging.getLogger(__name__)


class StaffVisit:
    """One member of staff on one socket, until it closes.

    Every frame asks first whether the session still is one of staff, and what they may do: who is
    logged out, or has lost a right, sees and does nothing from then on.
    """

    def __init__(self, socket: Socket, session: str, member: Member) -> None:
        self._socket = socket
        self._session = session
        self._suggesting: asyncio.Task[None] | None = None
        self._is(member)

    def begin(self) -> None:
        live.desk.add(self._socket)
        who = self._member
        self._socket.push(
            staff_wire.ready(who.name, settings.CHAT_HEARTBEAT, who.notify, who.sound, _words())
        )

    async def take(self, frame: staff_wire.Frame) -> None:
        """Does what the frame asks for, or says why not."""
        try:
            member = await query(staff.member, self._session)
            if member is None or not member.may("view_conversation"):
                await self._socket.close(wire.CLOSE_TOKEN, "login")
                return
            self._is(member)
            await self._acts[type(frame)](self, frame)
        except Refused as refused:
            self._refuse(frame, refused.code, refused.message, final=refused.final)
        except Exception as error:  # the database is away, or a fault of ours: it may be sent again
            logger.error(
                "staff frame not done",
                exc_info=settings.DEBUG,
                extra={"frame": type(frame).__name__, "error": type(error).__name__},
            )
            text = _("Please try again in a moment.")
            self._refuse(frame, "try_again", text, final=False, retry_after=2)

    async def catch_up(self) -> None:
        """The socket missed something, or the conversation's state is another."""
        talk = self._socket.conversation
        member = await query(staff.member, self._session)
        if member is None or not member.may("view_conversation"):
            await self._socket.close(wire.CLOSE_TOKEN, "login")
        elif talk is not None:
            self._is(member)
            await self._show(talk, self._socket.rev)

    def _is(self, member: Member) -> None:
        self._member = self._socket.member = member

    def _refuse(
        self,
        frame: staff_wire.Frame,
        code: wire.ErrorCode,
        text: str,
        *,
        final: bool = True,
        retry_after: int | None = None,
    ) -> None:
        about = getattr(frame, "id", None) or getattr(frame, "conversation", None)
        self._socket.push(
            wire.error(
                code,
                text,
                about=str(about) if about else None,
                final=final,
                retry_after=retry_after,
            )
        )

    # --- What they see --------------------------------------------------------------------------

    async def _watch(self, frame: staff_wire.Watch) -> None:
        await self._show(frame.conversation, frame.rev)
        await query(audit.opened, self._who.user, frame.conversation)

    async def _status(self, frame: staff_wire.Status) -> None:
        if self._socket.conversation is not None:
            await self._show(self._socket.conversation, frame.rev)

    async def _show(self, talk: uuid.UUID, rev: int) -> None:
        """Sends `status`, with what was missed since `rev`; joins before it reads."""
        await self._may_see(talk)
        async with self._socket.reading():
            await live.join(self._socket, talk)
            changes = await query(conversations.changes_of, talk, rev)
            if changes is None or changes.talk.row is None:
                raise _not_there()
            self._socket.visitor = changes.talk.row.visitor_id
            frame = self._frame(changes, changes.talk.row)
            latest = changes.talk.row.rev
            last = changes.messages[-1]["rev"] if changes.messages else latest
            self._socket.status(frame, last if changes.more else latest)
        if changes.open is not None and live.text_of(talk, changes.open.as_frame()) is None:
            live.watch(changes.open.owner, talk)

    def _frame(self, changes: Changes, row: Conversation) -> dict[str, Any]:
        open_reply = None
        if changes.open is not None:
            shape = changes.open.as_frame()
            text = live.text_of(row.id, shape)
            open_reply = wire.OpenReply({**shape, "text": shape["text"] if text is None else text})
        speaker = None
        if row.state == Conversation.State.HUMAN:
            speaker = {"name": row.taken_name, "you": row.taken_by_id == self._who.user}
        return staff_wire.status(
            conversation=row.as_field(),
            speaker=speaker,
            waiting=_stamp(row.waiting_since),
            messages=changes.messages,
            open=open_reply,
            full=changes.full,
            more=changes.more,
        )

    async def _may_see(self, talk: uuid.UUID) -> None:
        site = await query(_site_of, talk)
        if site is None or not self._member.sees(site):
            raise _not_there()

    # --- What they do ---------------------------------------------------------------------------

    @property
    def _who(self) -> Speaker:
        return Speaker(self._member.user, self._member.name)

    async def _may(self, right: str, talk: uuid.UUID) -> None:
        await self._may_see(talk)
        if not self._member.may(right):
            raise Refused("not_allowed", _("You have no right to do that."))

    async def _take(self, frame: staff_wire.Take) -> None:
        await self._may("take_conversation", frame.conversation)
        handed = await query(handover.take, conversation=frame.conversation, who=self._who)
        if not handed.changed:
            await self._show(frame.conversation, self._socket.rev)
            return
        await query(audit.note, self._who.user, frame.conversation, "Took over")
        if handed.open is not None:
            turns.end_reply(handed.open, frame.conversation, "person")
        await self._handed(handed)
        if handed.open is not None:
            await turns.ended(handed.open)

    async def _back(self, frame: staff_wire.Back) -> None:
        await self._may("take_conversation", frame.conversation)
        handed = await query(
            handover.hand_back,
            conversation=frame.conversation,
            who=self._who,
            brief=frame.brief,
            others=self._member.may("release_conversation"),
        )
        if not handed.changed:
            await self._show(frame.conversation, self._socket.rev)
            return
        await query(audit.note, self._who.user, frame.conversation, "Handed back")
        await self._handed(handed)
        live.spawn(turns.answer(frame.conversation))

    async def _handed(self, handed: Handed) -> None:
        """Everybody in the conversation hears who speaks now, and the desk that it is settled."""
        row = handed.conversation
        await live.tell(row.id, [message.as_frame() for message in handed.changed])
        await live.state_changed(row.id)
        live.tell_desk(row.site_id, staff_wire.news("settled", str(row.id), row.site.name))

    async def _say(self, frame: staff_wire.Say) -> None:
        await self._may("take_conversation", frame.conversation)
        message, row = await query(
            handover.say,
            conversation=frame.conversation,
            who=self._who,
            id=frame.id,
            text=frame.text,
        )
        if row is None:
            self._socket.push(wire.message(message.as_frame()))
            return
        await live.tell(row.id, [message.as_frame()])
        live.tell_desk(row.site_id, staff_wire.news("settled", str(row.id), row.site.name))

    async def _typing(self, frame: staff_wire.Typing) -> None:
        await self._may("take_conversation", frame.conversation)
        if await query(_speaks, frame.conversation, self._who.user):
            live.person_types(frame.conversation, "staff", frame.on)

    async def _suggest(self, frame: staff_wire.Suggest) -> None:
        """By a task of its own: a model takes its time, and the line goes on meanwhile."""
        await self._may("take_conversation", frame.conversation)
        if not await query(_speaks, frame.conversation, self._who.user):
            raise Refused("not_allowed", _("Take the conversation over first."))
        if self._suggesting is not None and not self._suggesting.done():
            raise Refused("busy", _("A suggestion is on its way."), final=False)
        self._suggesting = live.spawn(self._suggested(frame))

    async def _suggested(self, frame: staff_wire.Suggest) -> None:
        try:
            text = await suggestions.suggest(frame.conversation, self._who.name)
        except Refused as refused:
            self._refuse(frame, refused.code, refused.message, final=refused.final)
        except Exception as error:
            logger.warning("suggestion broke", extra={"error": type(error).__name__})
            self._refuse(frame, "try_again", _("Please try again in a moment."), final=False)
        else:
            self._socket.push(staff_wire.suggestion(str(frame.conversation), text))

    _acts: dict[type, Callable[["StaffVisit", Any], Awaitable[None]]] = {
        staff_wire.Watch: _watch,
        staff_wire.Status: _status,
        staff_wire.Take: _take,
        staff_wire.Say: _say,
        staff_wire.Typing: _typing,
        staff_wire.Back: _back,
        staff_wire.Suggest: _suggest,
    }


def _words() -> dict[str, str]:
    """What a page says of news, by kind."""
    return {
        "waiting": _("Somebody waits for a person ({site})."),
        "said": _("The visitor you talk with has answered ({site})."),
        "allow": _("Also when this page is not seen"),
    }


def _not_there() -> Refused:
    return Refused("not_found", _("There is no such conversation."))


def _site_of(talk: uuid.UUID) -> int | None:
    return Conversation.objects.filter(id=talk).values_list("site_id", flat=True).first()


def _speaks(talk: uuid.UUID, user: int) -> bool:
    return Conversation.objects.filter(
        id=talk, state=Conversation.State.HUMAN, taken_by=user
    ).exists()


def _stamp(when: datetime | None) -> str | None:
    if when is None:
        return None
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
