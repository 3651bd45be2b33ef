"""Leads and webhooks at the desk: whose words, whose lead, who hears of it, and who may see it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat import deliveries, leads
from chat.models import Conversation, Delivery, Lead, Site, Webhook
from tests.admin.desk import ESCAPED, HOSTILE, page, queries, talk

pytestmark = pytest.mark.django_db

WORDS = "I am Ada Okafor, ada@visitor.example. We need 25 desks by the end of May."


@pytest.fixture
def row(site: Site) -> Conversation:
    return talk(site, WORDS)


@pytest.fixture
def lead(row: Conversation) -> Lead:
    fields = {"name": "Ada Okafor", "email": "ada@visitor.example", "need": "25 desks"}
    found = leads.save(conversation=row.id, fields=fields).lead
    assert found
    return found


def form(lead: Lead | None = None, **changes: Any) -> dict[str, Any]:
    names = ("name", "company", "email", "phone", "need", "timing", "budget", "authority", "note")
    values = {name: getattr(lead, name, "") for name in names}
    return {**values, "stage": lead.stage if lead else "new", "owner": "", **changes}


def save(client: Client, lead: Lead, **changes: Any) -> Lead:
    path = reverse("admin:chat_lead_change", args=[lead.pk])
    assert client.post(path, form(lead, **changes)).status_code == 302
    lead.refresh_from_db()
    return lead


def test_each_value_shows_the_words_it_came_from(staff: Client, lead: Lead) -> None:
    text = page(staff, "chat_lead_change", lead.pk)
    assert '<q dir="auto">We need 25 desks by the end of May.</q>' in text
    seen = reverse("admin:chat_conversation_change", args=[lead.conversation_id])
    assert f'href="{seen}#message-2"' in text
    assert 'id="message-2"' in page(staff, "chat_conversation_change", lead.conversation_id)


def test_words_that_are_hostile_are_shown_as_words(staff: Client, site: Site) -> None:
    row = talk(site, f"We need {HOSTILE}")
    lead = Lead.objects.create(conversation=row, site=site, need=HOSTILE)
    leads.write(row.id, {"need": f"need {HOSTILE}"}, by=User.objects.get(username="vera"))
    text = page(staff, "chat_lead_change", lead.pk)
    assert HOSTILE not in text
    assert ESCAPED in text


def test_staff_write_what_they_learned_and_it_says_so(
    staff: Client, lead: Lead, vera: User
) -> None:
    save(staff, lead, budget="20,000 euros", stage="qualified", owner=str(vera.pk), note="Called")
    assert (lead.budget, lead.stage, lead.owner, lead.note) == (
        "20,000 euros",
        "qualified",
        vera,
        "Called",
    )
    assert lead.evidence["need"]["words"].startswith("We need 25 desks")  # as it was
    assert "Written by vera." in page(staff, "chat_lead_change", lead.pk)
    assert LogEntry.objects.get().user == vera
    assert "Okafor" not in LogEntry.objects.get().object_repr


def test_what_the_agent_adds_meanwhile_is_kept(staff: Client, lead: Lead) -> None:
    values = form(lead, note="Called")
    leads.save(conversation=lead.conversation_id, fields={"timing": "by the end of May"})
    values["timing"] = ""  # as the page was when it was opened
    Lead.objects.filter(pk=lead.pk).update(timing="")
    opened = Lead.objects.get(pk=lead.pk)
    leads.save(conversation=lead.conversation_id, fields={"timing": "by the end of May"})
    assert opened.timing == ""
    leads.write(lead.conversation_id, {"note": "Called"}, by=User.objects.get(username="vera"))
    lead.refresh_from_db()
    assert (lead.note, lead.timing) == ("Called", "by the end of May")


def test_a_lead_is_made_by_hand_of_a_conversation(
    staff: Client, row: Conversation, vera: User
) -> None:
    add = f"{reverse('admin:chat_lead_add')}?conversation={row.pk}"
    assert add in page(staff, "chat_conversation_change", row.pk)
    assert staff.get(add).status_code == 200
    empty = staff.post(add, form())
    assert "Nothing is known of anybody here" in empty.content.decode()
    staff.post(add, form(need="25 desks", phone="030 1234567", owner=str(vera.pk)))
    lead = Lead.objects.get()
    assert (lead.conversation, lead.site, lead.owner) == (row, row.site, vera)
    assert lead.evidence["need"]["seq"] == 2
    assert lead.evidence["phone"]["by"] == "vera"
    again = staff.get(add)
    assert again["Location"] == reverse("admin:chat_lead_change", args=[lead.pk])
    assert add not in page(staff, "chat_conversation_change", row.pk)
    staff.post(add, form(need="26 desks"))
    assert Lead.objects.get().need == "25 desks"


@pytest.mark.parametrize("query", ["", "?conversation=x", "?conversation=" + "0" * 32])
def test_without_a_conversation_it_says_where_to_begin(staff: Client, query: str) -> None:
    response = staff.get(reverse("admin:chat_lead_add") + query, follow=True)
    assert "Open a conversation" in response.content.decode()


def test_lists_by_stage_and_owner(staff: Client, lead: Lead, vera: User, site: Site) -> None:
    other = talk(site, "I am Bo")
    leads.write(other.id, {"name": "Bo", "owner": vera, "stage": "won"}, by=vera)
    for query, found in (
        ({"owner": "me"}, "Bo"),
        ({"owner": "none"}, "Ada"),
        ({"owner": str(vera.pk)}, "Bo"),
        ({"stage__exact": "new"}, "Ada"),
        ({"stage__exact": "won"}, "Bo"),
        ({"owner": "' OR 1"}, "Bo"),
    ):
        text = page(staff, "chat_lead_changelist", **query)
        rows = re.findall(r'class="field-who[ "][^>]*>(.*?)</t[hd]>', text, re.S)
        assert any(found in each for each in rows), query
        assert len(rows) == 1 or query["owner"] == "' OR 1"


def test_they_are_taken_by_one_action(staff: Client, lead: Lead, vera: User) -> None:
    path = reverse("admin:chat_lead_changelist")
    data = {"action": "take", "_selected_action": [str(lead.pk)]}
    assert "1 lead is yours now." in staff.post(path, data, follow=True).content.decode()
    lead.refresh_from_db()
    assert lead.owner == vera


def test_a_list_asks_as_often_for_many_as_for_one(
    staff: Client, site: Site, lead: Lead, vera: User, django_assert_max_num_queries: Any
) -> None:
    one = queries(staff, django_assert_max_num_queries(40), "chat_lead_changelist")
    for n in range(8):
        row = talk(site, f"I am Number{n}")
        leads.write(row.id, {"name": f"Number{n}", "owner": vera}, by=vera)
    assert queries(staff, django_assert_max_num_queries(40), "chat_lead_changelist") == one


def test_a_lead_asks_as_often_whatever_it_holds(
    root: Client, site: Site, lead: Lead, django_assert_max_num_queries: Any
) -> None:
    hook = Webhook.objects.create(site=site, url="https://crm.acme.example/")
    Delivery.objects.create(webhook=hook, lead=lead, event="lead.created", attempts=1)
    few = queries(root, django_assert_max_num_queries(40), "chat_lead_change", lead.pk)
    for n in range(8):
        Delivery.objects.create(webhook=hook, lead=lead, event="lead.updated", state="delivered")
        User.objects.create_user(f"staff{n}", is_staff=True)
    assert queries(root, django_assert_max_num_queries(40), "chat_lead_change", lead.pk) == few


# --- Webhooks -------------------------------------------------------------------------------------


@pytest.fixture
def hook(site: Site) -> Webhook:
    return Webhook.objects.create(site=site, url="https://crm.acme.example/leads")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://crm.acme.example/", "It must begin with https://"),
        ("https://u:p@crm.acme.example/", "It must begin with https://"),
        ("https://127.0.0.1/", "private network"),
        ("https://[::1]/", "private network"),
        ("https://localhost/", "private network"),
        ("https://169.254.169.254/latest/meta-data/", "private network"),
        ("nonsense", "Enter a valid URL"),
    ],
)
def test_an_address_that_would_lead_astray_is_refused(
    root: Client, site: Site, url: str, words: str
) -> None:
    response = root.post(reverse("admin:chat_webhook_add"), {"site": site.pk, "url": url})
    assert words in response.content.decode()
    assert not Webhook.objects.exists()


def test_a_webhook_shows_its_secret_to_who_may_change_it(
    root: Client, staff: Client, hook: Webhook
) -> None:
    assert hook.secret in page(root, "chat_webhook_change", hook.pk)
    vera = User.objects.get(username="vera")
    vera.user_permissions.add(Permission.objects.get(codename="view_webhook"))
    assert hook.secret not in page(staff, "chat_webhook_change", hook.pk)
    root.post(reverse("admin:chat_webhook_secret", args=[hook.pk]))
    assert Webhook.objects.get().secret != hook.secret


def test_a_test_is_sent_and_its_end_is_shown(root: Client, hook: Webhook) -> None:
    text = root.post(
        reverse("admin:chat_webhook_test", args=[hook.pk]), follow=True
    ).content.decode()
    assert "A test is on its way." in text
    row = Delivery.objects.get()
    deliveries._note(row, False, None, "certificate", 12)
    assert "its certificate is not valid" in page(root, "chat_delivery_change", row.pk)
    assert "its certificate is not valid" in page(root, "chat_delivery_changelist")


def test_what_was_given_up_is_sent_again(root: Client, hook: Webhook, lead: Lead) -> None:
    row = Delivery.objects.create(webhook=hook, lead=lead, event="lead.created", state="failed")
    data = {"action": "send_again", "_selected_action": [str(row.pk)]}
    text = root.post(reverse("admin:chat_delivery_changelist"), data, follow=True).content.decode()
    assert "1 message is sent again." in text
    row.refresh_from_db()
    assert row.state == "waiting"


PAGES = {
    "view_lead": ("chat_lead_changelist", "chat_lead_change"),
    "view_webhook": ("chat_webhook_changelist", "chat_webhook_change"),
    "view_delivery": ("chat_delivery_changelist", "chat_delivery_change"),
}
POSTS = {
    "change_webhook": ("chat_webhook_test", "chat_webhook_secret"),
    "add_lead": ("chat_lead_add",),
}


@pytest.mark.parametrize("right", [*PAGES, *POSTS, ""])
def test_each_page_and_button_asks_for_its_own_right(
    right: str, hook: Webhook, lead: Lead, site: Site
) -> None:
    row = Delivery.objects.create(webhook=hook, lead=lead, event="lead.created", attempts=1)
    keys = {"webhook": hook.pk, "delivery": row.pk, "lead": lead.pk}
    user = User.objects.create_user("temp", is_staff=True)
    names = [right, right.replace("change", "view")] if right else []
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    for needed, views in {**PAGES, **POSTS}.items():
        for view in views:
            args = [] if view.endswith(("list", "add")) else [keys[view.split("_")[1]]]
            path = reverse(f"admin:{view}", args=args)
            asked = client.post(path) if needed in POSTS else client.get(path)
            allowed = needed in names
            assert (asked.status_code != 403) == allowed, (right, view)


def test_the_list_of_deliveries_asks_as_often_for_many(
    root: Client, hook: Webhook, lead: Lead, django_assert_max_num_queries: Any
) -> None:
    Delivery.objects.create(webhook=hook, lead=lead, event="lead.created", attempts=1)
    names = ("chat_delivery_changelist", "chat_webhook_changelist")
    few = [queries(root, django_assert_max_num_queries(30), name) for name in names]
    for _ in range(8):
        Delivery.objects.create(webhook=hook, lead=lead, event="lead.updated", state="failed")
        Webhook.objects.create(site=hook.site, url=hook.url)
    assert [queries(root, django_assert_max_num_queries(30), name) for name in names] == few


def test_deliveries_are_turned_over_from_the_newest(
    root: Client, hook: Webhook, lead: Lead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(Delivery), "list_per_page", 2)
    Delivery.objects.all().delete()  # the lead's own
    now = timezone.now()
    made = [
        Delivery.objects.create(
            webhook=hook, lead=lead, attempts=1, created=now - timedelta(hours=n), state=state
        )
        for n, state in enumerate(("failed", "waiting", "failed", "delivered", "failed"))
    ]

    def shown(**query: str) -> list[int]:
        text = page(root, "chat_delivery_changelist", **query)
        places = {text.find(f"/{row.pk}/change/"): n for n, row in enumerate(made)}
        return [places[place] for place in sorted(places) if place > 0]

    assert shown() == [0, 1]
    assert shown(p="2") == [2, 3]
    assert shown(p="3") == [4]
    assert shown(state__exact="failed") == [0, 2]
    assert shown(state__exact="failed", p="2") == [4]
