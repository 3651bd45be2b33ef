"""Conversations in the admin: the list, and the transcript."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.admin.transcript import NEWEST
from chat.models import (
    Conversation,
    Lead,
    Message,
    PersonaVersion,
    Site,
    StaffProfile,
    Visitor,
)
from tests.admin.desk import ESCAPED, HOSTILE, page, queries, reply, talk, transcript
from tests.base import make_site

pytestmark = pytest.mark.django_db


# --- Conversations: the list --------------------------------------------------------------------


def listed(client: Client, **query: Any) -> int:
    text = page(client, "chat_conversation_changelist", **query)
    return len(set(re.findall(r"/chat/conversation/([0-9a-f-]{36})/change/", text)))


def test_the_list_shows_the_visitors_last_words(staff: Client, site: Site) -> None:
    talk(site, "first", "do you ship to Lyon?")
    text = page(staff, "chat_conversation_changelist")
    assert "do you ship to Lyon?" in text
    assert "About that" not in text


def test_the_list_filters_by_campaign(staff: Client, site: Site, vera: User) -> None:
    row, other = talk(site, "one"), talk(site, "two")
    Conversation.objects.filter(pk=row.pk).update(campaign=HOSTILE[:200])
    Conversation.objects.filter(pk=other.pk).update(campaign="mail / spring")
    talk(site, "three")
    assert listed(staff) == 3
    text = page(staff, "chat_conversation_changelist", campaign="mail / spring")
    assert str(other.pk) in text
    assert str(row.pk) not in text
    assert listed(staff, campaign="none of them") == 0
    assert HOSTILE[:30] not in text
    assert '<option value="mail / spring" selected' in " ".join(text.split())
    assert "mail / spring" in transcript(staff, other)
    secret = talk(make_site("theirs"), "four")
    Conversation.objects.filter(pk=secret.pk).update(campaign="Theirs alone")
    assert "Theirs alone" in page(staff, "chat_conversation_changelist")
    StaffProfile.objects.create(user=vera).sites.add(site)
    assert "Theirs alone" not in page(staff, "chat_conversation_changelist")


@pytest.mark.parametrize(
    ("query", "change"),
    [
        ({"waiting": "yes"}, lambda row: {"waiting_since": timezone.now()}),
        ({"state__exact": "closed"}, lambda row: {"state": "closed"}),
    ],
)
def test_the_list_filters_by_the_conversation(
    root: Client, site: Site, query: dict[str, str], change: Callable[[Any], dict[str, Any]]
) -> None:
    row, _other = talk(site, "one"), talk(site, "two")
    Conversation.objects.filter(pk=row.pk).update(**change(row))
    assert listed(root, **query) == 1


def test_the_list_filters_by_site(root: Client, site: Site) -> None:
    talk(site, "one")
    talk(make_site("other"), "two")
    assert listed(root, site__id__exact=site.pk) == 1


def test_the_list_filters_by_lead(root: Client, site: Site) -> None:
    row, _other = talk(site, "one"), talk(site, "two")
    Lead.objects.create(conversation=row, site=site, name="Ada")
    assert (listed(root, lead="yes"), listed(root, lead="no")) == (1, 1)


def test_the_list_filters_by_failed_replies(root: Client, site: Site) -> None:
    row, _other = talk(site, "one"), talk(site, "two")
    reply(row, state=Message.State.FAILED)
    assert (listed(root, failed="yes"), listed(root, failed="no")) == (1, 1)


def test_the_list_filters_by_date(root: Client, site: Site) -> None:
    row, _other = talk(site, "one"), talk(site, "two")
    Conversation.objects.filter(pk=row.pk).update(updated=timezone.now() - timedelta(days=10))
    assert (listed(root, period="7"), listed(root, period="30")) == (1, 2)


@pytest.mark.parametrize("words", ["lyon", "ship lyon", '"ship to"', "ada@visitor", "0815"])
def test_search_finds_words_and_lead(root: Client, site: Site, words: str) -> None:
    row, _other = talk(site, "Do you ship to Lyon?"), talk(site, "And to Rome?")
    Lead.objects.create(conversation=row, site=site, email="ada@visitor.example", phone="0815")
    assert listed(root, q=words) == 1


def test_search_finds_the_beginning_of_an_id(root: Client, site: Site) -> None:
    row, _other = talk(site, "one"), talk(site, "two")
    assert listed(root, q=str(row.visitor_id)[:8]) == 1


@pytest.mark.parametrize("words", ["\0", "'", '"', "%", "\\", "' OR 1=1 --", "x" * 3000])
def test_search_survives(root: Client, site: Site, words: str) -> None:
    talk(site, "one")
    page(root, "chat_conversation_changelist", q=words)


def test_the_list_asks_as_often_for_many_as_for_one(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    talk(site, "one")
    few = queries(staff, django_assert_max_num_queries(20), "chat_conversation_changelist")
    for number in range(8):
        row = talk(site, f"more {number}")
        Lead.objects.create(conversation=row, site=site, name="Ada")
    many = queries(staff, django_assert_max_num_queries(20), "chat_conversation_changelist")
    assert many == few


# --- Conversations: the transcript --------------------------------------------------------------


def test_a_transcript_tells_who_said_what_and_what_it_took(staff: Client, site: Site) -> None:
    row = talk(site, "How much is it?")
    reply(
        row,
        persona_version=PersonaVersion.objects.get(),
        backend="completions",
        model="gpt-6-luna",
        first_word_ms=430,
        duration_ms=2210,
        input_tokens=1240,
        output_tokens=62,
        cost=Decimal("0.000312"),
        sources=[{"title": "Prices", "url": "https://acme.example/prices"}],
        attempt=2,
        earlier=["About nothing."],
        tools=[{"name": "save_lead"}],
        feedback=-1,
    )
    text = transcript(staff, row)
    for part in (
        "How much is it?",
        "Robin of acme v1",
        "completions · gpt-6-luna",
        "first word 430 ms",
        "whole reply 2.2 s",
        "1,240 + 62 tokens",
        "$0.000312",
        'href="https://acme.example/prices"',
        "attempt 2",
        "About nothing.",
        "save_lead",
        "found unhelpful",
    ):
        assert part in text


def test_bold_words_of_the_agent_are_bold_and_escaped(staff: Client, site: Site) -> None:
    row = talk(site, "**mine** stays")
    reply(row, text="It costs **€5 <b>**, 2 ** 3.")
    text = transcript(staff, row)
    assert "It costs <strong>€5 &lt;b&gt;</strong>, 2 ** 3." in text
    assert "**mine** stays" in text


def test_the_greeting_is_said_by_who_speaks_next(staff: Client, site: Site) -> None:
    Site.objects.filter(pk=site.pk).update(greeting="Welcome to Acme!")
    site.refresh_from_db()
    row = talk(site, "hello")
    Message.objects.filter(conversation=row, reply_to__isnull=False).update(
        persona_version=PersonaVersion.objects.get()
    )
    text = transcript(staff, row)
    assert "Welcome to Acme!" in text
    assert "<bdi>Agent</bdi>" not in text


def test_a_failed_reply_shows_its_error(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    reply(row, state="failed", error_code="model_failed", error_text="It broke off.")
    text = transcript(staff, row)
    assert 'data-state="failed"' in text
    assert "model_failed" in text
    assert "It broke off." in text


def test_hostile_words_are_only_words(staff: Client, site: Site) -> None:
    row = talk(site, HOSTILE)
    reply(
        row,
        sources=[{"title": HOSTILE, "url": "https://acme.example/"}],
        earlier=[HOSTILE, {"text": HOSTILE}],
        tools=[{"name": HOSTILE}],
        error_code="x",
        error_text=HOSTILE,
    )
    Conversation.objects.update(
        page_url=HOSTILE, page_title=HOSTILE, referrer=HOSTILE, locale="<b>", campaign=HOSTILE
    )
    lead = Lead.objects.create(
        conversation=row, site=site, name=HOSTILE, note=HOSTILE, words=HOSTILE, company=HOSTILE
    )
    for text in (
        transcript(staff, row),
        page(staff, "chat_conversation_changelist"),
        page(staff, "chat_lead_changelist"),
        page(staff, "chat_lead_change", lead.pk),
        page(staff, "chat_visitor_change", row.visitor_id),
    ):
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert" in text
    assert ESCAPED in transcript(staff, row)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "http://[",
        "",
    ],
)
def test_a_source_is_a_link_only_to_the_web(staff: Client, site: Site, url: str) -> None:
    row = talk(site, "hello")
    reply(row, sources=[{"title": "A trap", "url": url}])
    text = transcript(staff, row)
    assert "<bdi>A trap</bdi></li>" in text
    assert "<bdi>A trap</bdi></a>" not in text


@pytest.mark.parametrize("broken", ["text", {"a": 1}, [1, None, "x", {"title": None}]])
def test_odd_json_breaks_no_transcript(staff: Client, site: Site, broken: Any) -> None:
    row = talk(site, "hello")
    reply(row, sources=broken, earlier=broken, tools=broken)
    assert "hello" in transcript(staff, row)


def test_page_and_referrer_are_no_links(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    Conversation.objects.update(page_url="https://evil.example/", referrer="https://evil.example/r")
    text = transcript(staff, row)
    assert "https://evil.example/r" in text
    assert 'href="https://evil.example' not in text


def test_a_transcript_links_lead_visitor_and_other_talks(staff: Client, site: Site) -> None:
    row, other = talk(site, "one"), talk(site, "two")
    Conversation.objects.filter(pk=other.pk).update(visitor=row.visitor)
    lead = Lead.objects.create(conversation=row, site=site, name="Ada")
    text = transcript(staff, row)
    assert reverse("admin:chat_lead_change", args=[lead.pk]) in text
    assert reverse("admin:chat_visitor_change", args=[row.visitor_id]) in text
    assert reverse("admin:chat_conversation_change", args=[other.pk]) in text


def test_a_transcript_shows_the_newest_500(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    numbers = range(row.last_seq + 1, row.last_seq + 1 + NEWEST)
    Message.objects.bulk_create(
        Message(conversation=row, seq=n, rev=n + 10, role="system", text=f"line {n}")
        for n in numbers
    )
    text = transcript(staff, row)
    assert text.count('class="desk-line"') == NEWEST
    assert "Only the newest 500 messages are shown" in text
    assert f"line {row.last_seq + NEWEST}<" in text
    assert ">hello<" not in text


def test_a_transcript_asks_as_often_for_many_lines_as_for_one(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    short = talk(site, "one")
    long = talk(site, *(f"line {n}" for n in range(10)))
    version = PersonaVersion.objects.get()
    Message.objects.filter(role="agent").update(persona_version=version)
    name = "chat_conversation_change"
    few = queries(staff, django_assert_max_num_queries(25), name, short.pk)
    assert queries(staff, django_assert_max_num_queries(25), name, long.pk) == few


def test_an_unknown_conversation_is_not_found(staff: Client) -> None:
    for pk in ("00000000-0000-0000-0000-000000000000", "nonsense"):
        path = reverse("admin:chat_conversation_change", args=[pk])
        assert staff.get(path).status_code == 404


def test_a_user_without_the_right_reads_nothing(client: Client, site: Site) -> None:
    client.force_login(User.objects.create_user("temp", is_staff=True))
    path = reverse("admin:chat_conversation_change", args=[talk(site, "hello").pk])
    assert client.get(path).status_code == 403


def test_closing_needs_the_right_and_a_post(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    path = reverse("admin:chat_conversation_close", args=[row.pk])
    reader, temp = Client(), User.objects.create_user("temp", is_staff=True)
    temp.user_permissions.add(Permission.objects.get(codename="view_conversation"))
    reader.force_login(temp)
    assert "Close conversation" not in transcript(reader, row)
    assert reader.post(path).status_code == 403
    assert staff.get(path).status_code == 405
    row.refresh_from_db()
    assert row.state == Conversation.State.OPEN


def test_sales_staff_close_what_is_settled_and_nobody_waits_any_more(
    staff: Client, site: Site
) -> None:
    row = talk(site, "A person, please!")
    Conversation.objects.filter(pk=row.pk).update(waiting_since=timezone.now())
    assert "Close conversation" in transcript(staff, row)
    staff.post(reverse("admin:chat_conversation_close", args=[row.pk]))
    row.refresh_from_db()
    assert (row.state, row.waiting_since) == (Conversation.State.CLOSED, None)
    assert "Close conversation" not in transcript(staff, row)


def test_a_word_why_is_shown_escaped_beside_the_thumb(staff: Client, site: Site) -> None:
    row = talk(site, "Hello")
    reply(row, feedback=-1, feedback_comment=HOSTILE)
    text = transcript(staff, row)
    assert "found unhelpful" in text
    assert ESCAPED in text
    assert HOSTILE not in text


def test_who_is_signed_in_is_named_and_found(staff: Client, site: Site) -> None:
    row = talk(site, "Hello")
    assert "signed by the website" not in transcript(staff, row)
    Visitor.objects.filter(pk=row.visitor_id).update(
        external_id="K-7", name=HOSTILE[:120], email="ada@visitor.example", verified=timezone.now()
    )
    text = transcript(staff, row)
    assert "signed by the website" in text
    assert ESCAPED[:40] in text
    assert HOSTILE[:40] not in text
    for words, found in (("ada@visitor", True), ("K-7", True), ("eve@visitor", False)):
        shown = page(staff, "chat_conversation_changelist", q=words)
        assert (str(row.pk) in shown) is found


# --- Who opened it, and who may ------------------------------------------------------------------


def test_every_opening_is_a_line_in_the_log(staff: Client, vera: User, site: Site) -> None:
    row = talk(site, "hello")
    transcript(staff, row)
    transcript(staff, row)
    lines = LogEntry.objects.filter(user=vera, object_id=str(row.pk), change_message="Opened")
    assert lines.count() == 2
    assert "hello" not in lines[0].object_repr


def test_the_history_of_a_talk_and_of_a_lead_is_what_the_log_has_of_them(
    root: Client, site: Site
) -> None:
    row = talk(site, "hello")
    lead = Lead.objects.create(conversation=row, site=site, name="Ada")
    transcript(root, row)
    LogEntry.objects.create(
        user=User.objects.get(username="root"),
        content_type=ContentType.objects.get_for_model(Lead),
        object_id=str(lead.pk),
        action_flag=2,
        change_message="Taken",
    )
    assert "Opened" in page(root, "chat_conversation_history", row.pk)
    assert "Taken" in page(root, "chat_lead_history", lead.pk)


def test_staff_of_some_sites_see_the_talks_of_those_alone(
    staff: Client, vera: User, site: Site
) -> None:
    other = make_site("other")
    mine, theirs = talk(site, "one"), talk(other, "two")
    assert listed(staff) == 2
    StaffProfile.objects.create(user=vera).sites.add(site)
    assert listed(staff) == 1
    transcript(staff, mine)
    for name, args in (
        ("change", [theirs.pk]),
        ("history", [theirs.pk]),
        ("close", [theirs.pk]),
        ("line", [theirs.pk, 1]),
    ):
        path = reverse(f"admin:chat_conversation_{name}", args=args)
        response = staff.post(path) if name == "close" else staff.get(path)
        assert response.status_code in (302, 404), name
        assert "two" not in response.content.decode()
    assert Conversation.objects.get(pk=theirs.pk).state == "open"
    path = reverse("admin:chat_visitor_change", args=[theirs.visitor_id])
    assert staff.get(path).status_code == 302
    Conversation.objects.filter(pk=theirs.pk).update(waiting_since=timezone.now())
    assert '?waiting=yes">0</a>' in page(staff, "index")


def test_one_line_of_a_transcript_is_what_it_is_in_the_whole(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    path = reverse("admin:chat_conversation_line", args=[row.pk, 2])
    assert staff.get(path).content.decode().strip() in transcript(staff, row)
    assert staff.get(path.replace("/2/", "/99/")).status_code == 404
