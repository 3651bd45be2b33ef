"""A stand-in for Smallest.ai's API, in a thread of its own, that misbehaves on request.

In a test:            with Smallest() as service: ... SMALLEST_BASE_URL=service.url, key KEY ...
For other processes:  python -m tests.smallest --port 8140     (prints its URL when it listens)

It refuses what the service refuses, and answers in its shapes: mp3 (frames of silence, 24 ms each),
wav and pcm that last as long as the text would, as a file or as a stream of events. What goes wrong
is told by `service.faults`, a queue with an entry a request, as long as it lasts (also by POST
/control with {"faults": [...]}), or by `service.always`:

    ""               nothing goes wrong        "status CODE [AFTER]"  an error; AFTER: Retry-After
    "tiny"           a header without sound     "truncate"   breaks off in the middle
    "reset"          no answer at all           "error"      an event that tells of an error
    "garbage"        no sound event             "hold"       the first audio waits for `service.go`
    "slow S"         S seconds before the first audio        "drip S"    S seconds between pieces
    "unended"        a stream without its `done`             "html"      a page with status 200

GET /control gives {"requests": [{"path", "body", "answered", "closed_by_client"}], "most_at_once"}.
"""

import argparse
import asyncio
import base64
import json
import math
import struct
import threading
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.canaries import SECRETS

KEY = SECRETS["SMALLEST_API_KEY"]
RATES = (8000, 16000, 24000, 44100)
FORMATS = ("pcm", "mp3", "wav", "ulaw", "alaw")
MODELS = ("lightning_v3.1", "lightning_v3.1_pro")
_CODES = """auto en hi mr kn ta bn gu te ml pa or es de fr it nl sv pt ru el fi no pl ar zh id ja ko
ms tr vi"""
LANGUAGES = _CODES.split()
# One MPEG-2 layer III frame of silence: 24 kHz, mono, 64 kbit/s, 192 bytes, 24 ms.
MP3_FRAME = bytes([0xFF, 0xF3, 0x84, 0xC4]) + bytes(188)
SECONDS_A_CHARACTER = 0.06
PIECES = 8
CATALOGUE = [
    ("kaitlyn", "english", "us", "female"), ("blake", "english", "us", "male"),
    ("sophie", "english", "uk", "female"), ("meher", "english hindi", "indian", "female"),
    ("hanna", "german", "german", "female"), ("max", "german", "german", "male"),
    ("manon", "french", "french", "female"), ("magnus", "english", "us", "male"),
]  # fmt: skip


@dataclass
class Request:
    """What came in, and how it ended."""

    path: str
    body: dict[str, Any]
    answered: bool = False  # to the very end
    closed_by_client: bool = False  # before that
    pieces: int = 0
    headers: dict[str, str] = field(default_factory=dict, repr=False)


