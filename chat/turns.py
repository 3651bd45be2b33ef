"""One reply, from question to last word: started, stopped, written again.

Callers say what the visitor did and return at once. Behind that stand the claim on the reply's row
and its saving; what is written, by whom, and what happens where that fails stands in `writing.py`.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from chat import (
    ahead,
    backends,
    context,
    conversations,
    erasing,
    knowing,
    limits,
    metrics,
    paid,
    prompts,
    replies,
    staff_wire,
    summaries,
    wire,
)
from chat.budgets import Payer
from chat.conversations import Claim
from chat.database import patiently, query
from chat.erasing import Erased
from chat.gate import gate
from chat.identity import Signed
from chat.live import Stream, live
from chat.models import Conversation, Message, Site
from chat.replies import Finished, Open, Outcome
from chat.writing import Writer

logger = logging.getLogger(__name__)


class _Stale(Exception):
    """What is being written was begun before the visitor's latest words."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A reply that is open, and ours."""

    claim: Claim
    stream: Stream

    @property
    def row(self) -> dict[str, Any]:
        """How `replies` finds it, as long as it is ours."""
        reply = self.claim.reply
        return {"reply": reply.id, "attempt": reply.attempt, "owner": live.name}


class Turn:
    """One reply that this process writes.

    It is registered before its row is claimed, so that of two messages at once one only starts it.
    """

    def __init__(
        self,
        conversation: uuid.UUID,
        searching: knowing.Searching | None = None,
        network: str = "",
        row: Conversation | None = None,
        advance: paid.Advance | None = None,
    ) -> None:
        """What is known or under way already is handed in; `row` as it has just been locked."""
        self.conversation = conversation
        self.network = network  # `limits.mark` of the visitor's address, where it is known
        self.done = asyncio.Event()
        self._searching = searching
        self._row = row
        self._advance = advance
        self._started = time.monotonic()
        self._opened: asyncio.Future[_Opened] = asyncio.get_running_loop().create_future()
        self._writer: Writer | None = None
        self._writing: asyncio.Task[Outcome] | None = None
        self._saved = ""  # of its text
        self._reason = ""  # why it was cut off: new words, stop, lost, drain
        self._newest = 0  # the latest message that somebody wants answered instead
        self._read = 0  # the latest message that the writing knows of
        self._asked_to_end: list[tuple[uuid.UUID, int, str]] = []

    # --- From outside ---------------------------------------------------------------------------

    @property
    def reply(self) -> uuid.UUID | None:
        return self._opened.result().claim.reply.id if self._opened.done() else None

    def superseded(self, seq: int) -> None:
        """The visitor said message `seq` meanwhile: this reply ends, the next answers both."""
        self._newest = max(self._newest, seq)
        if self._opened.done() and self._opened.result().claim.question_seq < self._newest:
            self.cut_off("new words")

    def end(self, reply: uuid.UUID, attempt: int, reason: str) -> None:
        """Somebody wants that attempt ended: perhaps not the one that is written by now."""
        self._asked_to_end.append((reply, attempt, reason))
        if self._opened.done():
            mine = self._opened.result().claim.reply
            if (mine.id, mine.attempt) == (reply, attempt):
                self.cut_off(reason)

    def draft(self) -> replies.Draft | None:
        """The text so far, where there is more of it than was saved."""
        if not self._opened.done() or self._writing is None or self._writing.done():
            return None
        opened = self._opened.result()
        text, reply = opened.stream.sent, opened.claim.reply
        return replies.Draft(reply.id, reply.attempt, text) if text != self._saved else None

    def saved(self, text: str) -> None:
        self._saved = text

    def cut_off(self, reason: str) -> None:
        """Ends the writing; what is there is kept."""
        self._reason = self._reason or reason
        if self._writing is not None:
            self._writing.cancel()

    # --- From question to last word -------------------------------------------------------------

    async def run(self, claim: Claim | None = None) -> None:
        """Writes the reply; with `claim` one that is open already."""
        running[self.conversation] = self
        awaits = False
        try:
            awaits = await self._run(claim)
        except Exception as error:  # a fault of ours, or the database is away: the sweep goes on
            self._log("turn broke", error)
        finally:
            if running.get(self.conversation) is self:
                del running[self.conversation]
            if self._opened.done():
                live.end(self._opened.result().stream)
            await self._abandon()
            if self._advance is not None:
                self._advance.drop()
            self.done.set()
        if awaits or self._newest > self._read:
            live.spawn(answer(self.conversation, network=self.network))

    async def _run(self, claim: Claim | None) -> bool:
        """True: the visitor has said more, and nobody answers it yet."""
        if claim is not None:
            self.network = claim.conversation.network
            opened = self._opened.result() if self._opened.done() else await self.open(claim)
            self._read = claim.question_seq
            self._writing = asyncio.create_task(self._write(before=claim.reply.seq))
        else:
            # The model is asked while the row is claimed, unless another reply is open still.
            self._writing = asyncio.create_task(self._write())
            await asyncio.sleep(0)  # it reads first: the model waits for that, the claim can wait
            mine = [turn.reply for turn in running.values() if turn.reply is not None]
            claimed = await query(replies.claim, self.conversation, live.name, mine)
            if isinstance(claimed, Open):
                end_reply(claimed, self.conversation, "new words")
            if not isinstance(claimed, Claim):
                return False
            opened = await self.open(claimed)
        self.superseded(self._newest)
        for reply, attempt, reason in self._asked_to_end[:]:
            self.end(reply, attempt, reason)
        outcome = await self._outcome(opened)
        return await self._finish(opened, outcome) if outcome is not None else False

    async def open(self, claim: Claim, stored: Sequence[Message] = ()) -> _Opened:
        """The row is ours: everybody sees the reply begin, after what was `stored` with it."""
        before = running.get(self.conversation)
        if before is not None and before is not self:  # its row is another's by now, or at its end
            before.cut_off("lost")
        running[self.conversation] = self
        reply = claim.reply
        opened = _Opened(claim, live.begin(self.conversation, str(reply.id), reply.attempt))
        told = (*stored, *claim.ended, reply)
        await live.tell(self.conversation, [message.as_frame() for message in told])
        self._opened.set_result(opened)
        return opened

    async def _write(self, before: int | None = None) -> Outcome:
        async with gate.place(self.network) as admitted:
            if not admitted:
                return Outcome(Message.State.FAILED, "", error="busy")
            return await self._written_from(before)

    async def _written_from(self, before: int | None) -> Outcome:
        while True:
            row, self._row = self._row, None
            material = await self._load(before, row)
            if material is not None and material.open_reply and before is None:
                await asyncio.shield(self._opened)
                material = await self._load()
            if material is None:
                return Outcome(Message.State.INTERRUPTED, "")
            row = material.conversation
            if before is None:
                self._read = material.newest
            ahead.note(material)
            self._writer = Writer(
                material=material,
                searching=self._searching or knowing.Searching(row.site, Payer.of(row), row.locale),
                models=backends.chain(),
                line=self._line,
                started=self._started,
                advance=self._advance,
            )
            try:
                return await self._writer.write()
            except _Stale:  # the visitor said more before the row was claimed
                continue

    async def _load(
        self, before: int | None = None, row: Conversation | None = None
    ) -> prompts.Material | None:
        """The database may be away meanwhile, for as long as the reply is ours."""
        return await patiently(settings.CHAT_LEASE, prompts.load, self.conversation, before, row)

    async def _line(self) -> tuple[Stream, datetime | None]:
        """Where the words go, and until when; known once the row is claimed."""
        opened = await asyncio.shield(self._opened)
        if self._read < opened.claim.question_seq:
            raise _Stale
        return opened.stream, opened.claim.reply.deadline

    async def _outcome(self, opened: _Opened) -> Outcome | None:
        """How the writing ended; None where the reply is left to another process."""
        writing = self._writing
        if writing is None:
            return None
        if self._reason:
            writing.cancel()
        await asyncio.wait({writing})
        text = opened.stream.end()
        if self._reason == "lost":
            return None
        if self._reason == "drain":
            await self._release(opened, text)
            return None
        reply = opened.claim.reply
        live.speaking.ended(self.conversation, str(reply.id), reply.attempt, text)
        outcome = self._written(writing)
        return replace(outcome, text=text)

    def _written(self, writing: "asyncio.Task[Outcome]") -> Outcome:
        error = None if writing.cancelled() else writing.exception()
        if error is not None:
            self._log("writing broke", error)
        elif not writing.cancelled():
            return writing.result()
        state = Message.State.FAILED if error else Message.State.INTERRUPTED
        if self._writer is None:
            return Outcome(state, "", error="failed" if error else "")
        return self._writer.outcome(state, "failed" if error else "")

    async def _finish(self, opened: _Opened, outcome: Outcome) -> bool:
        finished = await self._stored(opened, outcome)
        if finished is None:
            return False
        site = finished.conversation.site.key
        metrics.reply_ended(str(outcome.state), site, outcome.figures)
        logger.info(
            "reply ended",
            extra={
                "conversation": str(self.conversation),
                "reply": str(self.reply),
                "state": str(outcome.state),
                "backend": outcome.figures.get("backend", ""),
                "first_word_ms": outcome.figures.get("first_word_ms") or 0,
                "characters": len(outcome.text),
            },
        )
        live.end(opened.stream)
        await live.tell(self.conversation, [m.as_frame() for m in finished.changed])
        if not draining and summaries.due(finished.conversation):
            live.spawn(summaries.write(self.conversation))
        return finished.awaits and finished.conversation.state == Conversation.State.OPEN

    async def _stored(self, opened: _Opened, outcome: Outcome) -> Finished | None:
        """Stores the end, for as long as the lease can last while the database is away."""
        until = time.monotonic() + settings.CHAT_LEASE
        while True:
            try:
                return await query(replies.finish, opened.claim, live.name, outcome)
            except Exception as error:
                self._log("end not stored", error)
                if time.monotonic() > until:
                    return None
                await asyncio.sleep(0.5)

    async def _release(self, opened: _Opened, text: str) -> None:
        """Leaves the reply, with what is there, to whoever comes first."""
        if text:
            await query(replies.save, **opened.row, text=text)
        await query(replies.release, [opened.claim.reply.id], live.name)

    async def _abandon(self) -> None:
        """Ends the writing of a reply that was not claimed; however it went, nobody asks."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def _log(self, event: str, error: BaseException) -> None:
        """Never with the error's own words: a database names the values it refuses."""
        logger.error(
            event,
            exc_info=error if settings.DEBUG else None,
            extra={
                "conversation": str(self.conversation),
                "reply": str(self.reply),
                "error": type(error).__name__,
            },
        )


