"""Made-up talks to measure with: sound ones, and the desk asks no more for many of them."""

from io import StringIO
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from chat.models import Conversation, Lead, Message, Visitor
from tests.admin.conftest import staff, vera  # noqa: F401
from tests.admin.desk import queries
from tests.base import check_numbers, make_site

pytestmark = pytest.mark.django_db


def fill(messages: int, **options: Any) -> str:
    said = StringIO()
    call_command("fill_demo", messages=messages, site="acme", stdout=said, **options)
    return said.getvalue()


def test_it_adds_talks_that_keep_every_rule() -> None:
    make_site()
    assert "messages to Acme Desks." in fill(300)
    assert 300 <= Message.objects.count() < 320
    for row in Conversation.objects.all():
        check_numbers(row)
    assert Lead.objects.exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans without statistics")
def test_the_database_knows_what_it_has_been_filled_with() -> None:
    """As after autovacuum, which a measurement does not wait for."""
    make_site()
    fill(100)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tablename FROM pg_stats")
        known = {name for (name,) in cursor.fetchall()}
    assert {m._meta.db_table for m in (Visitor, Conversation, Message, Lead)} <= known


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(CommandError, match="no site 'acme'"):
        fill(10)
    make_site()
    with pytest.raises(CommandError, match="1 or more"):
        fill(0)


@pytest.mark.parametrize(
    "name",
    ["index", "chat_conversation_changelist", "chat_lead_changelist", "chat_visitor_changelist"],
)
def test_a_page_asks_as_often_for_many_as_for_few(
    request: pytest.FixtureRequest,
    name: str,
    django_assert_max_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for model in (Conversation, Lead, Visitor):  # what fits on one page is not paged
        monkeypatch.setattr(admin.site.get_model_admin(model), "list_per_page", 2)
    make_site()
    client: Client = request.getfixturevalue("staff")
    fill(400)
    few = queries(client, django_assert_max_num_queries(30), name)
    fill(800, seed=2)
    assert queries(client, django_assert_max_num_queries(30), name) == few
