"""The search and the sorting of long lists: what they find, and with how many queries."""

import uuid
from typing import Any

import pytest
from django.test import Client

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


def test_a_search_asks_two_queries_a_further_word(
    site: Site, django_assert_num_queries: Any
) -> None:
    talk(site, "bikes with a battery and a range of ninety kilometres")
    with django_assert_num_queries(4):
        assert len(found("kilometres")) == 1
    with django_assert_num_queries(4 + 2 * 3):
        assert len(found("kilometres", "bikes", "range", "battery")) == 1
