"""The visitor's rights at the desk: who may erase, what stays of it; what a site says and keeps."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.models import ConsentText, Conversation, Lead, Message, Site, Visitor
from tests.admin.desk import page, talk
from tests.admin.test_editing import save_site, site_form

pytestmark = pytest.mark.django_db

CANARY = "Ada Canary"


@pytest.fixture
def row(site: Site) -> Conversation:
    found = talk(site, f"I am {CANARY}")
    Lead.objects.create(conversation=found, site=site, name=CANARY, email="ada@visitor.example")
    Visitor.objects.update(name=CANARY, external_id="4711", verified=timezone.now())
    return found


def erase_page(visitor: Any) -> str:
    return reverse("admin:chat_visitor_delete", args=[visitor])


def log() -> str:
    return str(list(LogEntry.objects.values()))


def test_who_has_no_right_sees_no_button_and_opens_no_page(
    staff: Client, row: Conversation
) -> None:
    assert "Erase this visitor" not in page(staff, "chat_conversation_change", row.pk)
    for path in (
        erase_page(row.visitor_id),
        reverse("admin:chat_conversation_delete", args=[row.pk]),
    ):
        assert staff.get(path).status_code == 403
        assert staff.post(path, {"post": "yes"}).status_code == 403
    assert Visitor.objects.count() == 1


def test_who_has_the_right_is_asked_once_more(staff: Client, vera: User, row: Conversation) -> None:
    vera.user_permissions.add(Permission.objects.get(codename="delete_visitor"))
    path = erase_page(row.visitor_id)
    assert path in page(staff, "chat_conversation_change", row.pk)
    asked = staff.get(path).content.decode()
    assert "1 conversation, 3 messages" in asked
    assert "1 lead" in asked
    assert Visitor.objects.count() == 1
    assert staff.post(path).status_code == 302
    for model in (Visitor, Conversation, Message, Lead):
        assert not model.objects.exists()


def test_the_audit_says_who_and_how_much_and_nothing_of_whom(
    root: Client, row: Conversation
) -> None:
    id = str(row.visitor_id)
    root.post(reverse("admin:chat_lead_change", args=[row.lead.pk]), {"note": "Called her"})
    assert CANARY not in log()
    answer = root.post(erase_page(row.visitor_id), follow=True).content.decode()
    assert "The visitor is erased: 1 conversations, 3 messages, 1 leads." in answer
    line = LogEntry.objects.first()
    assert line is not None
    assert line.user.get_username() == "root"
    assert line.change_message == "Erased: 1 conversations, 3 messages, 1 leads."
    assert line.object_repr == "a visitor of acme"
    assert [word for word in (CANARY, "ada@", "4711", id, str(row.pk)) if word in log()] == []


def test_erased_again_there_is_nobody(root: Client, row: Conversation) -> None:
    path = erase_page(row.visitor_id)
    root.post(path)
    before = log()
    assert root.post(path).status_code == 404
    assert root.get(path).status_code == 404
    assert log() == before


def test_the_delete_page_of_a_conversation_erases_its_visitor(
    root: Client, row: Conversation
) -> None:
    path = reverse("admin:chat_conversation_delete", args=[row.pk])
    assert "Erase this visitor?" in root.get(path).content.decode()
    root.post(path)
    assert not Visitor.objects.exists()


@pytest.mark.parametrize("name", ["chat_conversation_changelist", "chat_visitor_changelist"])
def test_nothing_is_deleted_from_a_list_past_the_open_sockets(
    root: Client, row: Conversation, name: str
) -> None:
    root.post(
        reverse(f"admin:{name}"),
        {"action": "delete_selected", "_selected_action": [str(row.pk), str(row.visitor_id)],
         "post": "yes"},
    )  # fmt: skip
    assert (Conversation.objects.count(), Visitor.objects.count()) == (1, 1)


# --- What a site says, and how long it keeps ----------------------------------------------------


def test_a_site_is_told_what_it_says_and_how_long_it_keeps(root: Client, site: Site) -> None:
    saved = save_site(
        root,
        site,
        consent="ask",
        consent_text="May we keep it for a year?",
        consent_link="https://acme.example/privacy",
        keep_days="365",
    )
    assert saved == 302
    assert (site.consent, site.keep_days) == ("ask", 365)
    assert ConsentText.objects.get(site=site).text == "May we keep it for a year?"
    assert save_site(root, site, consent="", keep_days="") == 302
    assert (site.consent, site.keep_days) == ("", 0)
    assert ConsentText.objects.count() == 1  # somebody may have agreed to it


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"consent": "notice", "consent_text": " "}, "Write what visitors are told."),
        ({"keep_days": 29}, "Not shorter than the idle days, 30"),
        ({"keep_days": -1}, "greater than or equal to 0"),
        ({"consent_link": "ftp://acme.example"}, "An address that begins with https://."),
        ({"consent_link": "javascript:alert(1)"}, "Enter a valid URL."),
    ],
)
def test_what_makes_no_sense_is_said_in_words(
    root: Client, site: Site, fields: dict[str, Any], sentence: str
) -> None:
    path = reverse("admin:chat_site_change", args=[site.pk])
    answer = root.post(path, site_form(site, **fields))
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
