"""The desk's first page, notes and tags, canned replies, and everybody's own settings."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat import backends, paid, speaking, watching
from chat.live import live
from chat.models import CannedReply, Conversation, Lead, Message, Site, Spend, StaffProfile, Tag
from knowledge.models import Entry
from tests.admin.desk import HOSTILE, page, queries, reply, talk, transcript
from tests.base import make_site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _well(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests before these have left behind in this process is no news of the server's."""
    monkeypatch.setattr(live, "lag", 0.0)
    monkeypatch.setattr(watching.watch, "concerns", {})


def test_the_first_page_says_how_today_goes(staff: Client, site: Site) -> None:
    row, old = talk(site, "one"), talk(site, "two")
    reply(row, first_word_ms=1400, feedback=-1, state=Message.State.FAILED)
    Conversation.objects.filter(pk=row.pk).update(waiting_since=timezone.now())
    past = timezone.now() - timedelta(days=3)
    Conversation.objects.filter(pk=old.pk).update(created=past)
    Message.objects.filter(conversation=old).update(created=past)
    Lead.objects.create(conversation=row, site=site, name="Ada")
    Spend.objects.create(
        day=timezone.now().date(), scope=Spend.Scope.WHOLE, spent=900_000, cap=1_000_000
    )
    text = " ".join(page(staff, "index").split())
    for part in (
        'Conversations today</span> <b><a href="/admin/chat/conversation/?period=0">1</a>',
        'Leads today</span> <b><a href="/admin/chat/lead/">1</a>',
        'Wait for a person</span> <b><a href="/admin/chat/conversation/?waiting=yes">1</a>',
        "First word, on average</span> <b>1.4 s</b>",
        "1 reply failed today.",
        "1 answer was found unhelpful today.",
        "Most of today&#x27;s budget is spent.",
        "2 in 14 days",
        "<svg",
    ):
        assert part in text, part


def test_the_first_page_is_calm_where_all_is_well(staff: Client, site: Site) -> None:
    text = page(staff, "index")
    assert "Nothing at the moment." in text
    assert "nobody rated today" in text


def test_the_first_page_leads_to_what_was_asked_in_vain(
    staff: Client, vera: User, site: Site
) -> None:
    talk(site, "Do you rent bikes?")
    discount = talk(site, "Is there a student discount?")
    page_ = reverse("admin:chat_persona_gaps")
    text = page(staff, "index")
    assert f'href="{page_}?site={site.pk}">2 questions got no good answer.</a>' in text
    assert page(staff, "chat_persona_gaps", site=site.pk)
    Entry.objects.create(collection=site.collection, title="student discount?", text="Yes, 10 %.")
    assert "1 question got no good answer." in page(staff, "index")
    other = make_site("other", name="Other & Co")
    talk(other, "Can I return a chair?")
    text = page(staff, "index")
    assert f'?site={other.pk}">Other &amp; Co: 1 question got no good answer.</a>' in text
    assert "Acme Desks: 1 question got no good answer." in text
    StaffProfile.objects.create(user=vera).sites.add(other)
    assert "Acme" not in page(staff, "index")
    assert discount.pk


