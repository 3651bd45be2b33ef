"""The cache of spoken audio: in a storage of Django's or its cache, with an index in the database.

Bounded by age since it was last heard and by size (VOICE_CACHE_DAYS, VOICE_CACHE_MB); and a clip
goes with the last message that was heard from it, for a reply may repeat a visitor's words. What no
message was heard from, as phrases that are spoken ahead, goes by age and size alone. Synchronous.
"""

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.db.models import Count, F, Sum
from django.utils import timezone

from voice.models import Clip, ClipUse

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
BILLION = 1_000_000_000
_BATCH = 200
_lock = threading.Lock()
_heard: dict[str, set[tuple[uuid.UUID, int]]] = {}  # message and n; not in the index yet
_hits: Counter[str] = Counter()


@dataclass(frozen=True, slots=True)
class Figures:
    clips: int
    size: int  # bytes
    hits: int
    saved: Decimal  # US dollars

    def __str__(self) -> str:
        return (
            f"{self.clips} segments, {self.size / MIB:.1f} MiB, heard {self.hits} times from the "
            f"cache, ${self.saved:.2f} saved"
        )


# --- The audio -----------------------------------------------------------------------------------


def read(key: str) -> bytes | None:
    """The audio, where it is kept. A storage that is away keeps nothing."""
    try:
        if settings.VOICE_STORAGE == "cache":
            found = caches["voice"].get(key)
            return found if isinstance(found, bytes) else None
        storage = _storage()
        if not storage.exists(_name(key)):
            return None
        with storage.open(_name(key)) as file:
            return bytes(file.read()) or None
    except Exception as error:  # of whatever storage it is
        logger.warning("clip not read", extra={"error": type(error).__name__})
        return None


def _write(key: str, audio: bytes) -> None:
    if settings.VOICE_STORAGE == "cache":
        caches["voice"].set(key, audio, settings.VOICE_CACHE_DAYS * 86400)
        return
    name, storage = _name(key), _storage()
    if storage.exists(name):
        return
    saved = storage.save(name, ContentFile(audio))
    if saved != name:  # another process was faster
        storage.delete(saved)


def _delete(keys: Iterable[str]) -> None:
    for key in keys:
        try:
            if settings.VOICE_STORAGE == "cache":
                caches["voice"].delete(key)
            else:
                _storage().delete(_name(key))
        except Exception as error:
            logger.warning("clip not deleted", extra={"error": type(error).__name__})


def _storage() -> Storage:
    return storages["voice"]


def _name(key: str) -> str:
    return f"{key[:2]}/{key}"


# --- The index -----------------------------------------------------------------------------------


def keep(
    key: str, audio: bytes, *, format: str, characters: int, cost: Decimal,
    message: uuid.UUID | None = None, n: int = 0,
) -> None:  # fmt: skip
    """Keeps what was just spoken, for a message or for none."""
    try:
        _write(key, audio)
    except Exception as error:
        logger.warning("clip not kept", extra={"error": type(error).__name__})
        return
    clip, _ = Clip.objects.get_or_create(
        key=key,
        defaults={
            "format": format,
            "characters": characters,
            "size": len(audio),
            "cost": int(cost * BILLION),
        },
    )
    if message is not None:
        ClipUse.objects.get_or_create(clip=clip, message=message, n=n)


def note(key: str, message: uuid.UUID | None, n: int = 0, *, hit: bool) -> None:
    """A clip was heard; the index learns of it with the next `flush`."""
    with _lock:
        if hit:
            _hits[key] += 1
        if message is not None:
            _heard.setdefault(key, set()).add((message, n))


def flush(there: Callable[[set[uuid.UUID]], set[uuid.UUID]]) -> None:
    """Writes what was noted into the index; of messages only those that `there` finds."""
    with _lock:
        hits, heard = _hits.copy(), dict(_heard)
        _hits.clear()
        _heard.clear()
    if not hits and not heard:
        return
    known = set(Clip.objects.filter(key__in={*hits, *heard}).values_list("key", flat=True))
    now = timezone.now()
    for key in known & hits.keys():
        Clip.objects.filter(key=key).update(hits=F("hits") + hits[key], used=now)
    noted = {message for uses in heard.values() for message, _ in uses}
    messages = there(noted) if noted else set()
    ClipUse.objects.bulk_create(
        [
            ClipUse(clip_id=key, message=message, n=n)
            for key in known & heard.keys()
            for message, n in heard[key]
            if message in messages
        ],
        ignore_conflicts=True,
    )


def forget(messages: Sequence[uuid.UUID]) -> int:
    """Messages go away: so does what was heard from them alone. How many clips went.

    Within a transaction the audio goes when that has committed.
    """
    going = set(messages)
    with _lock:
        for key, heard in _heard.items():
            _heard[key] = {(message, n) for message, n in heard if message not in going}
        noted = {key for key, heard in _heard.items() if heard}
    gone = 0
    for at in range(0, len(messages), _BATCH):
        batch = messages[at : at + _BATCH]
        uses = ClipUse.objects.filter(message__in=batch)
        keys = set(uses.values_list("clip", flat=True))
        uses.delete()
        left = Clip.objects.filter(key__in=keys).exclude(
            key__in=ClipUse.objects.filter(clip__in=keys).values("clip")
        )
        gone += _drop([key for key in left.values_list("key", flat=True) if key not in noted])
    return gone


def trim() -> int:
    """Deletes what was not heard for long, and the longest unheard where all is too large."""
    oldest = timezone.now() - timedelta(days=settings.VOICE_CACHE_DAYS)
    gone = _drop(list(Clip.objects.filter(used__lt=oldest).values_list("key", flat=True)))
    most = settings.VOICE_CACHE_MB * MIB
    size = Clip.objects.aggregate(size=Sum("size"))["size"] or 0
    if size <= most:
        return gone
    keys = []
    for key, bytes_ in Clip.objects.order_by("used").values_list("key", "size").iterator():
        keys.append(key)
        size -= bytes_
        if size <= most * 0.9:  # so that not every new one has to look again
            break
    return gone + _drop(keys)


def clear() -> int:
    """Deletes all of it."""
    return _drop(list(Clip.objects.values_list("key", flat=True)))


def _drop(keys: list[str]) -> int:
    for at in range(0, len(keys), _BATCH):
        Clip.objects.filter(key__in=keys[at : at + _BATCH]).delete()
    if keys:
        transaction.on_commit(lambda: _delete(keys))
    return len(keys)


def figures() -> Figures:
    found = Clip.objects.aggregate(
        count=Count("key"),
        bytes=Sum("size"),
        saved=Sum(F("hits") * F("cost")),
        heard=Sum("hits"),
    )
    saved = Decimal(found["saved"] or 0) / BILLION
    return Figures(found["count"], found["bytes"] or 0, found["heard"] or 0, saved)