running: dict[uuid.UUID, Turn] = {}  # by conversation
draining = False  # this process stops: messages are stored, replies begin elsewhere


async def save() -> None:
    """Keeps the texts so far of all replies; one that is no longer this process's ends here."""
    drafts = {turn: draft for turn in running.values() if (draft := turn.draft()) is not None}
    if not drafts:
        return
    lost = await query(replies.save_all, list(drafts.values()), live.name)
    for turn, draft in drafts.items():
        turn.saved(draft.text)
        if draft in lost:
            turn.cut_off("lost")


# --- What a visitor does ------------------------------------------------------------------------


async def say(
    *,
    site: Site,
    visitor: uuid.UUID,
    conversation: uuid.UUID,
    frame: wire.Say,
    page: wire.Page | None = None,
    locale: str = "",
    signed: Signed | None = None,
    network: str = "",
    issued: int = 0,
) -> conversations.Received:
    """A visitor's message: stored, told to all, then answered by a task of this process.

    Its reply is opened with it (`docs/decisions/6-a-reply-is-claimed-with-the-message.md`).
    """
    payer = Payer(site.pk, site.daily_budget, visitor, network)
    searching = knowing.Searching(site, payer, locale, frame.text)
    advance = ahead.money(site, payer)
    try:
        received = await query(
            conversations.receive,
            site=site,
            visitor=visitor,
            conversation=conversation,
            client_id=frame.client_id,
            text=frame.text,
            spoken=frame.voice,
            page=page,
            locale=locale,
            signed=signed,
            network=network,
            consent=frame.consent,
            issued=issued,
            opens=None if draining else replies.opens(live.name),
        )
        row = received.conversation
        if received.claim is not None:
            turn = Turn(row.id, searching, network, row, advance)
            await turn.open(received.claim, received.added)
            live.spawn(turn.run(received.claim))
            advance = None  # the turn's now
            return received
    finally:
        if advance is not None:
            advance.drop()
    await live.tell(row.id, [message.as_frame() for message in received.added])
    if not received.duplicate and row.state == Conversation.State.HUMAN:
        news = staff_wire.news("said", str(row.id), row.site.name)
        live.tell_desk(row.site_id, news, row.taken_by_id)
    if not received.duplicate and row.state == Conversation.State.OPEN:
        writing = running.get(row.id)
        if writing is not None:
            writing.superseded(received.message.seq)
        else:
            live.spawn(answer(row.id, searching, network))
    return received


