"""Entries out of a CSV or Markdown file: read, compared with what is there, and taken in.

An entry is known again by its title and language within a collection, so the same file taken in
twice changes nothing, and a newer one updates. What no longer stands in a file stays.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils.translation import gettext as _

from knowledge.models import Collection, Entry

MOST = 2000  # entries of a file
TITLE, TEXT, QUESTIONS = 200, 20_000, 4000  # characters
CONTENT = ("questions", "text", "link")
# How people name the columns.
COLUMNS: Mapping[str, Sequence[str]] = {
    "title": ("title", "titel", "titre", "título", "titulo", "name", "question", "frage"),
    "text": ("text", "answer", "antwort", "réponse", "reponse", "respuesta", "resposta", "content"),
    "questions": ("questions", "other ways to ask", "fragen", "preguntas", "perguntas"),
    "link": ("link", "url", "source", "quelle"),
    "language": ("language", "sprache", "langue", "idioma", "lang"),
}
Fate = Literal["new", "changed", "same"]


class Unreadable(Exception):
    """Nothing can be taken in; the message says why, in a sentence for whoever chose the file."""


@dataclass(slots=True)
class Row:
    """An entry as the file has it, and what will become of it. None: the file says nothing of it,
    and it stays as it is."""

    title: str
    text: str
    questions: str | None = None
    link: str | None = None
    language: str = ""
    fate: Fate = "new"
    pk: int | None = None  # of the entry that is there

    @property
    def key(self) -> tuple[str, str]:
        return known_by(self.title, self.language)

    @property
    def content(self) -> dict[str, str]:
        """What is stated, by field."""
        values = {name: getattr(self, name) for name in CONTENT}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(slots=True)
class Plan:
    """What taking in a file will do. `faults` are sentences on what is left out."""

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def of(self, fate: Fate) -> list[Row]:
        return [row for row in self.rows if row.fate == fate]


def known_by(title: str, language: str) -> tuple[str, str]:
    folded = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(folded.split()), language.lower()


def read(text: str, language: str) -> Plan:
    """The entries of a file's text: CSV where its first line names a title and a text, else
    Markdown, where each heading begins one. Raises `Unreadable`."""
    text = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff").replace("\0", ""))
    rows = _table(text)
    if rows is None:
        rows = _markdown(text)
    if not rows:
        raise Unreadable(
            _("No entry was found: a CSV file has columns title and text, Markdown has headings.")
        )
    if len(rows) > MOST:
        raise Unreadable(
            _("At most %(most)s entries are taken in at once; these are %(n)s.")
            % {"most": MOST, "n": len(rows)}
        )
    plan, seen = Plan(), set()
    for number, row in enumerate(rows, 1):
        row.language = row.language or language
        fault = _fault(row) or (_("stands there twice") if row.key in seen else "")
        if fault:
            name = row.title[:60] or _("Entry %(n)s") % {"n": number}
            plan.faults.append(f"{name}: {fault}")
        else:
            seen.add(row.key)
            plan.rows.append(row)
    return plan


def _fault(row: Row) -> str:
    if not row.title or not row.text:
        return _("has no title or no text")
    lengths = ((row.title, TITLE), (row.text, TEXT), (row.questions, QUESTIONS), (row.link, 200))
    if any(len(value or "") > most for value, most in lengths):
        return _("is too long")
    if len(row.language) > 10 or not re.fullmatch(r"[A-Za-z]{2,3}([-_]\w+)*", row.language):
        return _("has a language that is none, such as en or pt-BR")
    if row.link and not _is_link(row.link):
        return _("has a link that is none")
    return ""


def _is_link(link: str) -> bool:
    try:
        URLValidator(schemes=["http", "https"])(link)
    except ValidationError:
        return False
    return bool(urlsplit(link).hostname)


def _table(text: str) -> list[Row] | None:
    """The rows of a CSV file; None where it is none."""
    head = text.lstrip().partition("\n")[0]
    sign = max(",;\t", key=head.count)
    names = [_column(name) for name in next(csv.reader([head], delimiter=sign), [])]
    if "title" not in names or "text" not in names:
        return None
    rows = []
    try:
        reader = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=sign)
        next(reader)
        for cells in reader:
            values = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
            if any(values.values()):
                rows.append(_row(values))
    except csv.Error:
        raise Unreadable(_("The file looks like CSV, and is broken.")) from None
    return rows


def _column(name: str) -> str:
    folded = name.strip().casefold()
    return next((own for own, names in COLUMNS.items() if folded in names), "")


def _row(values: Mapping[str, str]) -> Row:
    asked = values.get("questions")
    questions = None if asked is None else [line.strip() for line in re.split(r"[\n|]", asked)]
    return Row(
        title=" ".join(values.get("title", "").split()),
        text="\n".join(values.get("text", "").splitlines()),
        questions=None if questions is None else "\n".join(filter(None, questions)),
        link=values.get("link"),
        language=values.get("language", ""),
    )


_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$")
_META = re.compile(r"^(questions|link|language)[ \t]*:[ \t]*(.*)$", re.IGNORECASE)


def _markdown(text: str) -> list[Row]:
    """Each heading with words below it; lines `questions:`, `link:` and `language:` say more."""
    found: list[tuple[str, list[str]]] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading:
            found.append((heading[1], []))
        elif found:
            found[-1][1].append(line)
    rows = []
    for title, lines in found:
        values = {"title": title}
        words: list[str] = []
        for line in lines:
            meta = _META.match(line)
            if meta and not any(words):
                values[meta[1].lower()] = meta[2].strip()
            else:
                words.append(line.rstrip())
        values["text"] = "\n".join(words).strip()
        if values["text"]:  # a heading above other headings is no entry
            rows.append(_row(values))
    return rows


def compare(plan: Plan, collection: Collection) -> Plan:
    """Says of each row what will become of it, in one query."""
    there = {
        known_by(title, language): (pk, content)
        for pk, title, language, *content in Entry.objects.filter(collection=collection)
        .order_by("-pk")
        .values_list("pk", "title", "language", *CONTENT)
    }
    for row in plan.rows:
        pk, content = there.get(row.key, (None, None))
        row.pk = pk
        stored = dict(zip(CONTENT, content or (), strict=False))
        same = row.content.items() <= stored.items()
        row.fate = "new" if pk is None else "same" if same else "changed"
    return plan


@transaction.atomic
def take_in(plan: Plan, collection: Collection) -> Plan:
    """Writes what is new and what has changed, and nothing else; whoever does it at the same time
    waits. What staff have switched off stays so."""
    Collection.objects.select_for_update().get(pk=collection.pk)
    compare(plan, collection)
    Entry.objects.bulk_create(
        Entry(
            collection=collection,
            title=row.title,
            language=row.language,
            **row.content,
        )
        for row in plan.of("new")
    )
    for row in plan.of("changed"):
        # Which also drops the old vector.
        Entry.objects.filter(pk__in=[row.pk]).update(**row.content)
    return plan
