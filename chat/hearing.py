"""What a visitor says, as text: a recording comes up, is understood, and is not kept."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from decimal import Decimal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chat import limits, metrics, paid, wire
from chat.budgets import Payer
from chat.models import Site
from chat.tokens import Identity
from chat.views import Problem, bearer, json_answer, route
from voice import engines, recordings
from voice.recordings import Recording
from voice.smallest import Heard
from voice.voices import SpeechFailed

logger = logging.getLogger(__name__)

TYPES = ("audio/webm", "audio/ogg", "audio/mp4", "audio/wav", "audio/x-wav", "video/webm")
_threads = ThreadPoolExecutor(2, thread_name_prefix="hearing")


@route("POST")
async def transcribe(request: HttpRequest) -> HttpResponse:
    """The words of the recording in the body, `{"text"}`; "" where none was understood."""
    identity, site = await bearer(request)
    if engines.modes()["input"] != "server":
        raise Problem(404, "not_found", _("There is nothing here."))
    if request.content_type not in TYPES:
        raise Problem(415, "unsupported_type", _("Send a recording."))
    wait = await limits.wait(("transcribe", identity.visitor.hex))
    if wait:
        text = _("You are sending too fast. Please wait a moment.")
        raise Problem(429, "rate_limited", text, retry_after=wait)
    audio, recording = _recording(request)
    language, payer = _language(request, identity, site), _payer(request, identity, site)
    heard = await _heard(audio, recording, language, payer)
    metrics.HEARD.inc(heard.seconds or recording.seconds)
    return json_answer({"text": wire.cut(wire.drop_controls(heard.text).strip(), wire.MAX_TEXT)})


def _recording(request: HttpRequest) -> tuple[bytes, Recording]:
    audio = request.read(settings.VOICE_RECORDING_BYTES + 1)
    if len(audio) > settings.VOICE_RECORDING_BYTES:
        raise Problem(413, "too_large", _("That recording is too long."))
    found = recordings.look(audio)
    if found is None:
        raise Problem(415, "unsupported_type", _("That is no recording that can be heard here."))
    if found.seconds > settings.VOICE_RECORDING_SECONDS:
        raise Problem(413, "too_large", _("That recording is too long."))
    return audio, found


def _language(request: HttpRequest, identity: Identity, site: Site) -> str:
    try:
        asked = wire.locale(request.GET.get("language"))
    except wire.BadFrame:
        asked = ""
    tag = asked or identity.locale or site.language
    return tag.replace("_", "-").partition("-")[0].lower()


def _payer(request: HttpRequest, identity: Identity, site: Site) -> Payer:
    network = limits.mark(request.META.get("REMOTE_ADDR", ""))
    return Payer(site.pk, site.daily_budget, identity.visitor, network)


def price(seconds: float) -> Decimal:
    """Of hearing so long a recording, in dollars."""
    if not engines.hearing_paid():
        return Decimal(0)
    return Decimal(str(settings.VOICE_LISTENING_PRICE)) * Decimal(str(round(seconds, 3))) / 3600


async def _heard(audio: bytes, recording: Recording, language: str, payer: Payer) -> Heard:
    try:
        async with _paid(payer, price(recording.seconds)) as bill:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    _threads, engines.hear(), audio, language
                )
            except SpeechFailed as failed:
                if failed.free:
                    bill.cost = Decimal(0)
                raise
    except paid.Unpaid:
        text = _("Enough was spoken for today; please type.")
        raise Problem(429, "budget_spent", text) from None
    except SpeechFailed as failed:
        metrics.VOICE_FAILURES.labels(failed.kind).inc()
        logger.warning("not heard", extra={"kind": failed.kind})
        text = _("That was not understood. Please try again, or type.")
        raise Problem(503, "voice_unavailable", text, retry_after=2) from None


@asynccontextmanager
async def _paid(payer: Payer, worst: Decimal) -> AsyncIterator[paid.Bill]:
    if not engines.hearing_paid():
        yield paid.Bill(Decimal(0))
        return
    async with paid.call(payer, worst) as bill:
        yield bill
