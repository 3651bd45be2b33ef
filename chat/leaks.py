"""Cuts from a reply, while it streams, what tells the model's instructions. Pure.

A canary stands in the instructions and nowhere else, so a reply that holds it tells them. A long
run of their own words does too; what stands there in quotation marks is meant to be said.
"""

import re
import unicodedata
from functools import lru_cache

SURE = 4  # characters of the canary after which words are held back until it is clear
HALF = 8  # ... and after which nothing but the canary goes on like this
GRAM = 6  # words that are looked for together
RUN = 24  # words of the instructions in a row, at most
LOOK = 64  # characters that are looked at together

_QUOTED = re.compile(r"[\"“„«][^\"“”„«»\n]*[\"”“»]")
_WORD = re.compile(r"\w+")


class Guard:
    """Lets the words of one reply pass, up to where they tell the instructions."""

    def __init__(self, canary: str, instructions: str = "") -> None:
        self.leaked = ""  # "canary" or "instructions": nothing passes any more
        self._canary = canary
        self._fallback = _fallbacks(canary)
        self._matched = 0  # characters of the canary that the words so far end with
        self._held = ""
        self._grams = _grams(instructions)
        self._unread = ""
        self._words: list[str] = []
        self._run = 0

    def passes(self, text: str) -> str:
        """What may be shown now of the words so far that were not shown yet."""
        if self.leaked:
            return ""
        self._held += text
        plain = text.lower() if text.isascii() else _folded(text)
        if self._holds_canary(plain):
            self.leaked = "canary"
        elif self._grams and self._quotes(plain):
            self.leaked = "instructions"
        if self.leaked:
            self._held = ""
        return "" if self._matched >= SURE else self._released()

    def rest(self) -> str:
        """What is held back, at the end of what the model says; not half a canary."""
        if self._matched >= HALF:
            self.leaked, self._held = "canary", ""
        return self._released()

    def _released(self) -> str:
        held, self._held = self._held, ""
        return held

    def tells(self, text: str) -> bool:
        """Whether a whole text, beside the reply, holds the canary."""
        return self._canary in "".join(filter(str.isalnum, _folded(text)))

    def _holds_canary(self, plain: str) -> bool:
        """Letter by letter, whatever stands between them."""
        canary, matched = self._canary, self._matched
        if not matched and canary[0] not in plain:
            return False  # nearly always
        for char in plain:
            if char == canary[matched]:
                matched += 1
                if matched == len(canary):
                    return True
            elif matched and char.isalnum():
                while matched and char != canary[matched]:
                    matched = self._fallback[matched - 1]
                matched += char == canary[matched]
        self._matched = matched
        return False

    def _quotes(self, plain: str) -> bool:
        """Looks now and then, which costs less than at every word."""
        self._unread += plain
        if len(self._unread) < LOOK:
            return False
        found = _WORD.findall(self._unread)
        goes_on = self._unread[-1].isalnum() and len(found) > 1
        self._unread = found.pop() if goes_on else ""
        words = [*self._words, *found]
        for at in range(GRAM, len(words) + 1):
            self._run = self._run + 1 if " ".join(words[at - GRAM : at]) in self._grams else 0
            if self._run > RUN - GRAM:
                return True
        self._words = words[1 - GRAM :]
        return False


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _fallbacks(canary: str) -> list[int]:
    """For each beginning of the canary, how much of it its end begins again."""
    found = [0] * len(canary)
    for at in range(1, len(canary)):
        length = found[at - 1]
        while length and canary[at] != canary[length]:
            length = found[length - 1]
        found[at] = length + (canary[at] == canary[length])
    return found


@lru_cache(maxsize=64)
def _grams(instructions: str) -> frozenset[str]:
    """Every few words that stand together in the instructions."""
    grams: set[str] = set()
    for passage in _QUOTED.split(instructions):
        words = _WORD.findall(_folded(passage))
        grams |= {" ".join(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}
    return frozenset(grams)
