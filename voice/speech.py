"""What of a text is spoken in one breath. Pure."""

import re

MAX_SEGMENT = 250  # characters; what a speech model takes best

# The end of a sentence, or of a line; after it something that can begin the next one.
_END = re.compile(r"(?<=[.!?…])[\"'»”)\]]*\s+(?=[^\sa-z])|(?<=[。！？])|\n+")


def segments(text: str) -> list[str]:
    """The sentences of `text`, none longer than MAX_SEGMENT; together they say every word once."""
    found: list[str] = []
    for sentence in _END.split(text):
        rest = sentence.strip()
        while len(rest) > MAX_SEGMENT:
            at = rest.rfind(" ", 1, MAX_SEGMENT)
            at = at if at > 0 else MAX_SEGMENT
            found.append(rest[:at].strip())
            rest = rest[at:].strip()
        if rest:
            found.append(rest)
    return found
