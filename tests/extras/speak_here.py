"""Run by the environment that holds the engines: what they say and hear, as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from django.conf import settings  # noqa: E402

settings.configure(VOICE_PIPER_MODEL="", VOICE_WHISPER_MODEL="", VOICE_CONCURRENCY=2)

from voice import local, recordings  # noqa: E402
from voice.sink import Sink  # noqa: E402
from voice.voices import SpeechFailed, Voice  # noqa: E402


def spoken(engine: str, speed: float) -> bytes:
    pieces: list[bytes] = []
    voice = Voice(engine, "en" if engine == "espeak" else "", "", "", speed, "wav")
    {"piper": local.piper, "espeak": local.espeak}[engine](sys.argv[1], voice, Sink(pieces.append))
    return b"".join(pieces)


engines = ("piper", "espeak", "whisper")
found: dict[str, Any] = {"installed": {each: local.installed(each) for each in engines}}
for engine in ("piper", "espeak"):
    audio = spoken(engine, 1.0)
    look, fast = recordings.look(audio), recordings.look(spoken(engine, 1.5))
    assert look is not None and fast is not None  # noqa: PT018
    heard = local.whisper(audio, "en")
    found[engine] = {
        "kind": look.kind, "seconds": look.seconds, "fast": fast.seconds,
        "heard": heard.text, "heard_seconds": heard.seconds,
    }  # fmt: skip
recorded = (ROOT / "tests" / "recordings" / "chromium.webm").read_bytes()
found["recorded_seconds"] = local.whisper(recorded, "en").seconds
try:
    local.whisper(b"no recording at all", "en")
except SpeechFailed as failed:
    found["noise"] = failed.kind
print(json.dumps(found))  # noqa: T201 - the test reads it
