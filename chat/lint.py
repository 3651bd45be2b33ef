"""Looks over what a persona is told, as an experienced colleague would. Pure.

It is a hint and no rule: it knows words in five languages, and may be wrong about another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from django.utils.translation import gettext as _

Level = Literal["good", "hint", "warning"]
MUCH = 0.35  # of a prompt's room; the rest is for knowledge and conversation
GREETING = 280  # characters that are read before the visitor has said what they look for
PLACEHOLDERS = ("agent", "company")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at; `line` counts from 1, 0 is the whole text."""

    level: Level
    text: str
    line: int = 0
    where: str = ""  # other than in the instructions


def look(text: str, tokens: int, room: int) -> list[Finding]:
    """What stands out in the instructions, the gravest first: at least one line about the length.

    `tokens` is how long they are with tone and limits, `room` what a prompt may hold.
    """
    found = [
        *_length(tokens, room),
        *_placeholders(text),
        *_promises(text),
        *_left_over(text),
        *_missing(text),
    ]
    order: tuple[Level, ...] = ("warning", "hint", "good")
    return sorted(found, key=lambda finding: order.index(finding.level))


def look_at_beginning(greeting: str, suggestions: str) -> list[Finding]:
    """What stands out in what a visitor sees before anything is said."""
    found = []
    for where, text in ((_("Greeting:"), greeting), (_("Suggestions:"), suggestions)):
        stands_out = [*_placeholders(text), *_left_over(text), *_promises(text)]
        found += [replace(each, line=0, where=where) for each in stands_out]
    if len(greeting) > GREETING:
        words = _("Long for a first look: what is more than two sentences is hardly read.")
        found.append(Finding("hint", words, where=_("Greeting:")))
    return found


def _length(tokens: int, room: int) -> Iterator[Finding]:
    values = {"tokens": f"{tokens:,}", "percent": round(100 * tokens / max(1, room))}
    if tokens > MUCH * room:
        yield Finding(
            "warning",
            _(
                "About %(tokens)s tokens, %(percent)s %% of a prompt: little room is left for"
                " knowledge and conversation. What the agent knows belongs into the knowledge."
            )
            % values,
        )
    else:
        yield Finding("good", _("About %(tokens)s tokens, %(percent)s %% of a prompt.") % values)


_BRACED = re.compile(r"\{+\s*([^{}\n]{0,40}?)\s*\}+")
_BLANK = re.compile(
    r"\[(?:your|the|insert|company|name|product|ihr\w*|votre|su|seu)\b[^\]\n]*\]", re.I
)
_TODO = re.compile(r"\b(?:TODO|FIXME|TBD|XXX|lorem ipsum)\b", re.I)


def _placeholders(text: str) -> Iterator[Finding]:
    for match in _BRACED.finditer(text):
        if match[0][1:-1] in PLACEHOLDERS:
            continue
        words = _("%(it)s is not filled in: there are {agent} and {company}.") % {"it": match[0]}
        yield Finding("warning", words, _line(text, match))


def _left_over(text: str) -> Iterator[Finding]:
    for pattern in (_BLANK, _TODO):
        for match in pattern.finditer(text):
            words = _("%(it)s looks as if something was to be written there.") % {"it": match[0]}
            yield Finding("warning", words, _line(text, match))


_PROMISE = re.compile(
    r"\b(?:we guarantee|guaranteed|risk[- ]free|money[- ]back|cheapest|lowest price|best price|"
    r"always in stock|free of charge|"
    r"100\s?%|\d{1,2}\s?% (?:off|discount|rabatt|de réduction|de descuento|de desconto)|"
    r"garantier\w*|kostenlos|g[üu]nstigste\w*|garanti[er]\w*|gratuit\w*|garantiza\w*|gratis|"
    r"garant\w*imos|gr[áa]tis)(?!\w)",
    re.I,
)
_PRICE = re.compile(r"(?:[€$£]\s?\d[\d.,]*|\d[\d.,]*\s?(?:€|EUR|USD|GBP|euros?|dollars?)\b)")
_NOT = re.compile(
    r"\b(?:never|not?|nothing|don't|only|without|nie(?:mals)?|nicht|kein\w*|ohne|jamais|pas|sans|nunca|no|sin|"
    r"não|sem)\b",
    re.I,
)


def _promises(text: str) -> Iterator[Finding]:
    """What binds the company, unless its line forbids it."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in _PROMISE.finditer(line):
            if not _NOT.search(line[: match.start()]):
                words = _("“%(it)s” is a promise: the agent will make it to everybody.")
                yield Finding("hint", words % {"it": match[0]}, number)
        for match in _PRICE.finditer(line):
            words = _("%(it)s is a price: in the knowledge it is found, cited and kept up to date.")
            yield Finding("hint", words % {"it": match[0].strip()}, number)


# What good instructions have, each by words that give it away.
_PARTS = (
    (r"\{agent\}|you are|your name|du bist|sie sind|dein name|tu es|vous êtes|eres|usted es|você é",
     lambda: _("Who the agent is: “You are {agent} …”.")),
    (r"\{company\}", lambda: _("For whom it speaks: {company}.")),
    (r"\bneeds?\b|looking for|\bask\b|question|bedarf|brauch|frag|besoin|demande|necesi|"
     r"pregunt|precis|pergunt",
     lambda: _("How it finds out what the visitor needs.")),
    (r"don't know|do not know|not know|unsure|make up|made up|invent|weiß (?:es )?nicht|erfind|"
     r"ne sa\w+ pas|inventa?|no sab|não sab",
     lambda: _("What it does where it does not know the answer.")),
    (r"person|human|colleague|team|hand over|handover|mensch|kolleg|humain|collègue|equipo|"
     r"humano|equipe",
     lambda: _("When it hands over to a person.")),
    (r"promise|discount|commit|versprech|rabatt|zusag|promet|promess|remise|descuento|"
     r"desconto|promis",
     lambda: _("What it may promise, and what not.")),
)  # fmt: skip


def _missing(text: str) -> Iterator[Finding]:
    for pattern, words in _PARTS:
        if not re.search(pattern, text, re.I):
            yield Finding("hint", _("Nothing is said of this: %(what)s") % {"what": words()})


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
