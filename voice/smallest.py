"""Smallest.ai: speaking, hearing, and the catalogue of voices. Synchronous, for threads.

Every call takes a place of the account's (`places.py`), is tried once more after 429, 5xx or a lost
connection as long as nothing was heard of it, and fails with one `SpeechFailed`.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from voice.places import place
from voice.sink import Sink
from voice.voices import NobodyListens, SpeechFailed, Voice, is_mp3, wav_head

SAMPLE_RATE = 24000
SMALLEST_AUDIO = 256  # bytes; what is no larger is a header without sound
CONNECT, READ = 3.05, 10.0  # seconds; READ: between two pieces
PATIENCE = 3.0  # seconds of Retry-After that are waited; longer, and it counts as failed at once
_PIECE = 64 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """What was understood of a recording, and how long that was, in seconds; 0: not told."""

    text: str
    seconds: float = 0.0


@cache
def session() -> requests.Session:
    """One pool of connections for the process; nothing of the environment's proxies or logins."""
    made = requests.Session()
    made.trust_env = False
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=settings.VOICE_CONCURRENCY)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def speak(text: str, voice: Voice, sink: Sink) -> None:
    """Writes the audio of `text` into `sink`, as it comes."""
    streamed = voice.format == "mp3" and settings.VOICE_STREAMED
    body: dict[str, Any] = {
        "text": text,
        "voice_id": voice.name,
        "model": voice.model,
        "sample_rate": SAMPLE_RATE,
        "speed": voice.speed,
        "output_format": voice.format,
    }
    if voice.language:
        body["language"] = voice.language
    path = "/waves/v1/tts/live" if streamed else "/waves/v1/tts"
    accept = "text/event-stream" if streamed else "audio/wav"

    def call() -> None:
        with _answer("POST", path, sink, json=body, headers={"Accept": accept}) as response:
            pieces = _pieces(response)
            _pass_on(_sound(_events(pieces)) if streamed else pieces, sink)

    _tried(call, sink.wait)


def _pass_on(pieces: Iterator[bytes], sink: Sink) -> None:
    """Nothing before it is more than a header: who hears nothing can still be told why."""
    held, size = b"", 0
    for piece in pieces:
        size += len(piece)
        held += piece
        if size > SMALLEST_AUDIO:
            sink.write(held)
            held = b""
    if size <= SMALLEST_AUDIO:
        raise SpeechFailed("broken", free=False)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes; raises where it ends before its length."""
    length, size = response.headers.get("Content-Length"), 0
    while piece := response.raw.read1(_PIECE):
        size += len(piece)
        yield piece
    if length is not None and length.isdecimal() and size < int(length):
        raise SpeechFailed("broken", free=False)


def _events(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The audio of a stream of events; `done` stands in every one, so its value tells."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            name, _, data = line.rstrip(b"\r").partition(b":")
            if name == b"event" and data.strip() == b"error":
                raise SpeechFailed("down", free=False)
            if name != b"data":
                continue
            event = _json(data)
            status = str(event.get("status", ""))
            if status[:1] in ("4", "5") or "error" in event:
                raise SpeechFailed("down", free=False)
            audio = event.get("audio")
            if isinstance(audio, str) and audio:
                yield _decoded(audio)
            if event.get("done") is True:
                return
    raise SpeechFailed("broken", free=False)  # it broke off


def _sound(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The stream as it was asked for; its documents name PCM alone, so then it is made a file."""
    first = next(pieces, b"")
    if is_mp3(first):
        yield first
        yield from pieces
    else:
        sound = first + b"".join(pieces)
        yield wav_head(len(sound), SAMPLE_RATE) + sound


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SpeechFailed("broken", free=False)
    return found


def _decoded(audio: str) -> bytes:
    try:
        return base64.b64decode(audio, validate=True)
    except ValueError:
        raise SpeechFailed("broken", free=False) from None


# --- Hearing --------------------------------------------------------------------------------------


def hear(audio: bytes, language: str = "") -> Heard:
    """What is said in `audio`, a file of a kind that browsers record."""
    asked = {"model": "pulse", "language": language or "en"}
    headers = {"Content-Type": "application/octet-stream"}

    def call() -> Heard:
        with _answer("POST", "/waves/v1/stt/", params=asked, data=audio, headers=headers) as found:
            answer = _object(found)
        text = answer.get("transcription")
        if not isinstance(text, str):
            raise SpeechFailed("broken", free=False)
        words = answer.get("words")
        ends = [w.get("end", 0) for w in words if isinstance(w, dict)] if words else [0]
        return Heard(text.strip(), max((e for e in ends if isinstance(e, int | float)), default=0))

    return _tried(call, time.sleep)


