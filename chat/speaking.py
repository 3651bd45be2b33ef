"""Sound of what was said: which text, for whom, in which voice, from the cache or newly spoken.

A segment's text is always cut from the message as it is stored or being written, never given by who
asks. What is asked for is spoken while it goes out; the segments after it are begun ahead.
"""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat import budgets, conversations, metrics, paid, personas
from chat.breaker import Breaker
from chat.budgets import Payer
from chat.database import background, query
from chat.languages import spoken
from chat.live import live
from chat.models import Message, PersonaVersion
from chat.replies import language_of
from voice import clips, engines
from voice.sink import Sink
from voice.speech import Cutter, Segment, segments
from voice.synthesis import Bill, Listener, Synthesis, syntheses
from voice.voices import NobodyListens, SpeechFailed, Voice, type_of

logger = logging.getLogger(__name__)

AHEAD = 2  # segments that are begun before anybody asks for them
COMING = 2.0  # seconds that a segment is waited for which another process has told of already
AGAIN = 0.1
MANY = 2000  # replies of which it is remembered how far they were listened to
_files = ThreadPoolExecutor(4, thread_name_prefix="clips")
_asked: OrderedDict[str, int] = OrderedDict()  # the highest n that was asked for, by reply
_ahead: dict[uuid.UUID, set[Synthesis]] = {}  # by conversation: what nobody has asked for yet
_breaker: Breaker | None = None


class Silent(Exception):
    """There is no sound for it now. `message`: words for the visitor."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Script:
    """A message with all that its sound depends on."""

    message: Message
    voice: Voice
    payer: Payer

    @property
    def conversation(self) -> uuid.UUID:
        return self.message.conversation_id


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio of one segment: whole, or as it is spoken."""

    type: str
    whole: bytes | None = None
    pieces: AsyncIterator[bytes] | None = None


def modes(site: str) -> dict[str, engines.Mode]:
    """The `voice` of init for a site, by its public key."""
    found = engines.modes()
    if found["output"] == "server" and (breaker().open or (engines.paid() and paid.limited(site))):
        found["output"] = "browser"
    if found["input"] == "server" and engines.hearing_paid() and paid.limited(site):
        found["input"] = "browser"
    return found


# --- A segment that is asked for -----------------------------------------------------------------


async def sound(conversation: uuid.UUID, message: str, n: int, attempt: int | None) -> Sound:
    """Segment `n` of a message; raises `conversations.Refused` where there is none, or `Silent`."""
    started = time.monotonic()
    script = await query(_script, conversation, message)
    segment, script = await _segment(script, n, attempt)
    key = script.voice.key(segment.text)
    reply = str(script.message.id)
    _asked[reply] = max(n, _asked.get(reply, 0))
    while len(_asked) > MANY:
        _asked.popitem(last=False)
    try:
        synthesis = syntheses.of(key)
        if synthesis is None and (audio := await _kept(key)) is not None:
            clips.note(key, script.message.id, n, hit=True)
            _measured("cache", started)
            return Sound(type_of(audio), whole=audio)
        synthesis = _begin(script, segment)
        listener = await _begun(synthesis)
        clips.note(key, script.message.id, n, hit=False)
        _measured("synthesis", started)
        return Sound(type_of(synthesis.first), pieces=_heard(synthesis, listener))
    finally:
        _speak_ahead(script, segment.n)


def _measured(origin: str, started: float) -> None:
    metrics.SPOKEN.labels(origin).inc()
    metrics.FIRST_SOUND.labels(origin).observe(time.monotonic() - started)


async def _heard(synthesis: Synthesis, listener: Listener) -> AsyncIterator[bytes]:
    """All of it. Where it breaks off the connection does, for an end would say that it is whole."""
    try:
        async for piece in synthesis.listen(listener):
            yield piece
    except (SpeechFailed, paid.Unpaid, NobodyListens):
        raise asyncio.CancelledError from None  # which Django takes for a client that has left


async def _begun(synthesis: Synthesis) -> Listener:
    try:
        return await synthesis.begun()
    except paid.Unpaid as unpaid:
        raise _unpaid(unpaid) from None
    except (SpeechFailed, NobodyListens) as failed:
        after = getattr(failed, "retry_after", 0) or settings.VOICE_QUEUE
        text = _("The agent's voice does not answer; your browser reads on.")
        raise Silent(503, "voice_unavailable", text, max(1, round(after))) from None


