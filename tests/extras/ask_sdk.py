"""Run by the environment that holds the SDK: asks a server all that we ask, prints what came."""

import json
import logging
import sys
from typing import Any

from smallestai import SmallestAI, SmallestAIEnvironment


class Dropped(logging.Handler):
    """What is logged while the block runs."""

    def __enter__(self) -> "Dropped":
        self.lines: list[str] = []
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().replace('":true', '": true'))


url, key, text = sys.argv[1:]
where = SmallestAIEnvironment(atoms=url, waves=url, waves_ws=url.replace("http", "ws"), payment=url)
client = SmallestAI(environment=where, api_key=key, max_retries=0).waves
asked: dict[str, Any] = {"text": text, "voice_id": "kaitlyn", "model": "lightning_v3.1_pro"}
found: dict[str, Any] = {}

wav = b"".join(client.synthesize_tts(**asked, sample_rate=24000, output_format="wav"))
found["wav"] = {"head": wav[:4].decode(), "size": len(wav)}
# Its reader takes each event apart and then drops it, for it wants a string: it says so in the log.
with Dropped() as dropped:
    list(client.synthesize_sse_tts(**asked, sample_rate=24000))
found["stream"] = {
    "events": len(dropped.lines),
    "last": '"done": true' in dropped.lines[-1].lower(),
}
voices = client.get_voices("lightning-v3.1").voices
found["voices"], found["language"] = len(voices), voices[0].tags.language
clone = client.create_voice_clone(
    display_name="Ada",
    file=("ada.wav", wav, "audio/wav"),
    language="en",
    model="lightning-v3.1-pro",
)
found["clone"] = {"voice_id": clone.data.voice_id}
found["clones"] = len(client.list_voice_clones().data)
heard = client.speech_to_text.transcribe(model="pulse", language="en", request=wav)
found["transcription"] = heard.transcription
found["errors"] = {}
for name, options in (("401", {"api_key": "wrong"}), ("400", {"api_key": key})):
    wrong = SmallestAI(environment=where, max_retries=0, **options).waves
    try:
        b"".join(wrong.synthesize_tts(**{**asked, "sample_rate": 24000 if name == "401" else 7}))
    except Exception as error:
        found["errors"][name] = type(error).__name__
print(json.dumps(found))  # noqa: T201 - the test reads it