async def answer(
    conversation: uuid.UUID, searching: knowing.Searching | None = None, network: str = ""
) -> None:
    """Replies to whatever waits for it; nothing, if nothing does or this process is stopping."""
    if not draining and conversation not in running:
        await Turn(conversation, searching, network).run()


async def regenerate(*, conversation: uuid.UUID, message: str, attempt: int) -> None:
    claim = await query(
        replies.regenerate,
        conversation=conversation,
        message=message,
        attempt=attempt,
        owner=live.name,
    )
    if claim is not None:
        live.spawn(Turn(conversation).run(claim))


async def stop(*, conversation: uuid.UUID, message: str) -> None:
    reply = await query(replies.stop, conversation=conversation, message=message)
    if reply is not None:
        end_reply(reply, conversation, "stop")


async def restart(conversation: uuid.UUID) -> None:
    """Ends a conversation, its open reply too, and tells every socket of the visitor."""
    reply = await query(replies.restart, conversation)
    if reply is not None:
        end_reply(reply, conversation, "stop")
        await ended(reply)
    await live.state_changed(conversation)


async def ended(reply: Open) -> None:
    """Waits for a reply to end, two seconds at most: then whoever takes it over ends it."""
    for _ in range(40):
        if not await query(replies.is_open, reply.reply):
            break
        await asyncio.sleep(0.05)


