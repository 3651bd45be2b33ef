"""The admin through its pages: who gets in, and what they let out."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from chat import conversations
from chat.models import Site
from tests.admin.desk import page, talk, transcript

pytestmark = pytest.mark.django_db


# --- Every page ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "index",
        "chat_conversation_changelist",
        "chat_lead_changelist",
        "chat_persona_changelist",
        "chat_persona_add",
        "chat_site_changelist",
        "knowledge_entry_changelist",
        "knowledge_entry_add",
        "knowledge_collection_changelist",
        "knowledge_collection_add",
    ],
)
def test_staff_open(staff: Client, site: Site, name: str) -> None:
    page(staff, name)


@pytest.mark.parametrize(
    "name",
    ["auth_user_changelist", "auth_group_changelist", "chat_site_add", "chat_conversation_add"],
)
def test_staff_are_kept_out_of(staff: Client, name: str) -> None:
    assert staff.get(reverse(f"admin:{name}")).status_code == 403


@pytest.mark.parametrize("name", ["auth_user_changelist", "auth_group_changelist", "chat_site_add"])
def test_a_superuser_opens(root: Client, name: str) -> None:
    page(root, name)


def test_staff_may_look_at_a_site_and_not_change_it(staff: Client, site: Site) -> None:
    path = reverse("admin:chat_site_change", args=[site.pk])
    assert site.greeting in staff.get(path).content.decode()
    assert staff.post(path, {"name": "Mine"}).status_code == 403


def test_who_may_only_look_at_a_site_reads_it_in_words(staff: Client, site: Site) -> None:
    Site.objects.filter(pk=site.pk).update(suggestions=["Prices?", "<b>?"], language="de")
    text = page(staff, "chat_site_change", site.pk)
    assert "Prices?\n&lt;b&gt;?" in text
    assert "Deutsch" in text


def test_login_leads_to_the_admin(client: Client) -> None:
    User.objects.create_superuser("root", password="secret")
    page(client, "login")
    path = reverse("admin:login")
    response = client.post(path, {"username": "root", "password": "secret"})
    assert response["Location"] == reverse("admin:index")


def test_the_navigation_shows_what_a_user_may_open(staff: Client, root: Client) -> None:
    users = reverse("admin:auth_user_changelist")
    assert users in page(root, "index")
    assert users not in page(staff, "index")


def test_the_navigation_counts_who_waits(staff: Client, site: Site) -> None:
    row = talk(site, "a person, please")
    conversations.hand_over(conversation=row.pk, language="en")
    links = re.findall(
        r"<li>\s*<a href=\"/admin/chat/conversation/\".*?</li>", page(staff, "index"), re.S
    )
    assert re.search(r">\s*1\s*</span>", links[0])


# --- The policy, which tests/test_policy.py states ------------------------------------------------


def test_no_inline_style_or_script(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    for text in (page(staff, "index"), transcript(staff, row)):
        assert not re.search(r"<style|<script(?![^>]*\ssrc=)(?![^>]*application/json)", text)
