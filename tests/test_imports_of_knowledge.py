"""Knowledge out of a file: read, compared, taken in, and never doubled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import imports
from knowledge.imports import Unreadable, read
from knowledge.models import Collection, Entry

TABLE = """title;questions;text;link;language
Warranty;What if it breaks?|guarantee;"Five years,
on parts";https://www.example.com/w;en
Garantie;;Fünf Jahre;;de
"""
MARKDOWN = """# Our shop

## Warranty
questions: What if it breaks? | guarantee
link: https://www.example.com/w
Five years,
on parts

```
# no heading
```

## Delivery ##
Ten days
"""


def rows(text: str) -> list[tuple[str, str, str]]:
    return [(row.title, row.text, row.language) for row in read(text, "en").rows]


def test_a_table_is_read_whatever_parts_its_columns() -> None:
    (warranty, garantie) = read(TABLE, "fr").rows
    assert (warranty.text, warranty.link) == ("Five years,\non parts", "https://www.example.com/w")
    assert warranty.questions == "What if it breaks?\nguarantee"
    assert (garantie.language, garantie.text) == ("de", "Fünf Jahre")
    for sign in (",", "\t"):
        assert rows(f"Frage{sign}Antwort\na{sign}b\n") == [("a", "b", "en")]
    assert rows("\ufefftitle,text\r\na,b\r\n\r\n") == [("a", "b", "en")]


def test_headings_of_markdown_begin_entries() -> None:
    warranty, delivery = read(MARKDOWN, "en").rows
    assert warranty.text == "Five years,\non parts\n\n```\n# no heading\n```"
    assert warranty.questions == "What if it breaks?\nguarantee"
    assert (delivery.title, delivery.text, delivery.link) == ("Delivery", "Ten days", None)


@pytest.mark.parametrize("text", ["", "just words", "a,b\n1,2", "# Only\n# Headings"])
def test_what_holds_no_entry_says_so(text: str) -> None:
    with pytest.raises(Unreadable, match="No entry was found"):
        read(text, "en")


def test_too_many_are_refused() -> None:
    with pytest.raises(Unreadable, match="At most 2000"):
        read("title,text\n" + "a,b\n" * 2001, "en")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("a,,,", "no title or no text"),
        (f"{'a' * 201},b,,", "too long"),
        ("a,b,javascript:alert(1),", "a link that is none"),
        ("a,b,ftp://x.example/,", "a link that is none"),
        ("a,b,,klingon!", "a language that is none"),
    ],
)
def test_a_line_with_a_fault_is_left_out_and_named(line: str, fault: str) -> None:
    plan = read(f"title,text,link,language\n{line}\nok,fine,,\n", "en")
    assert [row.title for row in plan.rows] == ["ok"]
    assert fault in plan.faults[0]


@given(st.text() | st.text('#,;\t"\n ab:`|=link'))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        plan = read(text, "en")
    except Unreadable:
        return
    assert all(row.title and row.text for row in plan.rows)
    assert len({row.key for row in plan.rows}) == len(plan.rows)


# --- Taken in -------------------------------------------------------------------------------------


@pytest.fixture
def collection(db: None) -> Collection:
    return Collection.objects.create(name="Shop")


def take_in(text: str, collection: Collection) -> dict[str, int]:
    plan = imports.take_in(read(text, "en"), collection)
    fates: tuple[imports.Fate, ...] = ("new", "changed", "same")
    return {fate: len(plan.of(fate)) for fate in fates}


def test_the_same_file_again_changes_nothing(collection: Collection) -> None:
    assert take_in(TABLE, collection) == {"new": 2, "changed": 0, "same": 0}
    before = list(Entry.objects.order_by("pk").values())
    assert take_in(TABLE, collection) == {"new": 0, "changed": 0, "same": 2}
    assert list(Entry.objects.order_by("pk").values()) == before


def test_a_newer_file_updates_and_never_doubles(collection: Collection) -> None:
    take_in(TABLE, collection)
    Entry.objects.filter(title="Warranty").update(
        vector=b"1234", vector_model="m", enabled=False, title="Warranty"
    )
    Entry.objects.filter(title="Warranty").update(enabled=False)
    assert take_in(TABLE.replace("Five", "Ten").replace("Warranty", " WARRANTY "), collection) == {
        "new": 0,
        "changed": 1,
        "same": 1,
    }
    entry = Entry.objects.get(language="en")
    assert (entry.text, entry.title) == ("Ten years,\non parts", "Warranty")
    assert entry.vector is None  # other words: it is embedded again
    assert not entry.enabled  # staff's own switch stays


def test_what_a_file_does_not_speak_of_stays(collection: Collection) -> None:
    take_in(TABLE, collection)
    assert take_in("title,text\nWarranty,Ten years\n", collection)["changed"] == 1
    entry = Entry.objects.get(language="en")
    assert (entry.text, entry.link) == ("Ten years", "https://www.example.com/w")
    assert entry.questions == "What if it breaks?\nguarantee"
    assert Entry.objects.count() == 2


def test_the_same_title_in_another_language_or_collection_is_another(
    collection: Collection,
) -> None:
    take_in("title,text,language\nGarantie,Fünf Jahre,de\nGarantie,Cinq ans,fr\n", collection)
    other = Collection.objects.create(name="Other")
    take_in("title,text,language\nGarantie,Zwei Jahre,de\n", other)
    assert Entry.objects.count() == 3


def test_it_asks_as_often_for_many_as_for_few(
    collection: Collection, django_assert_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def asked(count: int) -> int:
        plan = read("title,text\n" + "".join(f"t{n},x{count}\n" for n in range(count)), "en")
        with CaptureQueriesContext(connection) as found:
            imports.compare(plan, collection)
        return len(found)

    assert asked(1) == asked(50) == 1