async def erase(visitor: uuid.UUID) -> Erased | None:
    """Erases a visitor: rows, counters, caches; their sockets close. None: there was nothing.

    Replies under way end first, so that nothing of them is written after.
    """
    await silence(visitor)
    erased = await query(erasing.erase, visitor)
    await forget(visitor)
    return erased


async def silence(visitor: uuid.UUID) -> None:
    """Ends the replies to a visitor that are being written, in whatever process."""
    for conversation, reply in await query(replies.open_of, visitor):
        end_reply(reply, conversation, "stop")
        await ended(reply)


async def forget(visitor: uuid.UUID) -> None:
    """The visitor's rows are gone: so go their counters, caches and sockets, everywhere."""
    forget_words()
    await limits.forget(visitor.hex)
    await live.erased(visitor)


def forget_words() -> None:
    """Empties what this process remembers of words, whoever's they were."""
    context.tokens.cache_clear()
    knowing.forget()


def end_reply(reply: Open, conversation: uuid.UUID, reason: str) -> None:
    """Has an open reply ended by the process that writes it.

    That process then answers whatever the visitor has said meanwhile.
    """
    if reply.owner == live.name:
        turn = running.get(conversation)
        if turn is not None:
            turn.end(reply.reply, reply.attempt, reason)
        return
    event = {"type": "end", "conversation": conversation.hex, "reason": reason}
    live.layer.ask(reply.owner, {**event, "reply": reply.reply.hex, "attempt": reply.attempt})
