"""What of a text is spoken in one breath. Pure.

    cutter = Cutter()
    cutter.feed("Yes, we do. It ")   -> the segments that are whole by now
    cutter.finish()                  -> the rest

However the text comes in pieces, the segments are the same. A segment counts as whole once the
next one's first word has begun, so the last of a text always comes from `finish`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from voice.saying import guess, say

MAX_SEGMENT = 250  # characters that are said; what a speech model takes best
_MOST = 230  # ... of what is written; said it may be a little longer
_SOFT = 200
_ENOUGH = 100  # from here on the end of a sentence ends a segment
_SOME = 40  # shorter ones are not cut off without need
_FIRST = 10  # the first sentence is spoken alone, however short ...
_FIRST_CLAUSE = 40  # ... and not even wholly, where it is long
_FIRST_SOFT = 100

_CLOSING = r"[\"'»”’)\]*_]*"
_END = re.compile(
    rf"(?P<stop>[.!?…]+){_CLOSING}[ \t]+(?=[^\sa-zß-öø-ÿа-я])"  # and what can begin a sentence
    rf"|(?P<cjk>[。！？]+)[」』”’）]*"
    r"|(?P<line>[ \t]*\n\s*)"
    rf"|(?P<clause>(?:[,;:]{_CLOSING}[ \t]+|[ \t]+[–—][ \t]+)(?=\S)|[，；：、])"
)
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]")
# What a full stop after it does not end.
_SHORT = re.compile(
    r"(?:^|[\s(\[\"'„“*_])(?:[^\W\d_]|\d{1,2}|(?:[^\W\d_]\.)+[^\W\d_]|mrs?|ms|dr|prof|st|sr|sra|jr|vs"
    r"|ca|bzw|nr|inkl|exkl|zzgl|evtl|ggf|tel|str|inc|ltd|approx|min|max|fig|vol|art|mme|mlle|núm)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """`text` is what is said; `start` and `end` are characters of what was written."""

    n: int
    text: str
    start: int
    end: int


class Cutter:
    """Cuts one text into segments while it grows."""

    def __init__(self) -> None:
        self._text = ""
        self._start = 0  # of the segment that grows
        self._count = 0
        self._language = ""

    def feed(self, more: str) -> list[Segment]:
        self._text += more
        return list(self._whole())

    def finish(self) -> list[Segment]:
        """What is left; nothing comes after it."""
        rest = list(self._whole())
        rest += self._spoken(len(self._text))
        return rest

    def _whole(self) -> Iterator[Segment]:
        while (end := self._cut()) is not None:
            yield from self._spoken(end)

    def _spoken(self, end: int) -> Iterator[Segment]:
        """The segment up to `end`; in halves, where it takes more words than were written."""
        while self._start < end:
            stop = end
            while True:
                piece = self._text[self._start : stop]
                language = guess(piece, self._language)
                said = say(piece, language)
                if len(said) <= MAX_SEGMENT or stop - self._start < 2:
                    break
                stop = self._start + _halved(piece)
            self._language = language
            if said:
                yield Segment(self._count, said[:MAX_SEGMENT], self._start, stop)
                self._count += 1
            self._start = stop

    def _cut(self) -> int | None:
        """Where the segment ends, as far as the text tells by now.

        Each answer rests on text that is there already: more of it never changes one.
        """
        text, start, first = self._text, self._start, self._count == 0
        begun = _WORD.search(text, start)
        if begun is None:
            return None
        latest = _last_word(text, start)
        stop = min(len(text), start + _MOST)
        marks = [(at - start, kind) for at, kind in _marks(text, start, stop)
                 if begun.start() < at <= latest]  # fmt: skip
        size = _first_size(marks, latest - start) if first else _size(marks, latest - start)
        if size is None and latest - start >= _MOST:
            sizes = [at for at, _ in marks if at >= _SOME]
            size = sizes[-1] if sizes else _halved(text[start : start + _MOST], last=True)
        return None if size is None else start + size


def _first_size(marks: list[tuple[int, str]], known: int) -> int | None:
    """How long the first segment is: one sentence, of a long one the first clause."""
    for at, kind in marks:
        if _FIRST <= at <= _FIRST_SOFT and (kind == "stop" or at >= _FIRST_CLAUSE):
            return at
    clauses = [at for at, _ in marks if _FIRST <= at <= _FIRST_SOFT]
    if known >= _FIRST_SOFT and clauses:
        return clauses[-1]
    return next((at for at, kind in marks if kind == "stop" and at > _FIRST_SOFT), None)


def _size(marks: list[tuple[int, str]], known: int) -> int | None:
    """How long a later one is: some sentences; `known` characters of the text are there."""
    stops = [at for at, kind in marks if kind == "stop"]
    for at in stops:
        if _ENOUGH <= at <= _SOFT:
            return at
    some = [at for at in stops if _SOME <= at <= _SOFT]
    if known >= _SOFT and some:
        return some[-1]
    return next((at for at in stops if at > _SOFT), None)


def _marks(text: str, start: int, stop: int) -> Iterator[tuple[int, str]]:
    """Where a sentence, a line or a clause has ended, in order; not within a link."""
    for found in _END.finditer(text, start):
        if found.end() > stop:
            return
        kind = found.lastgroup or ""
        before = text[start : found.start()]
        if kind == "stop" and found["stop"] == "." and _SHORT.search(before):
            continue
        if _within_link(text[start : found.end()]):
            continue
        yield found.end(), "stop" if kind in ("cjk", "line") else kind


def _within_link(piece: str) -> bool:
    opened = piece.rfind("[")
    if opened < 0:
        return False
    closed = piece.find("](", opened)
    return piece.find("]", opened) < 0 or (closed >= 0 and piece.find(")", closed) < 0)


def _last_word(text: str, start: int) -> int:
    """The place of the last letter or digit; before `start` where there is none."""
    for at in range(len(text) - 1, start - 1, -1):
        if text[at].isalnum():
            return at
    return -1


def _halved(piece: str, *, last: bool = False) -> int:
    """A place to cut: after a space near the middle, or the last one; else right there."""
    size = len(piece)
    spaces = [found.end() for found in _SPACE.finditer(piece) if 0 < found.end() < size]
    if not spaces:
        return size if last else max(1, size // 2)
    return spaces[-1] if last else min(spaces, key=lambda at: abs(at - size // 2))


def segments(text: str) -> list[Segment]:
    """All segments of a text that has ended."""
    cutter = Cutter()
    return cutter.feed(text) + cutter.finish()
