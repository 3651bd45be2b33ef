"""Who speaks and who listens: chosen by VOICE_BACKEND and VOICE_LISTENING."""

from collections.abc import Callable, Mapping
from typing import Literal

from django.conf import settings

from voice import local, smallest
from voice.smallest import Heard
from voice.synthesis import Speak
from voice.voices import FASTEST, SLOWEST, Format, Voice

Mode = Literal["server", "browser", "off"]
Hear = Callable[[bytes, str], Heard]

SPEAKING: dict[str, Speak] = {
    "smallest": smallest.speak,
    "piper": local.piper,
    "espeak": local.espeak,
}
HEARING: dict[str, Hear] = {"smallest": smallest.hear, "whisper": local.whisper}
BACKENDS = ("off", "browser", *SPEAKING)
LISTENING = ("off", "browser", *HEARING)

# The voice of a language where a persona names none.
_VOICES = {
    "en": "kaitlyn",
    "de": "hanna",
    "es": "martina",
    "fr": "manon",
    "it": "silvia",
    "pt": "juliana",
}


def modes() -> dict[str, Mode]:
    """The `voice` of init, as the settings have it."""
    return {"input": _mode(settings.VOICE_LISTENING, HEARING), "output": output()}


def output() -> Mode:
    return _mode(settings.VOICE_BACKEND, SPEAKING)


def _mode(name: str, served: Mapping[str, object]) -> Mode:
    if name in served:
        return "server"
    return "browser" if name == "browser" else "off"


def speak() -> Speak:
    return SPEAKING[settings.VOICE_BACKEND]


def hear() -> Hear:
    return HEARING[settings.VOICE_LISTENING]


def paid() -> bool:
    """Whether speaking costs money."""
    return settings.VOICE_BACKEND == "smallest"


def hearing_paid() -> bool:
    return settings.VOICE_LISTENING == "smallest"


def voice(
    language: str, *, name: str = "", model: str = "", speed: float | None = None,
    spoken: str = "", format: str = "",
) -> Voice:  # fmt: skip
    """The voice for a text in `language`; what is left empty is as the settings have it.

    `spoken` is the language that the voice is told to speak: "" leaves it to the voice.
    """
    engine = settings.VOICE_BACKEND
    pace = min(FASTEST, max(SLOWEST, speed or 1.0))
    short = language.partition("-")[0].lower()
    if engine != "smallest":
        given = settings.VOICE_NAME or (short if engine == "espeak" else "")
        return Voice(engine, name if engine == "espeak" and name else given, "", "", pace, "wav")
    named = name or settings.VOICE_NAME
    told = spoken or ("" if named else short if short in _VOICES else "")
    kind: Format = "wav" if (format or settings.VOICE_FORMAT) == "wav" else "mp3"
    return Voice(
        engine,
        named or _VOICES.get(short, _VOICES["en"]),
        model or settings.VOICE_MODEL,
        told,
        pace,
        kind,
    )
