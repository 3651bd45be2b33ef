"""The search and the sorting of long lists: what they find, and with how many queries."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.finding import mentioning
from chat.models import Conversation, Lead, Site, Visitor
from tests.admin.desk import page, queries, talk

pytestmark = pytest.mark.django_db


def found(*words: str) -> set[uuid.UUID]:
    rows = mentioning(Conversation.objects.all(), words)
    return set(rows.values_list("pk", flat=True))


def test_each_word_may_stand_in_another_message(site: Site) -> None:
    row, other = talk(site, "Cargo bikes?", "For two children"), talk(site, "Cargo bikes?")
    assert found("cargo") == {row.pk, other.pk}
    assert found("cargo", "children") == found("children", "cargo") == {row.pk}
    assert found("cargo", "children", "elephants") == set()


def test_each_word_may_name_a_lead_or_who_is_signed_in(site: Site) -> None:
    row, other = talk(site, "Cargo bikes?"), talk(site, "Cargo bikes?")
    Lead.objects.create(conversation=row, site=site, name="Ada", company="Lovelace Ltd")
    Visitor.objects.filter(pk=other.visitor_id).update(
        external_id="customer-77", verified="2026-01-01T00:00Z", email="omar@shop.example"
    )
    assert found("cargo", "ada") == found("lovelace", "ada", "cargo") == {row.pk}
    assert found("omar@shop") == found("cargo", "omar@shop") == {other.pk}
    assert found("customer-77") == found("cargo", "customer-77") == {other.pk}
    assert found("cargo", str(row.pk)[:8]) == {row.pk}
    assert found("cargo", str(other.visitor_id)) == {other.pk}


def test_one_letter_is_no_beginning_of_a_word(site: Site) -> None:
    """In PostgreSQL half of the words begin so; SQLite looks plainly, and finds more."""
    row = talk(site, "Plan B")
    assert row.pk in found("b")
    assert row.pk in found("pla")


def test_a_page_stands_in_the_order_that_is_asked_for(root: Client, site: Site) -> None:
    short, long = talk(site, "one"), talk(site, "one", "two", "three")
    for order, first, second in (("-5", long, short), ("5", short, long)):
        shown = page(root, "chat_conversation_changelist", o=order)
        assert 0 < shown.index(str(first.pk)) < shown.index(str(second.pk))


@pytest.mark.parametrize("name", ["chat_lead_changelist", "chat_visitor_changelist", "index"])
def test_lists_ask_as_often_for_many_as_for_one(
    root: Client, site: Site, django_assert_max_num_queries: Any, name: str
) -> None:
    few = many = 0
    for number in range(9):
        row = talk(site, f"number {number}")
        Lead.objects.create(conversation=row, site=site, name="Ada")
        many = queries(root, django_assert_max_num_queries(20), name)
        few = few or many
    assert many == few


def test_a_search_asks_one_query_for_all_further_words(
    site: Site, django_assert_num_queries: Any
) -> None:
    talk(site, "bikes with a battery and a range of ninety kilometres")
    with django_assert_num_queries(4):
        assert len(found("kilometres")) == 1
    for others in (("bikes",), ("bikes", "range", "battery", "ninety", "with")):
        with django_assert_num_queries(5):
            assert len(found("kilometres", *others)) == 1


def test_a_page_of_a_search_asks_as_often_for_many_words_as_for_two(
    root: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    talk(site, "bikes with a battery and a range of ninety kilometres")
    counts = set()
    for words in ("bikes range", "bikes range battery ninety kilometres with"):
        with django_assert_max_num_queries(20) as asked:
            assert "range of ninety" in page(root, "chat_conversation_changelist", q=words)
        counts.add(len(asked))
    assert len(counts) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no hashes to make")
def test_further_words_are_looked_for_in_what_was_found_alone(site: Site) -> None:
    """Also where PostgreSQL knows nothing of the table, and expects to find half of it."""
    talk(site, "bikes with a battery and a range of ninety kilometres")
    with CaptureQueriesContext(connection) as asked:
        found("kilometres", "bikes", "range")
    sql = next(each["sql"] for each in asked if "EXISTS" in each["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "SubPlan" in plan
    assert "hashed" not in plan


def test_what_looks_like_a_pattern_is_looked_for_as_it_stands(site: Site) -> None:
    row, _other = talk(site, "Cargo bikes at 100% off_road"), talk(site, "Cargo bikes, 1000 offers")
    assert found("cargo", "100%") == found("cargo", "off_road", "bikes") == {row.pk}
    assert found("cargo", "\\") == set()