def test_the_first_page_leads_to_what_is_not_well(
    staff: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = reverse("admin:chat_conversation_health")
    assert link not in page(staff, "index")
    assert "runs behind" not in page(staff, "chat_conversation_health")
    monkeypatch.setitem(watching.watch.concerns, "lag", "0.5 s, above 0.2")
    text = page(staff, "index")
    assert f'<a class="desk-link" href="{link}">1 part of the server is not well: load.</a>' in text
    monkeypatch.setattr(
        speaking, "health", lambda: {"status": "degraded", "detail": "the voice fails"}
    )
    assert "2 parts of the server are not well: voice, load." in page(staff, "index")
    text = page(staff, "chat_conversation_health")
    assert "the voice fails" in text
    assert "the process runs behind: 0.5 s, above 0.2" in text
    temp = User.objects.create_user("temp", is_staff=True)
    temp.user_permissions.add(*_rights("view_lead"))
    staff.force_login(temp)
    assert "not well" not in page(staff, "index")
    assert staff.get(link).status_code == 403


def test_a_budget_that_is_spent_is_told_once(
    staff: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "paid", lambda: True)
    monkeypatch.setattr(paid, "health", lambda: {"status": "degraded", "detail": "spent"})
    assert "not well" not in page(staff, "index")
    temp = User.objects.create_user("temp", is_staff=True)
    temp.user_permissions.add(*_rights("view_conversation"))
    staff.force_login(temp)
    assert "1 part of the server is not well: budget." in page(staff, "index")


def test_the_first_page_asks_as_often_for_many_as_for_one(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    talk(site, "Do you rent bikes?")
    few = queries(staff, django_assert_max_num_queries(30), "index")
    for number in range(6):
        talk(make_site(f"site{number}"), f"more about thing{number}")
        reply(talk(site, f"question {number} about bikes"), feedback=1)
    assert queries(staff, django_assert_max_num_queries(30), "index") == few


def test_the_first_page_shows_no_more_than_one_may_see(staff: Client, vera: User) -> None:
    mine, other = make_site("mine"), make_site("other")
    talk(mine, "one")
    talk(other, "two")
    StaffProfile.objects.create(user=vera).sites.add(mine)
    assert '?period=0">1</a>' in page(staff, "index")
    temp = Client()
    temp.force_login(User.objects.create_user("temp", is_staff=True))
    assert "desk-figures" not in page(temp, "index")


def test_no_page_shows_a_visitor_of_a_site_that_one_does_not_see(staff: Client, vera: User) -> None:
    mine, other = make_site("mine"), make_site("other")
    theirs = talk(other, "Call me, I am Bertil Persson")
    lead = Lead.objects.create(conversation=theirs, site=other, name="Bertil Persson")
    StaffProfile.objects.create(user=vera).sites.add(mine)
    vera.user_permissions.add(*Permission.objects.filter(content_type__app_label="chat"))
    assert "Bertil" not in page(staff, "chat_lead_changelist")
    for model, pk in (
        ("conversation", theirs.pk),
        ("lead", lead.pk),
        ("visitor", theirs.visitor_id),
    ):
        answer = staff.get(reverse(f"admin:chat_{model}_change", args=[pk]))
        assert answer.status_code in (302, 404), model
        assert "Bertil" not in answer.content.decode()
    hand = reverse("admin:chat_lead_add") + f"?conversation={theirs.pk}"
    assert "Bertil" not in staff.get(hand, follow=True).content.decode()
    gathered = reverse("admin:chat_persona_gaps_list")
    assert "Bertil" not in staff.get(gathered, {"site": other.pk}).content.decode()
    assert "other" not in page(staff, "chat_persona_gaps")
    past = reverse("admin:chat_persona_questions", args=[other.persona_id])
    assert "Bertil" not in staff.get(past).content.decode()


# --- Notes, tags, canned replies -----------------------------------------------------------------


def note(client: Client, row: Conversation, **fields: str) -> int:
    path = reverse("admin:chat_conversation_note", args=[row.pk])
    return int(client.post(path, fields).status_code)


def test_notes_and_tags_are_for_staff_and_found_again(staff: Client, site: Site) -> None:
    row, _other = talk(site, "one"), talk(site, "two")
    assert note(staff, row, note=HOSTILE, tags="Hot, hot, wants  demo ,") == 302
    text = transcript(staff, row)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert 'value="hot, wants demo"' in text
    listed = page(staff, "chat_conversation_changelist", tag="hot")
    assert str(row.pk) in listed
    assert str(_other.pk) not in listed
    note(staff, row, tags="cold")
    assert [tag.name for tag in Tag.objects.all()] == ["cold"]
    assert row.notes.count() == 1
    assert "notes" not in row.messages.first().as_frame()


def test_who_may_only_read_notes_nothing(site: Site) -> None:
    row = talk(site, "one")
    reader = Client()
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.add(*_rights("view_conversation"))
    reader.force_login(user)
    assert note(reader, row, note="x", tags="y") == 403
    assert "data-may-note" not in transcript(reader, row)
    assert row.notes.count() == Tag.objects.count() == 0


def _rights(*names: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=names)


def test_canned_replies_have_their_gaps_filled(staff: Client, vera: User, site: Site) -> None:
    other = make_site("other")
    CannedReply.objects.create(title="Hi", text="Hello {visitor}, I am {me} of {company}.")
    CannedReply.objects.create(title="Theirs", text="Never here", site=other)
    StaffProfile.objects.create(user=vera, shown_name="Vera Lindt")
    row = talk(site, "one")
    assert 'value="Hello, I am Vera Lindt of Acme Desks."' in transcript(staff, row)
    Lead.objects.create(conversation=row, site=site, name="Ada")
    text = transcript(staff, row)
    assert 'value="Hello Ada, I am Vera Lindt of Acme Desks."' in text
    assert "Never here" not in text


# --- Everybody's own settings --------------------------------------------------------------------


def test_each_sets_how_they_are_told_and_not_what_they_see(
    staff: Client, vera: User, site: Site
) -> None:
    theirs = StaffProfile.objects.create(user=User.objects.create_user("omar"))
    mine = staff.get(reverse("admin:chat_staffprofile_mine"))["Location"]
    StaffProfile.objects.get(user=vera).sites.add(site)
    fields = {"shown_name": "Vera Lindt", "notify": "on", "sites": [], "user": theirs.user_id}
    assert staff.post(mine, fields).status_code == 302
    row = StaffProfile.objects.get(user=vera)
    assert (row.shown_name, row.notify, row.sound, row.email) == ("Vera Lindt", True, False, False)
    assert [each.pk for each in row.sites.all()] == [site.pk]
    path = reverse("admin:chat_staffprofile_change", args=[theirs.pk])
    assert staff.get(path).status_code == 403
    assert staff.post(path, fields).status_code == 403
    assert staff.get(reverse("admin:chat_staffprofile_changelist")).status_code == 403