def _unpaid(unpaid: paid.Unpaid) -> Silent:
    if unpaid.reason in ("stopped", "unknown"):
        text = _("The agent's voice is switched off for now; your browser reads on.")
    else:
        text = _("The agent's voice has said enough for today; your browser reads on.")
    return Silent(429, "budget_spent", text)


def _script(conversation: uuid.UUID, message: str) -> Script:
    related = ("conversation__site", "persona_version")
    found = conversations.message_of(conversation, message, *related)
    if found.role not in (Message.Role.AGENT, Message.Role.STAFF):
        raise conversations.Refused("not_found", _("There is no such message here."))
    talk = found.conversation
    version = found.persona_version or personas.published(talk.site)
    # The greeting is in the site's language, whoever reads it; replies are in the visitor's.
    language = language_of(talk) if found.reply_to_id else spoken(talk.site.language)
    return Script(found, voice_of(version, language), Payer.of(talk))


def voice_of(version: PersonaVersion | None, language: str) -> Voice:
    """How a persona speaks to a visitor of that language."""
    if version is None:
        return engines.voice(language)
    return engines.voice(
        language,
        name=version.voice,
        model=version.voice_model,
        speed=version.voice_speed,
        spoken=version.voice_language,
    )


async def _segment(script: Script, n: int, attempt: int | None) -> tuple[Segment, Script]:
    """The segment, once it is whole: another process may have told of it before it is saved."""
    until = time.monotonic() + COMING
    while True:
        message = script.message
        if attempt is not None and attempt != message.attempt:
            break
        found = written(message)
        if n < len(found):
            return found[n], script
        if message.state != Message.State.STREAMING or time.monotonic() > until:
            break
        await asyncio.sleep(AGAIN)
        script = await query(_script, script.conversation, str(message.id))
    raise conversations.Refused("not_found", _("There is no such message here."))


def written(message: Message) -> list[Segment]:
    """The segments of a message, of one that is being written those that are whole."""
    if message.state != Message.State.STREAMING:
        return segments(message.text)
    shape = {"id": str(message.id), "attempt": message.attempt}
    shown = live.text_of(message.conversation_id, shape) or ""
    return Cutter().feed(max(shown, message.text, key=len))


# --- Speaking ------------------------------------------------------------------------------------


def breaker() -> Breaker:
    """What is known of the voice's service, in this process."""
    global _breaker
    if _breaker is None:
        _breaker = Breaker(
            failures=settings.CHAT_BREAKER_FAILURES,
            window=settings.CHAT_BREAKER_WINDOW,
            rest=settings.CHAT_BREAKER_REST,
        )
    return _breaker


def price(characters: int) -> Decimal:
    """Of speaking so many, in dollars."""
    if not engines.paid():
        return Decimal(0)
    return Decimal(str(settings.VOICE_PRICE)) * characters / 10_000


def _begin(script: Script, segment: Segment) -> Synthesis:
    """Speaks it, or joins whoever does. Raises `Silent` where the service is left alone."""
    if not breaker().admits() and syntheses.of(script.voice.key(segment.text)) is None:
        text = _("The agent's voice does not answer; your browser reads on.")
        raise Silent(503, "voice_unavailable", text, round(settings.CHAT_BREAKER_REST))
    return syntheses.start(
        segment.text,
        script.voice,
        speak=engines.speak(),
        pay=partial(_pay, script.payer, segment.text),
        keep=partial(_keep, script, segment),
        kept=partial(_kept, script.voice.key(segment.text)),
        ended=_ended,
    )


def _pay(payer: Payer, text: str) -> AbstractAsyncContextManager[Bill]:
    if not engines.paid():
        return _free()
    return paid.call(payer, price(len(text)))


@asynccontextmanager
async def _free() -> AsyncIterator[Bill]:
    yield paid.Bill(Decimal(0))


def _keep(script: Script, segment: Segment, audio: bytes) -> Awaitable[None]:
    metrics.CHARACTERS.inc(len(segment.text))
    return background(_kept_for, script, segment, audio)


def _kept_for(script: Script, segment: Segment, audio: bytes) -> None:
    """Keeps it, unless its message has been erased meanwhile."""
    message = script.message.id
    clips.keep(
        script.voice.key(segment.text),
        audio,
        format=script.voice.format,
        characters=len(segment.text),
        cost=price(len(segment.text)),
        message=message,
        n=segment.n,
    )
    if not _there({message}):
        clips.forget([message])


