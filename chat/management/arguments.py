"""Checks of what people give to commands, as `type` of an argument or of an answer."""

import re
from argparse import ArgumentTypeError

from chat import origins


def origin(text: str) -> str:
    """An origin, as browsers send it: scheme, host and port, no path."""
    found = origins.written(text)
    if found is None:
        raise ArgumentTypeError(
            f"{text!r} is no origin. It looks like https://www.example.com, without a path."
        )
    return found


def language(text: str) -> str:
    """A language tag like en or pt-BR."""
    if not re.fullmatch(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,6})?", text):
        raise ArgumentTypeError(f"{text!r} is no language. It looks like en, de or pt-BR.")
    return text
