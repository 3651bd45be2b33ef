"""Which voices there are, as the service tells; kept for a day. Synchronous.

A voice and a model that do not fit each other make no error at the service but wrong audio, so the
pair is judged here. Where the service does not say, the names that it has published decide.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core.cache import cache

from voice import smallest
from voice.voices import SpeechFailed

DAY = 86_400
SOON = 60  # seconds that the account's own voices are kept for: they are being made
_KEY, _OWN = "voice.catalogue", "voice.clones"
# Voices of the larger model, as the service's own card names them.
_NAMES = """kaitlyn savannah amelia zoe blake austin jack leo luke owen sophie ellie cressida sam
benedict rupert rhea meher kareena aviraj vyom hanna max martina mateo manon louis silvia luca
juliana gustavo"""
_PRO = frozenset(_NAMES.split())


@dataclass(frozen=True, slots=True)
class Entry:
    """`models` are as the service writes them here, with a hyphen; empty: it does not say."""

    id: str
    name: str
    language: str = ""
    accent: str = ""
    gender: str = ""
    sample: str = ""
    status: str = ""  # of the account's own: pending, processing, completed, failed
    models: list[str] = field(default_factory=list)

    def matches(self, words: Iterable[str]) -> bool:
        """Whether each of these is the beginning of a word of it."""
        own = f"{self.id} {self.name} {self.language} {self.accent} {self.gender}".lower().split()
        return all(any(each.startswith(word.lower()) for each in own) for word in words)


def entries() -> list[Entry]:
    """All voices; raises `SpeechFailed` where the service does not tell and none are kept."""
    kept = cache.get(_KEY)
    if isinstance(kept, list):
        return [Entry(**each) for each in kept]
    previews = {}
    try:
        previews = {row.get("voiceId"): row.get("audioPreview") for row in smallest.samples()}
    except SpeechFailed:  # without samples it is a catalogue all the same
        pass
    found = [_entry(row, previews) for row in smallest.voices() if row.get("voiceId")]
    cache.set(_KEY, [asdict(each) for each in found], DAY)
    return found


def own() -> list[Entry]:
    """The account's own voices, with how far each is made."""
    kept = cache.get(_OWN)
    if not isinstance(kept, list):
        kept = [asdict(_clone(row)) for row in smallest.clones() if row.get("voiceId")]
        cache.set(_OWN, kept, SOON)
    return [Entry(**each) for each in kept]


def forget() -> None:
    cache.delete_many([_KEY, _OWN])


def known() -> list[Entry]:
    """All that may be chosen; empty where the service does not tell."""
    try:
        return [*own(), *entries()]
    except SpeechFailed:
        return []


def mismatch(voice: str, model: str, among: Iterable[Entry]) -> bool:
    """Whether this voice is known not to be spoken by this model."""
    pro = "_pro" in model.replace("-", "_")
    entry = next((each for each in among if each.id == voice), None)
    if entry is not None and entry.models:
        return not any(("_pro" in each.replace("-", "_")) == pro for each in entry.models)
    return (voice in _PRO) != pro and (voice in _PRO or entry is not None)


def _entry(row: Mapping[str, Any], previews: Mapping[Any, Any]) -> Entry:
    told = row.get("tags")
    tags: Mapping[str, Any] = told if isinstance(told, dict) else {}
    sample = previews.get(row["voiceId"])
    models = row.get("supportedModels")
    return Entry(
        id=str(row["voiceId"]),
        name=str(row.get("displayName") or row["voiceId"]),
        language=_words(tags.get("language")),
        accent=_words(tags.get("accent")),
        gender=_words(tags.get("gender")),
        sample=sample if isinstance(sample, str) and sample.startswith("https://") else "",
        models=[str(each) for each in models] if isinstance(models, list) else [],
    )


def _clone(row: Mapping[str, Any]) -> Entry:
    models = row.get("modelIds")
    return Entry(
        id=str(row["voiceId"]),
        name=str(row.get("displayName") or row["voiceId"]),
        language=str(row.get("language") or ""),
        accent=str(row.get("accent") or ""),
        status=str(row.get("status") or ""),
        models=[str(each) for each in models] if isinstance(models, list) else [],
    )


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
