"""The admin through its pages: what staff see, what they may do, and that nothing gets out."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat import conversations
from chat.admin.transcript import NEWEST
from chat.models import Conversation, Lead, Message, Persona, PersonaVersion, Site
from chat.rights import STAFF_GROUP
from knowledge.models import Collection, Entry
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def vera() -> User:
    member = User.objects.create_user("vera", "vera@acme.example", is_staff=True)
    member.groups.add(Group.objects.get(name=STAFF_GROUP))
    return member


@pytest.fixture
def staff(vera: User) -> Client:
    client = Client()
    client.force_login(vera)
    return client


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(client: Client, name: str, *args: Any, **query: Any) -> str:
    response = client.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def talk(site: Site, *lines: str) -> Conversation:
    talker = Talker(site)
    for line in lines:
        talker.says(line)
        talker.gets(f"About that: {line}")
    return talker.row()


def reply(row: Conversation, **fields: Any) -> None:
    answer = row.messages.filter(reply_to__isnull=False).get()
    Message.objects.filter(pk=answer.pk).update(**fields)


def transcript(client: Client, row: Conversation) -> str:
    return page(client, "chat_conversation_change", row.pk)


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


# --- The policy ---------------------------------------------------------------------------------


def policy(response: Any) -> dict[str, list[str]]:
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {part[0]: part[1:] for part in parts}


def test_the_admin_allows_what_unfold_needs_and_no_foreign_host(client: Client) -> None:
    found = policy(client.get(reverse("admin:login")))
    assert found["script-src"] == ["'self'", "'unsafe-eval'"]
    assert found["style-src"] == ["'self'"]
    assert found["style-src-attr"] == ["'unsafe-inline'"]
    sources = {source for values in found.values() for source in values}
    assert sources <= {"'self'", "'none'", "'unsafe-eval'", "'unsafe-inline'", "data:", "blob:"}


def test_other_pages_stay_strict(client: Client) -> None:
    found = policy(client.get("/nowhere"))
    assert found["script-src"] == ["'self'"]
    assert "style-src-attr" not in found


def test_no_inline_style_or_script(staff: Client, site: Site) -> None:
    row = talk(site, "hello")
    for text in (page(staff, "index"), transcript(staff, row)):
        assert not re.search(r"<style|<script(?![^>]*\ssrc=)(?![^>]*application/json)", text)


# --- Conversations: the list --------------------------------------------------------------------


def listed(client: Client, **query: Any) -> int:
    return page(client, "chat_conversation_changelist", **query).count("action-select") - 1


def test_the_list_shows_the_visitors_last_words(staff: Client, site: Site) -> None:
    talk(site, "first", "do you ship to Lyon?")
    text = page(staff, "chat_conversation_changelist")
    assert "do you ship to Lyon?" in text
    assert "About that" not in text


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


def queries(client: Client, counted: Any, name: str, *args: Any) -> int:
    with counted as found:
        page(client, name, *args)
    return len(found)


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
        page_url=HOSTILE, page_title=HOSTILE, referrer=HOSTILE, locale="<b>"
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
    few = queries(staff, django_assert_max_num_queries(15), name, short.pk)
    assert queries(staff, django_assert_max_num_queries(15), name, long.pk) == few


def test_an_unknown_conversation_is_not_found(staff: Client) -> None:
    for pk in ("00000000-0000-0000-0000-000000000000", "nonsense"):
        path = reverse("admin:chat_conversation_change", args=[pk])
        assert staff.get(path).status_code == 404


def test_a_user_without_the_right_reads_nothing(client: Client, site: Site) -> None:
    client.force_login(User.objects.create_user("temp", is_staff=True))
    path = reverse("admin:chat_conversation_change", args=[talk(site, "hello").pk])
    assert client.get(path).status_code == 403


def test_closing_needs_the_right_and_a_post(staff: Client, root: Client, site: Site) -> None:
    row = talk(site, "hello")
    path = reverse("admin:chat_conversation_close", args=[row.pk])
    assert staff.post(path).status_code == 403
    assert root.get(path).status_code == 405
    root.post(path)
    row.refresh_from_db()
    assert row.state == Conversation.State.CLOSED


# --- Leads --------------------------------------------------------------------------------------


@pytest.fixture
def lead(site: Site) -> Lead:
    row = talk(site, "I am Ada")
    return Lead.objects.create(
        conversation=row, site=site, name="Ada", email="ada@visitor.example", words="I am Ada"
    )


def test_a_lead_shows_words_and_conversation(staff: Client, lead: Lead) -> None:
    text = page(staff, "chat_lead_change", lead.pk)
    assert "I am Ada" in text
    assert reverse("admin:chat_conversation_change", args=[lead.conversation_id]) in text


def test_staff_change_a_leads_note_and_nothing_else(staff: Client, lead: Lead) -> None:
    path = reverse("admin:chat_lead_change", args=[lead.pk])
    staff.post(path, {"note": "Called her", "name": "Eve", "email": "eve@x.example"})
    lead.refresh_from_db()
    assert (lead.note, lead.name, lead.email) == ("Called her", "Ada", "ada@visitor.example")


@pytest.mark.parametrize(("words", "found"), [("ada@visitor", 1), ("Ada", 1), ("Eve", 0)])
def test_search_for_a_lead(staff: Client, lead: Lead, words: str, found: int) -> None:
    text = page(staff, "chat_lead_changelist", q=words)
    assert text.count("Read it") == found


# --- Personas -----------------------------------------------------------------------------------


def persona_form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Robin of acme",
        "agent_name": "Robin",
        "avatar": "",
        "instructions": "Sell {company} well.",
        "model": "",
        "temperature": "",
        "reply_tokens": "",
        "note": "",
        **changes,
    }


def save(client: Client, persona: Persona, **changes: Any) -> str:
    path = reverse("admin:chat_persona_change", args=[persona.pk])
    response = client.post(path, persona_form(**changes), follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_saving_a_persona_writes_a_version(staff: Client, site: Site, vera: User) -> None:
    text = save(staff, site.persona, instructions="Listen first.\r\nThen sell.", note="Kinder")
    version = site.persona.versions.get(number=2)
    assert version.instructions == "Listen first.\nThen sell."
    assert (version.author, version.note) == (vera, "Kinder")
    assert "Version 2 is written. It speaks once it is published." in text
    site.persona.refresh_from_db()
    assert site.persona.published.number == 1


def test_saving_the_same_words_writes_none(staff: Client, site: Site) -> None:
    save(staff, site.persona)
    assert site.persona.versions.count() == 1


def test_save_and_publish_is_one_click(staff: Client, site: Site) -> None:
    text = save(staff, site.persona, temperature="0.4", chat_persona_save_and_publish="")
    site.persona.refresh_from_db()
    assert site.persona.published.temperature == 0.4
    assert "Version 2 is published. It speaks from the next turn on." in text


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", "3"), ("temperature", "nan"), ("reply_tokens", "1"), ("instructions", " ")],
)
def test_a_version_that_makes_no_sense_is_refused(
    staff: Client, site: Site, field: str, value: str
) -> None:
    save(staff, site.persona, **{field: value})
    assert site.persona.versions.count() == 1


def test_a_new_persona_gets_its_first_version(staff: Client) -> None:
    form = persona_form(name="Night shift")
    assert "How" in page(staff, "chat_persona_add")  # a prompt to begin with
    staff.post(reverse("admin:chat_persona_add"), form)
    assert Persona.objects.get(name="Night shift").versions.get().number == 1


def test_versions_are_listed_with_author_note_and_what_is_published(
    staff: Client, site: Site
) -> None:
    save(staff, site.persona, instructions="Listen first.", note="Kinder")
    text = page(staff, "chat_persona_change", site.persona.pk)
    rows = re.findall(r"<tr>.*?</tr>", text[text.index('id="versions"') :], re.S)[1:]
    assert [re.search(r">(v\d)<", row)[1] for row in rows] == ["v2", "v1"]
    assert "vera" in rows[0]
    assert "Kinder" in rows[0]
    assert "published" in rows[1]
    assert reverse("admin:chat_persona_publish", args=[site.persona.pk, 2]) in rows[0]


def test_publishing_is_one_post(staff: Client, site: Site) -> None:
    save(staff, site.persona, instructions="Listen first.")
    path = reverse("admin:chat_persona_publish", args=[site.persona.pk, 2])
    text = staff.post(path, follow=True).content.decode()
    site.persona.refresh_from_db()
    assert site.persona.published.number == 2
    assert "It speaks from the next turn on." in text


def test_publishing_needs_the_right_a_post_and_a_token(site: Site, vera: User) -> None:
    path = reverse("admin:chat_persona_publish", args=[site.persona.pk, 1])
    client = Client(enforce_csrf_checks=True)
    client.force_login(vera)
    assert client.get(path).status_code == 405
    assert client.post(path).status_code == 403
    stranger = Client()
    stranger.force_login(User.objects.create_user("temp", is_staff=True))
    assert stranger.post(path).status_code == 403
    assert Client().post(path).status_code == 302


def test_a_version_is_read_and_not_changed(staff: Client, site: Site) -> None:
    version = site.persona.published
    text = page(staff, "chat_personaversion_change", version.pk)
    assert "Sell {company} well." in text
    path = reverse("admin:chat_personaversion_change", args=[version.pk])
    assert staff.post(path, {"instructions": "x"}).status_code == 403


# --- Sites --------------------------------------------------------------------------------------


def site_form(site: Site, **changes: Any) -> dict[str, Any]:
    return {
        "name": site.name,
        "key": site.key,
        "enabled": "on",
        "allowed_origins": "",
        "persona": site.persona_id,
        "collection": site.collection_id,
        "facts": "",
        "greeting": "Hi",
        "suggestions": "",
        "accent": "#0f766e",
        "language": "en",
        "staff_emails": "",
        "idle_days": 30,
        **changes,
    }


def save_site(client: Client, site: Site, **changes: Any) -> int:
    path = reverse("admin:chat_site_change", args=[site.pk])
    status = client.post(path, site_form(site, **changes)).status_code
    site.refresh_from_db()
    return status


def test_a_site_is_edited_in_words(root: Client, site: Site) -> None:
    Site.objects.update(theme={"accent": "#000000", "position": "left"})
    saved = save_site(
        root,
        site,
        allowed_origins="https://Www.Acme.example/shop \n\nhttp://localhost:3000",
        suggestions=" What does it cost?\n\nDo you deliver? ",
        accent="#7c3aed",
        staff_emails="a@acme.example\n b@acme.example",
    )
    assert saved == 302
    assert site.origins() == {"https://www.acme.example", "http://localhost:3000"}
    assert site.suggestions == ["What does it cost?", "Do you deliver?"]
    assert site.theme == {"accent": "#7c3aed", "position": "left"}
    assert site.staff_emails.splitlines() == ["a@acme.example", "b@acme.example"]


def test_a_site_shows_its_lists_one_a_line(root: Client, site: Site) -> None:
    Site.objects.update(suggestions=["What does it cost?", "Do you deliver?"])
    text = page(root, "chat_site_change", site.pk)
    assert "What does it cost?\nDo you deliver?</textarea>" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_origins", "acme.example"),
        ("allowed_origins", "ftp://acme.example"),
        ("allowed_origins", "https://user@acme.example"),
        ("allowed_origins", "https://acme.example:port"),
        ("allowed_origins", "*"),
        ("suggestions", "\n".join("abcdefg")),
        ("suggestions", "x" * 81),
        ("accent", "red; background: url(//evil.example)"),
        ("staff_emails", "nobody"),
        ("key", "Two words"),
    ],
)
def test_a_site_refuses(root: Client, site: Site, field: str, value: str) -> None:
    assert save_site(root, site, **{field: value}) == 200


def test_a_site_shows_its_tag_as_text(root: Client, site: Site, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.acme.example"
    text = page(root, "chat_site_change", site.pk)
    tag = (
        "&lt;script src=&quot;https://chat.acme.example/widget.js&quot;"
        " data-site=&quot;acme&quot; async&gt;&lt;/script&gt;"
    )
    assert tag in text


# --- Knowledge ----------------------------------------------------------------------------------


@pytest.fixture
def entry() -> Entry:
    collection = Collection.objects.create(name="Products")
    return Entry.objects.create(
        collection=collection, title="Delivery", text="Two days.", vector=b"1234", vector_model="m"
    )


def save_entry(client: Client, entry: Entry, **changes: Any) -> None:
    path = reverse("admin:knowledge_entry_change", args=[entry.pk])
    form = {"collection": entry.collection_id, "title": entry.title, "text": entry.text}
    sent = client.post(path, {**form, "language": "en", "enabled": "on", **changes})
    assert sent.status_code == 302
    entry.refresh_from_db()


def test_new_words_of_an_entry_are_embedded_anew(staff: Client, entry: Entry) -> None:
    save_entry(staff, entry, questions="How long?\r\nWhen?")
    assert entry.questions.split() == ["How", "long?", "When?"]
    assert entry.vector is None


def test_old_words_keep_their_vector(staff: Client, entry: Entry) -> None:
    save_entry(staff, entry, language="de")
    assert entry.language == "de"
    assert bytes(entry.vector) == b"1234"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "two days"}, True),
        ({"q": "price"}, False),
        ({"embedded": "yes"}, True),
        ({"embedded": "no"}, False),
        ({"enabled": "no"}, False),
        ({"language": "en"}, True),
        ({"language": "de"}, False),
    ],
)
def test_entries_are_found(staff: Client, entry: Entry, query: dict[str, str], found: bool) -> None:
    path = reverse("admin:knowledge_entry_change", args=[entry.pk])
    assert (path in page(staff, "knowledge_entry_changelist", **query)) is found


def test_entries_are_switched_off_and_on_together(staff: Client, entry: Entry) -> None:
    path = reverse("admin:knowledge_entry_changelist")
    for action, enabled in (("disable", False), ("enable", True)):
        staff.post(path, {"action": action, "_selected_action": [entry.pk]})
        entry.refresh_from_db()
        assert entry.enabled is enabled


def test_the_list_of_entries_asks_as_often_for_many(
    staff: Client, entry: Entry, django_assert_max_num_queries: Any
) -> None:
    name = "knowledge_entry_changelist"
    few = queries(staff, django_assert_max_num_queries(20), name)
    for number in range(5):
        Entry.objects.create(collection=entry.collection, title=f"More {number}", text="x")
    assert queries(staff, django_assert_max_num_queries(20), name) == few
