"""What differs between two texts, in lines, and within changed lines in words. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "gone", "new"]
CONTEXT = 2  # lines that are shown before and after a change
LONGEST = 2000  # pieces of a changed passage; beyond it whole lines are compared alone
_PIECE = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, and whether it is only in the older one ("gone") or in the newer ("new")."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines that stand together; `hidden` lines that are the same stand before it."""

    pieces: Sequence[Piece]
    hidden: int = 0


def passages(old: str, new: str) -> list[Passage]:
    """The passages with changes and a little around them; none where the texts are the same."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    found, shown = [], 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        pieces: list[Piece] = []
        for kind, a, b, c, d in group:
            gone, come = "".join(before[a:b]), "".join(after[c:d])
            pieces.extend([Piece("same", come)] if kind == "equal" else _words(gone, come))
        found.append(Passage(pieces, hidden=group[0][3] - shown))
        shown = group[-1][4]
    return found


def _words(old: str, new: str) -> Iterator[Piece]:
    before, after = _PIECE.findall(old), _PIECE.findall(new)
    if not before or not after or len(before) + len(after) > LONGEST:
        yield from _kept(Piece("gone", old), Piece("new", new))
        return
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        if kind == "equal":
            yield Piece("same", come)
        else:
            yield from _kept(Piece("gone", gone), Piece("new", come))


def _kept(*pieces: Piece) -> Iterator[Piece]:
    yield from (piece for piece in pieces if piece.text)