class Smallest:
    def __init__(self, port: int = 0, limit: int = 100) -> None:
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.always = ""
        self.go = threading.Event()
        self.streams_pcm = False  # whatever format is asked for
        self.transcript = "What does it cost?"
        self.clones: dict[str, dict[str, Any]] = {}
        self.at_once = self.most_at_once = 0
        self._limit, self._port = limit, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """What SMALLEST_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def texts(self) -> list[str]:
        """All that was to be spoken, in order."""
        return [each.body["text"] for each in self.requests if "text" in each.body]

    async def _listen(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        add = app.router
        add.add_post("/waves/v1/tts", self._tts)
        add.add_post("/waves/v1/tts/live", self._live)
        add.add_get("/waves/v1/lightning-v3.1/get_voices", self._voices)
        add.add_get("/waves/v1/voice/get-all-models", self._all_voices)
        add.add_get("/waves/v1/voice-cloning", self._list_clones)
        add.add_post("/waves/v1/voice-cloning", self._clone)
        add.add_delete("/waves/v1/lightning-large", self._delete_clone)
        add.add_post("/waves/v1/stt/", self._stt)
        add.add_get("/waves/v1/health", self._health)
        add.add_get("/control", self._told)
        add.add_post("/control", self._control)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.5, access_log=None
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    # --- Speaking -------------------------------------------------------------------------------

    async def _tts(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        made, fault = self._note(request, body), self._fault()
        if (refused := self._refusal(request, body) or _broken(fault)) is not None:
            return refused
        audio = self._audio(body, fault)
        if "audio" not in request.headers.get("Accept", ""):
            audio = b""  # documented as required, even for mp3
        kind = {"mp3": "audio/mpeg", "wav": "audio/wav"}.get(body.get("output_format", "pcm"))
        response = web.StreamResponse(headers={"Content-Type": kind or "audio/pcm"})
        if fault == "truncate":
            response.content_length = len(audio)
        return await self._send(request, response, made, fault, _cut(audio))

    async def _live(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        made, fault = self._note(request, body), self._fault()
        if (refused := self._refusal(request, body) or _broken(fault)) is not None:
            return refused
        if self.streams_pcm:
            body = {**body, "output_format": "pcm"}
        pieces = [_event(piece) for piece in _cut(self._audio(body, fault))]
        if fault not in ("unended", "truncate"):
            pieces.append(b'data: {"status":"200","done":true}\n\n')
        if fault == "error":
            pieces[1:] = [b'event: error\r\ndata: {"status":"500","message":"it broke"}\r\n\r\n']
        if fault == "garbage":
            pieces[1:] = [b"data: {not json\n\n"]
        pieces.insert(0, b": keepalive\n\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        return await self._send(request, response, made, fault, pieces)

    async def _send(
        self, request: web.Request, response: web.StreamResponse, made: Request, fault: str,
        pieces: list[bytes],
    ) -> web.StreamResponse:  # fmt: skip
        name, _, amount = fault.partition(" ")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await response.prepare(request)
            if name == "hold":
                while not self.go.is_set():  # noqa: ASYNC110 - it is set by another thread
                    await asyncio.sleep(0.01)
            await asyncio.sleep(float(amount) if name == "slow" else 0)
            for n, piece in enumerate(pieces):
                if name == "truncate" and n == len(pieces) // 2:
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                await response.write(piece)
                made.pieces += 1
                await asyncio.sleep(float(amount) if name == "drip" else 0)
            await response.write_eof()
            made.answered = True
        except (ConnectionError, asyncio.CancelledError):
            made.closed_by_client = True
            raise
        finally:
            self.at_once -= 1
        return response

    def _audio(self, body: dict[str, Any], fault: str) -> bytes:
        seconds = len(body["text"]) * SECONDS_A_CHARACTER / body.get("speed", 1.0)
        clone = self.clones.get(body["voice_id"])
        pool = clone and clone["modelIds"][0].replace("-", "_").replace("v3_1", "v3.1")
        if fault == "tiny" or (clone and pool != body.get("model", MODELS[0])):
            return wav(0, body.get("sample_rate", 44100)) + bytes(60)
        if body.get("output_format") == "mp3":
            return MP3_FRAME * math.ceil(seconds / 0.024)
        rate = body.get("sample_rate", 44100)
        sound = wav(seconds, rate)
        return sound if body.get("output_format") == "wav" else sound[44:]

    def _refusal(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        """What the service answers to what it does not accept; None: go on."""
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, "Unauthorized", "Invalid API key.")
        if self.at_once >= self._limit:
            return _error(429, "TooManyRequests", "Concurrency limit reached.")
        text, rate, speed = body.get("text"), body.get("sample_rate", 44100), body.get("speed", 1.0)
        sound = (
            isinstance(text, str)
            and 0 < len(text.strip()) <= 8000
            and isinstance(body.get("voice_id"), str)
            and rate in RATES
            and isinstance(speed, int | float)
            and 0.5 <= speed <= 2.0
            and body.get("output_format", "pcm") in FORMATS
            and body.get("language", "en") in LANGUAGES
            and body.get("model", MODELS[0]) in MODELS
        )
        return None if sound else _error(400, "InvalidRequest", "Invalid input data")

    # --- Everything else ------------------------------------------------------------------------

    async def _voices(self, request: web.Request) -> web.Response:
        self._note(request, {})
        if (refused := self._key_refused(request) or _broken(self._fault())) is not None:
            return refused
        return web.json_response(
            {
                "voices": [
                    {
                        "voiceId": name,
                        "displayName": name.title(),
                        "tags": {
                            "language": languages.split(), "accent": accent, "gender": gender,
                            "age": "young", "emotions": [], "usecases": [],
                        },
                        **({"supportedModels": ["lightning-v3.1"]} if name == "magnus" else {}),
                    }
                    for name, languages, accent, gender in CATALOGUE
                ]
            }
        )  # fmt: skip

    async def _all_voices(self, request: web.Request) -> web.Response:
        self._note(request, {})
        if (refused := self._key_refused(request) or _broken(self._fault())) is not None:
            return refused
        return web.json_response(
            [
                {"_id": str(n), "voiceId": name, "displayName": name.title(), "description": "",
                 "audioPreview": f"{self.url}/{name}.mp3", "tags": {"language": ["en"]}}
                for n, (name, *_) in enumerate(CATALOGUE)
            ]
        )  # fmt: skip

    async def _list_clones(self, request: web.Request) -> web.Response:
        self._note(request, {})
        if (refused := self._key_refused(request) or _broken(self._fault())) is not None:
            return refused
        return web.json_response({"data": list(self.clones.values())})

    async def _clone(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        made = {key: value for key, value in form.items() if isinstance(value, str)}
        self._note(request, made)
        if (refused := self._key_refused(request) or _broken(self._fault())) is not None:
            return refused
        name = made.get("displayName", "")
        if not 0 < len(name) <= 500 or not isinstance(file, web.FileField):
            return _error(400, "InvalidRequest", "Invalid input data")
        id = f"voice_{len(self.clones) + 1:04}"
        model = made.get("model", "lightning-v3.1")
        self.clones[id] = {
            "_id": id, "voiceId": id, "displayName": name, "description": "", "accent": "",
            "tags": [], "language": made.get("language", "en"), "status": "completed",
            "cloningType": "instant", "modelIds": [model], "createdAt": "2026-01-31T12:00:00Z",
        }  # fmt: skip
        data = {"voiceId": id, "displayName": name, "status": "pending", "model": {"id": model}}
        return web.json_response({"message": "Voice clone created", "data": data})

    async def _delete_clone(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._note(request, body)
        if (refused := self._key_refused(request) or _broken(self._fault())) is not None:
            return refused
        if self.clones.pop(str(body.get("voiceId")), None) is None:
            return _error(400, "InvalidRequest", "No such voice")
        return web.json_response({"message": "Voice deleted"})

    async def _stt(self, request: web.Request) -> web.Response:
        audio = await request.read()
        query = dict(request.query)
        self._note(request, {**query, "bytes": len(audio)})
        if (refused := self._key_refused(request) or _broken(self._fault())) is not None:
            return refused
        if query.get("model") not in ("pulse", "pulse-pro") or not audio:
            return web.json_response({"error": "Invalid request", "request_id": "r"}, status=400)
        said = self.transcript.split()
        words = [{"word": w, "start": n / 2, "end": (n + 1) / 2, "confidence": 0.9}
                 for n, w in enumerate(said)]  # fmt: skip
        return web.json_response(
            {"status": "success", "transcription": self.transcript, "words": words,
             "utterances": [], "language": query.get("language", "en"), "metadata": {},
             "request_id": "r"}
        )  # fmt: skip

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _told(self, request: web.Request) -> web.Response:
        told = [{**asdict(each), "headers": None} for each in self.requests]
        return web.json_response({"requests": told, "most_at_once": self.most_at_once})

    async def _control(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.faults, self.always = body.get("faults", []), body.get("always", "")
        self._limit = body.get("limit", self._limit)
        return web.json_response({})

    def _key_refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, "Unauthorized", "Invalid API key.")
        return None

    def _note(self, request: web.Request, body: dict[str, Any]) -> Request:
        made = Request(request.path, body, headers=dict(request.headers))
        self.requests.append(made)
        return made

    def _fault(self) -> str:
        return self.faults.pop(0) if self.faults else self.always


def _broken(fault: str) -> web.Response | None:
    """An answer that has nothing of what was asked for."""
    name, *rest = fault.split() or [""]
    if name == "html":
        return web.Response(text="<h1>Sign in</h1>", content_type="text/html")
    if name != "status":
        return None
    response = _error(int(rest[0]), "InternalServerError", "It did not go well.")
    if len(rest) > 1:
        response.headers["Retry-After"] = rest[1]
    return response


def _error(status: int, error: str, message: str) -> web.Response:
    return web.json_response({"error": error, "message": message}, status=status)


def _event(piece: bytes) -> bytes:
    audio = base64.b64encode(piece).decode()
    data = json.dumps({"audio": audio, "done": False, "status": "206"})
    return f"event: audio\ndata: {data}\n\n".encode()


def _cut(audio: bytes) -> list[bytes]:
    """In a few pieces; of mp3 whole frames."""
    size = max(192, math.ceil(len(audio) / PIECES / 192) * 192)
    return [audio[at : at + size] for at in range(0, len(audio), size)]


def wav(seconds: float, rate: int = 24000) -> bytes:
    """A quiet tone."""
    count = int(seconds * rate)
    sound = b"".join(
        struct.pack("<h", int(3000 * math.sin(2 * math.pi * 220 * n / rate))) for n in range(count)
    )
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(sound), b"WAVE", b"fmt ", 16, 1, 1,
                       rate, rate * 2, 2, 16, b"data", len(sound))  # fmt: skip
    return head + sound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with Smallest(parser.parse_args().port) as service:
        print(service.url, flush=True)  # noqa: T201 - whoever started it reads this
        threading.Event().wait()


if __name__ == "__main__":
    main()
