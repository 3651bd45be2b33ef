"""Whether the visitor said it, and in which of their messages. Pure.

A model invents, and a visitor may tell it to. So a value of a lead counts where it stands in the
visitor's own words, and staff see the words it stands in.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

LONGEST = 300  # characters of a piece of a message


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the visitor's."""

    message: str  # its id
    seq: int
    text: str


def told(field: str, value: str, words: str) -> bool:
    """Whether a value of this field of a lead stands in the words."""
    return _TOLD[field](value, words)


def find(field: str, value: str, said: Sequence[Said]) -> dict[str, object] | None:
    """Where the value was said last: `{"message", "seq", "words"}`, words as the visitor wrote
    them. None where none of the messages holds any of it."""
    for each in reversed(said):
        if told(field, value, each.text):
            piece = _piece(field, value, each.text)
            return {"message": each.message, "seq": each.seq, "words": piece}
    # A name, or a wish, over two messages: the one that holds the most of it.
    wanted = set(_tokens(value))
    shares = [(len(wanted & set(_tokens(each.text))), each) for each in said]
    share, most = max(shares, key=lambda pair: (pair[0], pair[1].seq), default=(0, None))
    if not share or most is None or not told(field, value, "\n".join(each.text for each in said)):
        return None
    return {"message": most.message, "seq": most.seq, "words": most.text[:LONGEST]}


def _piece(field: str, value: str, text: str) -> str:
    """The sentence of a message that holds the value, or else its beginning."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n", text):
        if told(field, value, sentence):
            return _around(value, sentence.strip())
    return _around(value, text)


def _around(value: str, text: str) -> str:
    """At most so much of the text, and the value in it."""
    at = text.casefold().find(value.casefold()) if len(text) > LONGEST else 0
    start = max(0, min(at - LONGEST // 4, len(text) - LONGEST))
    return text[start : start + LONGEST]


_PHONE = re.compile(r"\+?[\d ()./-]+")
_NUMBER_RUN = re.compile(r"\d[\d \t\u00a0().,/'-]*")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+", _folded(text))


def _name_told(name: str, words: str) -> bool:
    """Each part of a name is a word of the visitor's."""
    if not any(c.isalpha() for c in name):
        return False
    told, folded = set(_tokens(words)), _folded(words)
    return all(
        part in told or (_UNSPACED.search(part) is not None and part in folded)
        for part in _tokens(name)
    )


def _email_told(email: str, words: str) -> bool:
    try:
        validate_email(email)
    except ValidationError:
        return False
    return _address_told(email, words)


def _address_told(address: str, words: str) -> bool:
    """It stands in the words, and not as a part of a longer address."""
    alone = rf"(?<![\w.+@-]){re.escape(_folded(address))}(?![\w@-])(?!\.\w)"
    return re.search(alone, _folded(words)) is not None


def _phone_told(phone: str, words: str) -> bool:
    """Its digits stand one after the other in the words, however they are grouped there."""
    digits = _digits(phone)
    if not _PHONE.fullmatch(phone) or not 6 <= len(digits) <= 15:
        return False
    return digits in _numbers(words, longest=15)


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(c)) for c in text if c.isdecimal())


def _numbers(text: str, longest: int) -> set[str]:
    """The numbers of a text, as digits: each group of digits, and neighbours taken together."""
    found: set[str] = set()
    for run in _NUMBER_RUN.findall(text):
        groups = [_digits(group) for group in re.findall(r"\d+", run)]
        for start in range(len(groups)):
            number = ""
            for group in groups[start : start + longest]:
                number += group
                if len(number) > longest:
                    break
                found.add(number)
    return found


def _note_told(note: str, words: str) -> bool:
    """A note may be the model's own words, but its numbers and addresses are the visitor's."""
    pieces = re.split(r"[\s<>(),;:\"]+", note)
    addresses = [piece.strip(".!?'*`") for piece in pieces if re.fullmatch(r".+@.+", piece)]
    if not all(_address_told(address, words) for address in addresses):
        return False
    told = _numbers(words, longest=40)
    return all(_run_told(run, told) for run in _NUMBER_RUN.findall(note))


def _run_told(run: str, told: set[str]) -> bool:
    """A run like `0171 23 45` is one number of the visitor's, or several."""
    groups = [_digits(group) for group in re.findall(r"\d+", run)]
    return "".join(groups) in told or all(group in told for group in groups)


def _phrase_told(phrase: str, words: str) -> bool:
    """Its words stand one after the other in the visitor's, whatever stands between them."""
    wanted = " ".join(_tokens(phrase))
    if _UNSPACED.search(wanted):
        return _folded(phrase) in _folded(words)
    return bool(wanted) and f" {wanted} " in f" {' '.join(_tokens(words))} "


_TOLD = {
    "name": _name_told,
    "email": _email_told,
    "phone": _phone_told,
    "company": _phrase_told,
    "need": _phrase_told,
    "budget": _phrase_told,
    "authority": _phrase_told,
    "timing": _phrase_told,
    "note": _note_told,
}
