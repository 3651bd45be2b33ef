"""The process: what it starts, what it does now and then, and how it leaves.

It goes on with the replies that a process before or beside it has left behind, and leaves its own
to the others when it is told to stop.
"""

import asyncio
import logging
import signal
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from chat import (
    backends,
    deliveries,
    handover,
    knowing,
    lines,
    notices,
    paid,
    replies,
    speaking,
    turns,
)
from chat.conversations import Claim
from chat.database import background, calling, query
from chat.live import live
from chat.replies import Finished
from chat.watching import watch
from voice import engines

logger = logging.getLogger(__name__)

TIDYING = 5.0  # seconds between two looks at what is kept of spoken words
TELLING = 2.0  # seconds that sockets are told of a stop, at most, before it goes on
CHORES = 3  # sweeps to one look for mails that are due and entries to embed: nobody waits for them
_loop: asyncio.AbstractEventLoop | None = None
_told_health = ""


async def startup() -> None:
    """Builds what every turn needs, once a process: by the lifespan, or else at the first use."""
    global _loop, _told_health
    loop = asyncio.get_running_loop()
    if _loop is loop:
        return
    _loop, turns.draining = loop, False
    _told_health = backends.health()["status"]
    backends.build()
    live.on_event = _heard
    live.speaking.on_segment = speaking.told
    await live.start()
    live.spawn(background(knowing.warm))
    live.spawn(background(backends.warm))
    live.spawn(_every(settings.CHAT_SAVE_INTERVAL, turns.save))
    live.spawn(_every(settings.CHAT_LEASE_RENEWAL, _renew))
    live.spawn(_every(settings.CHAT_SWEEP_INTERVAL, sweep))
    live.spawn(_every(settings.CHAT_SWEEP_INTERVAL, look_for_people))
    live.spawn(_every(CHORES * settings.CHAT_SWEEP_INTERVAL, _mail))
    live.spawn(_every(CHORES * settings.CHAT_SWEEP_INTERVAL, _deliver))
    live.spawn(_every(CHORES * settings.CHAT_SWEEP_INTERVAL, _embed))
    live.spawn(_every(settings.CHAT_BUDGET_LOOK, look_at_money))
    live.spawn(_every(settings.CHAT_WATCH_INTERVAL, watch.look))
    if engines.output() == "server":
        live.spawn(_every(TIDYING, speaking.tidy))
    _drain_on_sigterm(loop)
    logger.info(
        "serving",
        extra={
            "backend": settings.CHAT_BACKEND,
            "database": settings.DATABASES["default"]["ENGINE"].rpartition(".")[2],
            "redis": "yes" if settings.REDIS_URL else "no",
        },
    )


def _drain_on_sigterm(loop: asyncio.AbstractEventLoop) -> None:
    """Lets go of the replies at once, and tells the sockets before the server closes them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)

        def handler(number: int, frame: Any, previous: Any = previous) -> None:
            if turns.draining:  # asked a second time
                previous(number, frame)
            else:
                loop.call_soon_threadsafe(lambda: live.spawn(_leave(previous, number)))

        if not callable(previous):
            return
        try:
            signal.signal(number, handler)
        except ValueError:  # not the main thread: the lifespan drains then
            return


async def _leave(server: Any, number: int) -> None:
    try:
        async with asyncio.timeout(TELLING):
            await drain()
            await live.tell_all()
            await live.hang_up()
    except Exception as error:
        logger.warning("left in a hurry", extra={"error": type(error).__name__})
    finally:
        server(number, None)


async def drain() -> None:
    """No new turns; replies under way are saved and left to other processes."""
    turns.draining = True
    under_way = list(turns.running.values())
    for turn in under_way:
        turn.cut_off("drain")
    if under_way:
        waits = [asyncio.create_task(turn.done.wait()) for turn in under_way]
        await asyncio.wait(waits, timeout=settings.CHAT_DRAIN_TIMEOUT)
        await live.layer.ask_all({"type": "sweep"})


async def shutdown() -> None:
    global _loop
    await drain()
    await speaking.stop()
    await live.stop()
    await paid.settled()
    await backends.close()
    _loop = None


async def sweep() -> None:
    """Goes on with what a process that is gone has left behind."""
    left, unanswered = await query(replies.orphans)
    while left and not turns.draining:
        for reply in left:
            await _take_over(reply)
        left, unanswered = await query(replies.orphans)
    for conversation in unanswered:
        live.spawn(turns.answer(conversation))


async def _take_over(reply: uuid.UUID) -> None:
    taken = await query(replies.take_over, reply, live.name)
    if isinstance(taken, Claim):
        logger.info("reply taken over", extra={"reply": str(reply)})
        live.spawn(turns.Turn(taken.conversation.id).run(taken))
    elif isinstance(taken, Finished):
        conversation = taken.conversation.id
        await live.tell(conversation, [message.as_frame() for message in taken.changed])
        if taken.awaits:
            live.spawn(turns.answer(conversation))


async def _tell_health() -> None:
    """The state of every socket follows the model's."""
    global _told_health
    health = backends.health()["status"]
    if health != _told_health:
        _told_health = health
        await live.tell_all()


async def _renew() -> None:
    mine = [turn.reply for turn in turns.running.values() if turn.reply is not None]
    if mine:
        await query(replies.renew, mine, live.name)
    live.typing_again()
    await _tell_health()


async def look_at_money() -> None:
    """Learns what staff have changed, and which budgets are spent; sockets hear of it."""
    if await paid.look():
        await live.tell_all()


async def look_for_people() -> None:
    """Where nobody comes for too long the agent says so; who waits is no longer kept waiting."""
    for conversation in await query(handover.overdue):
        handed = await query(handover.nobody_comes, conversation)
        if not handed.changed:
            continue
        await live.tell(conversation, [message.as_frame() for message in handed.changed])
        await live.state_changed(conversation)
        live.spawn(turns.answer(conversation))


async def _mail() -> None:
    await background(notices.send_due)


async def _deliver() -> None:
    await calling(deliveries.deliver_due)


async def _embed() -> None:
    """A few at a time: a thread that computes holds up mails, and the end of the process."""
    if settings.KNOWLEDGE_EMBEDDINGS == "endpoint" and paid.limited(""):
        return
    while not turns.draining and await background(knowing.embed_pending, 4) > 0:
        continue


async def _every(seconds: float, work: Any) -> None:
    """Does `work` now and then; what goes wrong once does not end it."""
    while True:
        try:
            await work()
        except Exception as error:
            logger.warning("background work failed", extra={"error": type(error).__name__})
        await asyncio.sleep(seconds)


async def _heard(event: Mapping[str, Any]) -> None:
    """An event of another process that is for the turns or the lines of this one."""
    if event["type"] == "end":
        turn = turns.running.get(uuid.UUID(event["conversation"]))
        if turn is not None:
            turn.end(uuid.UUID(event["reply"]), event["attempt"], event["reason"])
    elif event["type"] == "sweep":
        await sweep()
    elif event["type"] == "money":
        await look_at_money()
    elif event["type"] == lines.EVENT:
        lines.take(event)
    elif event["type"] == "erased":
        turns.forget_words()
        await live.erased_here(uuid.UUID(event["visitor"]))
