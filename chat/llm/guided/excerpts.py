"""Parts of a text, in its own words: sentences, beginnings, sums of money. Pure."""

import re
from itertools import pairwise

LONGEST_ANSWER = 600  # characters of an entry; cut at the end of a sentence

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”“»)]*(?:\s+|$)|\n+")
_MONEY = re.compile(
    r"(?:[€$£]|EUR|USD|GBP|CHF|R\$)\s?\d[\d.,  ]*\d|(?:[€$£]|R\$)\s?\d|"
    r"\d[\d.,  ]*\s?(?:€|EUR\b|USD\b|GBP\b|CHF\b|euros?\b|dollars?\b)"
)


def joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def sums(text: str) -> list[str]:
    """The sums of money in a text, each once, in order."""
    return list(dict.fromkeys(match.strip() for match in _MONEY.findall(text)))


def sentences(text: str) -> list[str]:
    """A text in pieces that end where sentences or lines do; joined they are the text."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    cuts = [0, *(end for end in ends if end < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if text[a:b]]


def shortened(text: str) -> str:
    """A text, or its first sentences where it is too long for a chat."""
    if len(text) <= LONGEST_ANSWER:
        return text
    kept = ""
    for sentence in sentences(text):
        if kept and len(kept) + len(sentence.rstrip()) > LONGEST_ANSWER:
            break
        kept += sentence
    return kept.strip()


def cut(text: str, longest: int) -> str:
    """The beginning of a text, whole words only."""
    return text if len(text) <= longest else text[:longest].rsplit(maxsplit=1)[0]
