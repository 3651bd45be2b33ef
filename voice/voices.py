"""With which voice a text is spoken, and what can go wrong with it. Pure."""

import json
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

Format = Literal["mp3", "wav"]
Kind = Literal["key", "refused", "used_up", "busy", "down", "broken"]

TYPES: dict[str, str] = {"mp3": "audio/mpeg", "wav": "audio/wav"}
SLOWEST, FASTEST = 0.5, 2.0


def is_mp3(audio: bytes) -> bool:
    """Whether this begins as MP3 does: by a tag, or the head of a frame of layer III."""
    if audio[:3] == b"ID3":
        return True
    if len(audio) < 4 or audio[0] != 0xFF or audio[1] & 0xE6 != 0xE2:
        return False
    return audio[1] & 0x18 != 0x08 and audio[2] >> 4 not in (0, 15) and audio[2] & 0x0C != 0x0C


def type_of(audio: bytes) -> str:
    """What the beginning of some audio says that it is."""
    return TYPES["wav" if audio[:4] == b"RIFF" else "mp3"]


def wav_head(size: int, rate: int) -> bytes:
    """What stands before so many bytes of PCM, mono, 16 bits."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + fmt + b"data" + struct.pack("<I", size)
    )


_SAID: dict[Kind, str] = {
    "key": "The service does not accept the key: check SMALLEST_API_KEY.",
    "refused": "The service refuses the request: check voice, model and language.",
    "used_up": "The account may not: its plan is used up, or the key is of another workspace.",
    "busy": "The account speaks as much at once as its plan allows.",
    "down": "The service does not answer, or answers with an error of its own.",
    "broken": "The service sent no whole audio; do voice and model fit each other?",
}


@dataclass(frozen=True, slots=True)
class Voice:
    """`engine`: as VOICE_BACKEND names it; `language` "": the voice's own."""

    engine: str
    name: str
    model: str
    language: str = ""
    speed: float = 1.0
    format: Format = "mp3"

    def key(self, text: str) -> str:
        """What audio of `text` in this voice is found by: 64 hexadecimal digits."""
        parts = [self.engine, self.name, self.model, self.language, self.speed, self.format, text]
        return sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


class SpeechFailed(Exception):
    """Speaking or listening failed; `str()` is a sentence for staff.

    `free`: nothing was paid for. `retry_after`: seconds after which it may go better; 0: unknown.
    """

    def __init__(self, kind: Kind, *, free: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(_SAID[kind])
        self.kind, self.free, self.retry_after = kind, free, retry_after

    @property
    def ours(self) -> bool:
        """Whether another text or voice might have gone well: it says nothing of the service."""
        return self.kind == "refused"


class NobodyListens(Exception):
    """Who wanted to hear it has left."""
