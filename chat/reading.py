"""What a socket is given to read: its `status`, and what it missed."""

from collections.abc import Mapping, Sequence
from typing import Any

from chat import backends, conversations, metrics, paid, turns, wire
from chat.conversations import Changes
from chat.database import query
from chat.erasing import Gone, gone
from chat.gate import gate
from chat.live import live
from chat.sockets import Socket
from chat.tokens import Identity


class Reader:
    """Keeps one socket on the conversation that its token opens now, whichever that is."""

    def __init__(self, socket: Socket, identity: Identity) -> None:
        self._socket = socket
        self._identity = identity
        socket.visitor = identity.visitor

    async def show(self, rev: int, named: str | None = None, epoch: str | None = None) -> None:
        """Answers with `status`: what was missed since `rev` of conversation `named`.

        Raises `Gone`, as whatever reads here does, where the visitor was erased.
        """
        async with self._socket.reading():
            changes = await self._changes(rev, named, epoch)
            self._show(changes)
        if rev and (changes.full or changes.messages):
            metrics.RESYNCS.labels("other_copy" if changes.full else "missed").inc()
        self._watch_reply(changes)

    async def catch_up(self, status: bool) -> None:
        """The socket missed something: as single frames where that does, else as `status`.

        With `status` it gets one in any case, after the frames: every change is a frame of its own.
        """
        try:
            await self._catch_up(status)
        except Gone:
            await self._socket.close(wire.CLOSE_ERASED, "erased")

    async def _catch_up(self, status: bool) -> None:
        async with self._socket.reading():
            named = str(self._socket.conversation)
            changes = await self._changes(self._socket.rev, named, None)
            if changes.full or changes.more:
                self._show(changes)
            else:
                talk = changes.talk.id
                self._socket.missed(
                    changes.messages,
                    lambda shape: live.text_of(talk, shape),
                    self._frame(changes, messages=()) if status else None,
                )
        self._watch_reply(changes)

    async def _changes(self, rev: int, named: str | None, epoch: str | None) -> Changes:
        """Joins the conversation before it is read, so that nothing falls between."""
        identity = self._identity
        talk = self._socket.conversation or identity.conversation
        while True:
            await live.join(self._socket, talk)
            changes = await query(
                conversations.after,
                visitor=identity.visitor,
                conversation=identity.conversation,
                rev=rev,
                named=named,
                epoch=epoch,
            )
            if changes.talk.row is None and rev and await query(gone, *identity.since):
                raise Gone
            if changes.talk.id == talk:
                return changes
            talk = changes.talk.id

    def _show(self, changes: Changes) -> None:
        frame = self._frame(changes, changes.messages)
        latest = frame["conversation"]["rev"]
        last = changes.messages[-1]["rev"] if changes.messages else latest
        self._socket.status(frame, last if changes.more else latest)

    def _frame(self, changes: Changes, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        open_reply = None
        if changes.open is not None:
            shape = changes.open.as_frame()
            text = live.text_of(changes.talk.id, shape)
            open_reply = wire.OpenReply({**shape, "text": shape["text"] if text is None else text})
        conversation = changes.talk.as_field()
        return wire.status(
            state=_state(conversation["state"], self._identity.site),
            conversation=conversation,
            messages=messages,
            open=open_reply,
            full=changes.full,
            more=changes.more,
        )

    def _watch_reply(self, changes: Changes) -> None:
        """Has the deltas sent here of a reply that another process writes."""
        if changes.open is not None:
            shape = changes.open.as_frame()
            if live.text_of(changes.talk.id, shape) is None:
                live.watch(changes.open.owner, changes.talk.id)


def _state(conversation: str, site: str) -> wire.SocketState:
    if turns.draining:
        return "closing"
    if conversation == "human":
        return "human"
    limited = gate.crowded or backends.health()["status"] == "degraded"
    limited = limited or (backends.paid() and paid.limited(site))
    return "limited" if limited else "ready"
