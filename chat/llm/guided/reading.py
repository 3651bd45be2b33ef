"""Understands what a visitor says, in five languages and without any model. Pure."""

import re
import unicodedata

from chat.llm.guided.phrases import LANGUAGES
from chat.llm.guided.vocabulary import (
    ASKING,
    BUDGET,
    BUYING,
    CALLBACK,
    CALLED,
    FILLER,
    GOES_ON,
    GREETING,
    LANGUAGE_WORDS,
    NOT,
    PERSON,
    PRICE,
    QUESTION_WORDS,
    REFERS,
    REMARK,
    SMALL_TALK,
    STOP,
    TELLTALE_WORDS,
    TOLD,
    TOO_DEAR,
    WAITING,
    Kind,
)


def folded(text: str) -> str:
    """Small letters without accents; of the signs only ', -, and nothing between words but one
    blank."""
    text = unicodedata.normalize("NFKD", text.replace("’", "'").casefold())
    text = "".join(c if c.isalnum() or c in "'-" else " " for c in text if not _is_accent(c))
    return " ".join(text.split())


def _is_accent(c: str) -> bool:
    return unicodedata.category(c) == "Mn"


def language_of(lines: list[str], default: str) -> str:
    """One of our languages: the newest line's where it is clear, else an older one's."""
    base = default.replace("_", "-").split("-")[0].lower()
    base = base if base in LANGUAGES else "en"
    for line in reversed(lines):
        if language := _shown(line, base):
            return language
    return base


def _shown(line: str, base: str) -> str:
    found = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", line.lower())
    words = [word.replace("’", "'") for word in found]
    score = {
        language: sum(word in LANGUAGE_WORDS[language] for word in words)
        + 2 * sum(word in TELLTALE_WORDS[language] for word in words)
        for language in LANGUAGES
    }
    best = max(LANGUAGES, key=lambda language: (score[language], language == base))
    if best == base:
        # Not by a word like "a" alone: a Spaniard's line may hold it as well.
        return best if score[best] > (len(words) > 1) else ""
    return best if score[best] >= 2 and score[best] > score[base] else ""


def kind_of(line: str) -> Kind:
    """What a line is; QUESTION is all that has a subject, asked or stated."""
    text = folded(line)
    if not text:
        return Kind.EMOJI if any(unicodedata.category(c) == "So" for c in line) else Kind.UNCLEAR
    talk = _small_talk(text)
    if talk is Kind.WHO:
        return talk
    if (wish := PERSON.search(text)) and not NOT.search(text[: wish.start()]):
        return Kind.PERSON
    if (wish := CALLBACK.search(text)) and not NOT.search(text[: wish.start()]):
        return Kind.QUESTION if CALLED.search(text) else Kind.CALLBACK
    if talk:
        return talk
    if "?" not in line and len(text.split()) <= 12 and REMARK.fullmatch(text):
        return Kind.REMARK
    if len(text) < 3 or not any(c.isalpha() for c in text):
        return Kind.UNCLEAR
    return Kind.QUESTION


def _small_talk(text: str) -> Kind | None:
    """The kind of a line that holds small talk and nothing else."""
    kinds = []
    for kind, pattern in SMALL_TALK:
        text, times = pattern.subn(" ", text)
        if times:
            kinds.append(kind)
    left = [word for word in text.split() if word.strip("'-") and word not in FILLER]
    if not kinds or len(left) > (2 if kinds[0] is Kind.INSULT else 0):
        return None
    return kinds[0]


def agrees(line: str) -> bool:
    """Whether a line says yes, perhaps with more after it: "Yes, and how much is it?" """
    return kind_of(re.split(r"[,.;!\n]", line.strip(), maxsplit=1)[0]) is Kind.YES


def without_greeting(line: str) -> str:
    """A line less the greeting that it begins with."""
    words = line.split()
    for count in range(min(3, len(words) - 1), 0, -1):
        if re.fullmatch(GREETING, folded(" ".join(words[:count]))):
            return " ".join(words[count:])
    return line


def telling(line: str) -> frozenset[str]:
    """The words of a line that name its subject."""
    words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", line.lower())
    return frozenset(
        folded(word) for word in words if word not in STOP and word not in ASKING and len(word) > 1
    )


def refers_back(line: str) -> bool:
    """Whether a line speaks of something named before: "how heavy is it?" """
    return len(line.split()) <= 9 and REFERS.search(folded(line)) is not None


def goes_on(line: str) -> bool:
    """Whether a line may be about something named before: "and in red?" """
    return len(line.split()) <= 3 or GOES_ON.match(folded(line)) is not None


def is_impatient(line: str) -> bool:
    """Whether a line only says that its writer waits: "hello? now!" """
    return WAITING.fullmatch(folded(line)) is not None


def asks_price(line: str) -> bool:
    return PRICE.search(folded(line)) is not None


def finds_it_dear(line: str) -> bool:
    return TOO_DEAR.search(folded(line)) is not None and not is_asking(line)


def wants_to_buy(line: str) -> bool:
    return BUYING.search(folded(line)) is not None


def is_asking(line: str) -> bool:
    """Whether a line is a question, by its mark or its first word."""
    first = folded(line).split(" ")[0]
    return "?" in line or first in QUESTION_WORDS


def states_budget(line: str) -> bool:
    """Whether a line says what something may cost, if there is a sum in it."""
    return BUDGET.search(folded(line)) is not None


def told(ask: str, lines: list[str]) -> bool:
    """Whether the visitor's lines already hold the answer to a question that we might ask."""
    pattern = TOLD.get(ask)
    return pattern is not None and any(pattern.search(folded(line)) for line in lines)
