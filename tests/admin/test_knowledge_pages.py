"""Knowledge at the desk: what a question finds, and a file that is taken in, for who may do so."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from knowledge import embeddings, workshop
from knowledge.models import Collection, Entry
from tests.admin.desk import ESCAPED, HOSTILE, page, queries

pytestmark = pytest.mark.django_db

FILE = "title,text\nWarranty,Five years\nDelivery,Ten days\n"


@pytest.fixture
def collection() -> Collection:
    return Collection.objects.create(name="Shop")


@pytest.fixture(autouse=True)
def by_words(settings: Settings) -> None:
    settings.KNOWLEDGE_EMBEDDINGS = "off"


def asked(client: Client, collection: Collection, question: str) -> str:
    query = {"collection": collection.pk, "question": question, "language": "en"}
    return page(client, "knowledge_entry_try", **query)


def test_it_shows_what_would_be_found_with_scores(staff: Client, collection: Collection) -> None:
    Entry.objects.create(collection=collection, title="Warranty", text=f"Five years {HOSTILE}")
    text = asked(staff, collection, "warranty")
    assert "answers it" in text
    assert re.search(r">\s*[01]\.\d\d · en", text)
    assert "Words alone were compared." in text
    assert HOSTILE not in text
    assert ESCAPED in text


def test_what_is_not_found_is_one_click_from_its_answer(
    staff: Client, collection: Collection
) -> None:
    text = asked(staff, collection, "Do you rent & lease?")
    assert "Nothing is found." in text
    link = re.search(r'href="(/admin/knowledge/entry/add/\?title=[^"]+)"', text)
    assert link
    form = staff.get(link[1].replace("&amp;", "&")).content.decode()
    assert 'value="Do you rent &amp; lease?"' in form


@pytest.mark.parametrize("query", ["?question=", "?question=x&collection=99", "?question=%00"])
def test_a_question_that_makes_no_sense_is_told_so(staff: Client, query: str) -> None:
    assert staff.get(reverse("admin:knowledge_entry_try") + query).status_code == 200


def test_without_money_for_vectors_words_do(
    collection: Collection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dear:
        costs = True

    def refuse(*_: Any) -> Any:
        raise embeddings.EmbeddingError("the budget is spent")

    Entry.objects.create(collection=collection, title="Warranty", text="Five years")
    monkeypatch.setattr(workshop, "maker", Dear)
    monkeypatch.setattr(embeddings, "paying", refuse)
    found, by_meaning = workshop.look_up(collection.pk, "warranty", "en")
    assert ([entry.title for entry in found], by_meaning) == (["Warranty"], False)


def post(client: Client, collection: Collection, text: str, **more: Any) -> Any:
    data = {"collection": collection.pk, "language": "en", "text": text, **more}
    return client.post(reverse("admin:knowledge_entry_import"), data, follow=True)


def test_a_file_is_shown_before_it_is_taken_in(
    staff: Client, collection: Collection, vera: User
) -> None:
    text = post(staff, collection, FILE).content.decode()
    assert "2 new, 0 changed, 0 as before" in text
    assert not Entry.objects.exists()
    text = post(staff, collection, FILE, confirm="1").content.decode()
    assert "Taken in: 2 new, 0 changed, 0 as before." in text
    assert f"/admin/knowledge/entry/progress/?collection={collection.pk}" in text
    assert Entry.objects.count() == 2
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (vera, "Imported: 2 new, 0 changed")
    again = post(staff, collection, FILE).content.decode()
    assert "0 new, 0 changed, 2 as before" in again
    assert "Take it in" not in again


def test_a_file_may_be_uploaded(staff: Client, collection: Collection) -> None:
    for content, words in (
        ("# Größe\nRiesig".encode(), "1 new"),
        ("# Größe\nRiesig".encode("latin-1"), "no text in UTF-8"),
        (b"a" * 900_001, "larger than 900 kB"),
        (b"", "empty"),
    ):
        file = SimpleUploadedFile("knowledge.md", content)
        assert words in post(staff, collection, "", file=file).content.decode()


def test_hostile_files_are_shown_as_words(staff: Client, collection: Collection) -> None:
    text = post(staff, collection, f"# T {HOSTILE}\n{HOSTILE}\n").content.decode()
    assert HOSTILE not in text.replace("</textarea>", "")
    assert ESCAPED in text


def test_how_far_it_is(staff: Client, collection: Collection) -> None:
    Entry.objects.create(collection=collection, title="Warranty", text="Five years")
    text = page(staff, "knowledge_entry_progress", collection=collection.pk)
    assert "1 of 1 entries" in text  # nothing is to be embedded here
    assert staff.get(reverse("admin:knowledge_entry_progress")).status_code == 404


def test_a_list_asks_as_often_for_many(
    staff: Client, collection: Collection, django_assert_max_num_queries: Any
) -> None:
    Entry.objects.create(collection=collection, title="One", text="x")
    few = queries(staff, django_assert_max_num_queries(30), "knowledge_entry_changelist")
    for n in range(9):
        Entry.objects.create(collection=collection, title=f"No {n}", text="x")
    many = queries(staff, django_assert_max_num_queries(30), "knowledge_entry_changelist")
    assert many == few


@pytest.mark.parametrize(
    "rights", [(), ("view_entry",), ("view_entry", "add_entry"), ("add_entry", "change_entry")]
)
def test_each_page_asks_for_its_own_right(rights: tuple[str, ...]) -> None:
    user = User.objects.create_user("temp", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    sees = bool({"view_entry", "change_entry"} & {*rights})
    imports = {"add_entry", "change_entry"} <= {*rights}
    for name, allowed in (("try", sees), ("progress", sees), ("import", imports)):
        status = client.get(reverse(f"admin:knowledge_entry_{name}")).status_code
        assert (status != 403) == allowed, name
