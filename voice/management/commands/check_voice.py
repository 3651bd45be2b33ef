"""Asks the real service what no document tells, and says what it answered. Costs a few cents."""

import time
from collections.abc import Callable
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voice import smallest
from voice.engines import voice
from voice.sink import Sink
from voice.voices import SpeechFailed, Voice, type_of

TEXT = "Hello! This is a short check of the voice."


class Command(BaseCommand):
    help = "Tries the voice's service with the key that is set, and says what works and how fast."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SMALLEST_API_KEY:
            raise CommandError("There is no SMALLEST_API_KEY.")
        chosen = voice("en", format="mp3")
        if chosen.engine != "smallest":
            chosen = Voice("smallest", "kaitlyn", settings.VOICE_MODEL, "en")
        self._failed = False
        wav = Voice("smallest", chosen.name, chosen.model, chosen.language, 1.0, "wav")
        older = Voice("smallest", "magnus", "lightning_v3.1", "en")
        recording: list[bytes] = []
        self._try("speaks, streamed", lambda: self._speak(chosen))
        self._try("speaks, as a file", lambda: self._speak(wav, recording))
        self._try("the older model, until 2026-11-30", lambda: self._speak(older), optional=True)
        self._try("a file comes while it is spoken", lambda: self._progressive(wav))
        if recording:
            self._try("hears what it said", lambda: self._hear(b"".join(recording)))
        self._try("the catalogue", lambda: f"{len(smallest.voices())} voices")
        self._try("the account's own voices", lambda: f"{len(smallest.clones())}", optional=True)
        self._try("an answer to too much at once", self._crowd, optional=True)
        self._try("deleting a voice that is not there", self._delete, optional=True)
        if self._failed:
            raise CommandError("Not all of it works: see above, and docs/voice.md.")

    def _try(self, what: str, call: Callable[[], str], *, optional: bool = False) -> None:
        try:
            self.stdout.write(f"{what}: {call()}")
        except SpeechFailed as failed:
            self._failed |= not optional
            self.stdout.write(f"{what}: {failed} ({failed.kind})")

    def _speak(self, chosen: Voice, into: list[bytes] | None = None) -> str:
        started = time.monotonic()
        times: list[float] = []
        sizes: list[int] = []

        pieces: list[bytes] = [] if into is None else into

        def take(data: bytes) -> None:
            times.append(time.monotonic() - started)
            sizes.append(len(data))
            pieces.append(data)

        smallest.speak(TEXT, chosen, Sink(take))
        kind, size = type_of(pieces[0]), sum(sizes)
        return f"{kind}, first sound after {times[0]:.2f} s, {size} bytes in {times[-1]:.2f} s"

    def _progressive(self, chosen: Voice) -> str:
        times: list[float] = []
        long = Sink(lambda data: times.append(time.monotonic()))
        smallest.speak(f"{TEXT} " * 4, chosen, long)
        return "yes" if times[-1] - times[0] > 0.1 else "no, it comes at the end"

    def _hear(self, audio: bytes) -> str:
        found = smallest.hear(audio, "en")
        return f"{found.text!r}, {found.seconds:.1f} s"

    def _crowd(self) -> str:
        """Calls past the plan's number: what a 429 looks like."""
        from concurrent.futures import ThreadPoolExecutor

        count = settings.VOICE_CONCURRENCY + 4
        with ThreadPoolExecutor(count) as threads:
            answers = list(threads.map(lambda n: _raw(), range(count)))
        refused = next((each for each in answers if each.status_code == 429), None)
        if refused is None:
            return f"{count} at once were all answered"
        after = refused.headers.get("Retry-After", "none")
        return f"429, Retry-After: {after}, {len(refused.content)} bytes of {_kind(refused)}"

    def _delete(self) -> str:
        smallest.delete_clone("voice_that_is_not_there")
        return "it says that it is done"


def _raw() -> requests.Response:
    body = {"text": TEXT, "voice_id": "kaitlyn", "model": settings.VOICE_MODEL}
    headers = {"Authorization": f"Bearer {settings.SMALLEST_API_KEY}", "Accept": "audio/wav"}
    url = f"{settings.SMALLEST_BASE_URL.rstrip('/')}/waves/v1/tts"
    return smallest.session().post(url, json=body, headers=headers, timeout=30)


def _kind(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "nothing that it names")
