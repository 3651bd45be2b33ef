"""Texts that a stranger may send, by kind: each kind tries something else where it is shown.

Those that would run as script call `hostile()`; those that fetch something fetch it from
`evil.example`. Nothing in them is a real address or name.
"""

import json
from pathlib import Path

KINDS: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text())
TEXTS = [text for texts in KINDS.values() for text in texts]
EVIL = "evil.example"


def one_line(text: str) -> str:
    return " ".join(text.split())