# --- The catalogue and clones --------------------------------------------------------------------


def voices() -> list[dict[str, Any]]:
    """The voices of the v3.1 family as the service describes them."""
    return _list("/waves/v1/lightning-v3.1/get_voices", "voices")


def samples() -> list[dict[str, Any]]:
    """All voices, for their samples."""
    return _list("/waves/v1/voice/get-all-models", "voices")


def clones() -> list[dict[str, Any]]:
    """The account's own voices."""
    return _list("/waves/v1/voice-cloning", "data")


def clone(name: str, sample: tuple[str, bytes, str], *, language: str, model: str) -> str:
    """Makes a voice of a recording (its name, bytes and type); the voice's id."""
    fields = {"displayName": name, "language": language, "model": model}

    def call() -> str:
        answer = _answer("POST", "/waves/v1/voice-cloning", data=fields, files={"file": sample})
        with answer as response:
            data = _object(response).get("data")
        found = data.get("voiceId") if isinstance(data, dict) else None
        if not isinstance(found, str) or not found:
            raise SpeechFailed("broken")
        return found

    return call()  # once: tried again it might be made twice


def delete_clone(voice: str) -> None:
    def call() -> None:
        with _answer("DELETE", "/waves/v1/lightning-large", json={"voiceId": voice}):
            pass

    _tried(call, time.sleep)


def _list(path: str, name: str) -> list[dict[str, Any]]:
    def call() -> list[dict[str, Any]]:
        with _answer("GET", path) as response:
            found = _found(response)
        rows = found.get(name) if isinstance(found, dict) else found
        if not isinstance(rows, list):
            raise SpeechFailed("broken")
        return [row for row in rows if isinstance(row, dict)]

    return _tried(call, time.sleep)


def _found(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise SpeechFailed("broken") from None


def _object(response: requests.Response) -> dict[str, Any]:
    found = _found(response)
    if not isinstance(found, dict):
        raise SpeechFailed("broken")
    return found


# --- One call -------------------------------------------------------------------------------------


@contextmanager
def _answer(
    method: str,
    path: str,
    sink: Sink | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **body: Any,
) -> Iterator[requests.Response]:
    """A good answer's head; raises `SpeechFailed` for any other, also from within the block."""
    given = {
        "Authorization": f"Bearer {settings.SMALLEST_API_KEY}",
        "Accept-Encoding": "identity",
        **(headers or {}),
    }
    url, wait = settings.SMALLEST_BASE_URL.rstrip("/") + path, sink.wait if sink else time.sleep
    answered = False
    try:
        with (
            place(wait),
            session().request(
                method, url, headers=given, timeout=(CONNECT, READ), stream=True,
                allow_redirects=False, **body,
            ) as response,
        ):  # fmt: skip
            if response.status_code not in (200, 201, 204):
                raise _refusal(response)
            answered = True
            if sink is None:
                yield response
            else:
                with sink.aborting(lambda: _hang_up(response)):
                    yield response
    except (SpeechFailed, NobodyListens):
        raise
    except Exception as error:  # of requests, urllib3 or the system: each has names of its own
        if sink is not None:
            sink.check()  # it was we who hung up
        late = answered or isinstance(error, requests.ReadTimeout)
        raise SpeechFailed("down", free=not late) from error


def _hang_up(response: requests.Response) -> None:
    try:
        response.raw.shutdown()
    except (OSError, RuntimeError, ValueError):  # it has ended
        pass


def _refusal(response: requests.Response) -> SpeechFailed:
    code = response.status_code
    after = response.headers.get("Retry-After", "").strip()
    seconds = float(after) if after.isdecimal() else 0.0
    if code == 401:
        return SpeechFailed("key")
    if code == 403:
        return SpeechFailed("used_up")
    if code == 429:
        return SpeechFailed("busy", retry_after=seconds)
    if code >= 500:
        return SpeechFailed("down", retry_after=seconds)
    return SpeechFailed("refused")


def _tried(call: Callable[[], T], wait: Callable[[float], None]) -> T:
    """Calls it, once more where that may help and nothing was paid for."""
    try:
        return call()
    except SpeechFailed as failed:
        if not failed.free or failed.kind not in ("busy", "down"):
            raise
        if failed.retry_after > PATIENCE:
            raise
        wait(failed.retry_after or 0.5)
    return call()
