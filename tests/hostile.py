"""Texts that a stranger may send, by kind: each kind tries something else where it is shown.

Those that would run as script call `hostile()`; those that fetch something fetch it from
`evil.example`. Nothing in them is a real address or name.
"""

import json
from collections.abc import Iterable
from pathlib import Path

KINDS: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text())
TEXTS = [text for texts in KINDS.values() for text in texts]
EVIL = "evil.example"
# What is judged by how it looks, or reaches over lines.
ALONE = ("direction", "marks", "unseen", "size")


def one_line(text: str) -> str:
    return " ".join(text.split())


def packed(texts: Iterable[str], limit: int, between: str) -> list[str]:
    """Several texts in one, each of at most `limit` characters where one alone is not longer."""
    found = [""]
    for text in texts:
        if found[-1] and len(found[-1]) + len(between) + len(text) > limit:
            found.append("")
        found[-1] += between * bool(found[-1]) + text
    return found


def names() -> list[str]:
    """All texts as names of at most 120 characters: what would look odd alone, the rest packed."""
    lines = {kind: [one_line(text)[:118] for text in KINDS[kind]] for kind in KINDS}
    seen = ("direction", "marks")
    rest = (line for kind in KINDS if kind not in seen for line in lines[kind])
    return [*(line for kind in seen for line in lines[kind]), *packed(rest, 118, " ")]


def messages() -> list[str]:
    """All texts as messages."""
    alone = ("markdown", *ALONE)
    rest = (text for kind in KINDS if kind not in alone for text in KINDS[kind])
    return [*(text for kind in alone for text in KINDS[kind]), *packed(rest, 300, "\n\n")]