def speak_now(text: str, voice: Voice) -> bytes:
    """Speaks it in this thread, for staff, or reads what is kept; all sites together pay.

    Raises `SpeechFailed`, and `budgets.Refused` where nothing may be paid for.
    """
    key, pieces = voice.key(text), list[bytes]()
    if (kept := clips.read(key)) is not None:
        return kept
    cost = price(len(text))
    held = budgets.reserve(Payer(), cost) if cost else None
    try:
        engines.speak()(text, voice, Sink(pieces.append))
    except SpeechFailed as failed:
        cost = Decimal(0) if failed.free else cost
        raise
    finally:
        if held is not None:
            budgets.settle(held, cost)
    audio = b"".join(pieces)
    clips.keep(key, audio, format=voice.format, characters=len(text), cost=price(len(text)))
    return audio


def _there(messages: set[uuid.UUID]) -> set[uuid.UUID]:
    return set(Message.objects.filter(id__in=messages).values_list("id", flat=True))


def _ended(failure: Exception | None) -> None:
    """The breaker learns of it, and staff."""
    if failure is None:
        breaker().note(well=True)
        return
    if isinstance(failure, paid.Unpaid):
        return
    kind = failure.kind if isinstance(failure, SpeechFailed) else "broken"
    metrics.VOICE_FAILURES.labels(kind).inc()
    logger.warning("not spoken", extra={"kind": kind, "error": type(failure).__name__})
    if not (isinstance(failure, SpeechFailed) and failure.ours):
        breaker().note(well=False)


async def _kept(key: str) -> bytes | None:
    return await asyncio.get_running_loop().run_in_executor(_files, clips.read, key)


# --- Ahead of whoever listens --------------------------------------------------------------------


def told(conversation: uuid.UUID, message: str, attempt: int, n: int) -> None:
    """A segment is whole that somebody wants to hear: `live` says so.

    Without Redis this is the process that will be asked for it, so the first one is begun now.
    """
    if engines.output() != "server" or n > _asked.get(message, -AHEAD) + AHEAD:
        return
    if n == 0 and settings.REDIS_URL:
        return
    live.spawn(_quietly(_speak_told(conversation, message, n)))


async def _speak_told(conversation: uuid.UUID, message: str, n: int) -> None:
    script = await query(_script, conversation, message)
    found = written(script.message)
    if n < len(found):
        await _speak_soon(script, found[n])


def _speak_ahead(script: Script, n: int) -> None:
    """The segments after the one that was asked for, as far as they are written."""
    for segment in written(script.message)[n + 1 : n + 1 + AHEAD]:
        live.spawn(_quietly(_speak_soon(script, segment)))


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """Nobody waits for it, and whoever asks for the same will be told why not."""
    try:
        await work
    except (conversations.Refused, Silent):
        return
    except Exception as error:
        logger.warning("not spoken ahead", extra={"error": type(error).__name__})


async def _speak_soon(script: Script, segment: Segment) -> None:
    key = script.voice.key(segment.text)
    if syntheses.of(key) is not None or await _kept(key) is not None:
        return
    synthesis = _begin(script, segment)
    begun = _ahead.setdefault(script.conversation, set())
    begun.add(synthesis)
    try:
        await synthesis.ended()
    finally:
        begun.discard(synthesis)
        if not begun:
            _ahead.pop(script.conversation, None)


def hush(conversation: uuid.UUID) -> None:
    """The visitor wants no more of it: what nobody listens to is not spoken to its end."""
    for synthesis in list(_ahead.get(conversation, ())):
        synthesis.hush()


# --- The process ---------------------------------------------------------------------------------


async def tidy() -> None:
    """Writes down what was heard; deletes what is too old or too much."""
    await background(clips.flush, _there)
    await background(clips.trim)


async def stop() -> None:
    global _breaker
    await syntheses.stop()
    _asked.clear()
    _breaker = None
    if engines.output() == "server":
        await background(clips.flush, _there)


def health() -> dict[str, Any]:
    """The check `voice` of `/api/health`."""
    output = engines.output()
    if output == "off":
        return {"status": "off"}
    if output == "server" and breaker().open:
        return {"status": "degraded", "detail": "the voice fails; browsers speak for it"}
    return {"status": "ok", "detail": "browsers speak" if output == "browser" else "it speaks"}


def measure() -> None:
    metrics.VOICE_OPEN.set(breaker().open)
