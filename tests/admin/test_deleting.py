"""Rows that thousands of others go along with: the page that asks first, and what it says."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from chat.models import Conversation, Delivery, Site, Webhook
from tests.admin.desk import page, queries, talk

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.admin.deleting.NAMED", 1)
    monkeypatch.setattr("chat.admin.deleting.MOST", 3)


def delete(client: Client, name: str, pk: Any) -> int:
    return client.post(reverse(f"admin:{name}_delete", args=[pk]), {"post": "yes"}).status_code


def test_a_site_with_one_talk_names_it(root: Client, site: Site) -> None:
    row = talk(site, "hello")
    assert f"/{row.pk}/change/" in page(root, "chat_site_delete", site.pk)


def test_a_site_with_some_talks_says_how_many(
    root: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    rows = [talk(site, "hello"), talk(site, "hello")]
    text = page(root, "chat_site_delete", site.pk)
    assert "Conversations: 2" in text
    assert f"/{rows[0].pk}/change/" not in text

    two = queries(root, django_assert_max_num_queries(20), "chat_site_delete", site.pk)
    talk(site, "hello")
    assert queries(root, django_assert_max_num_queries(20), "chat_site_delete", site.pk) == two
    assert delete(root, "chat_site", site.pk) == 302
    assert not Site.objects.exists()
    assert not Conversation.objects.exists()


def test_a_site_with_many_talks_stays(root: Client, site: Site) -> None:
    for _ in range(4):
        talk(site, "hello")
    text = page(root, "chat_site_delete", site.pk)
    assert "Conversations: &gt; 3" in text
    assert 'name="post"' not in text
    assert delete(root, "chat_site", site.pk) == 200
    chosen = {"action": "delete_selected", "_selected_action": site.pk, "post": "yes"}
    root.post(reverse("admin:chat_site_changelist"), chosen)
    assert Site.objects.exists()
    assert Conversation.objects.count() == 4


def test_who_may_delete_no_talks_deletes_no_site_that_has_some(client: Client, site: Site) -> None:
    user = User.objects.create_user("omar", is_staff=True)
    rights = ("view_site", "delete_site")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    talk(site, "hello")
    talk(site, "hello")
    text = page(client, "chat_site_delete", site.pk)
    assert "have permission to delete" in text
    assert delete(client, "chat_site", site.pk) == 403
    assert Site.objects.exists()


def test_a_webhook_goes_with_however_many_deliveries(root: Client, site: Site) -> None:
    hook = Webhook.objects.create(site=site, url="https://crm.example/hook")
    for _ in range(5):
        Delivery.objects.create(webhook=hook, event="ping", attempts=1)
    assert "Deliveries: 5" in page(root, "chat_webhook_delete", hook.pk)
    assert delete(root, "chat_webhook", hook.pk) == 302
    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()


def test_a_login_goes_with_all_that_the_log_has_of_it(root: Client) -> None:
    user = User.objects.create_user("omar")
    kind = ContentType.objects.get_for_model(User)
    for _ in range(5):
        LogEntry.objects.create(user=user, content_type=kind, object_repr="x", action_flag=2)
    assert "Log entries: 5" in page(root, "auth_user_delete", user.pk)
    assert delete(root, "auth_user", user.pk) == 302
    assert not User.objects.filter(pk=user.pk).exists()
