"""What staff change: leads, personas, sites, knowledge."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat import looks, personas
from chat.models import Lead, Persona, Site, Visitor
from knowledge.models import Collection, Entry
from tests.admin.desk import page, queries, talk
from tests.base import make_site

pytestmark = pytest.mark.django_db


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


def test_a_lead_is_one_click_from_a_mail_and_a_call(staff: Client, lead: Lead) -> None:
    Lead.objects.filter(pk=lead.pk).update(email="ada+x@visitor.example", phone="+49 (170) 55 50")
    for text in (
        page(staff, "chat_lead_change", lead.pk),
        page(staff, "chat_lead_changelist"),
    ):
        assert 'href="mailto:ada+x@visitor.example"' in text
        assert 'href="tel:+491705550"' in text


@pytest.mark.parametrize(("words", "found"), [("ada@visitor", 1), ("Ada", 1), ("Eve", 0)])
def test_search_for_a_lead(staff: Client, lead: Lead, words: str, found: int) -> None:
    text = page(staff, "chat_lead_changelist", q=words)
    assert text.count("Read it") == found


def test_a_lead_says_what_the_website_signed(staff: Client, lead: Lead) -> None:
    Visitor.objects.filter(pk=lead.conversation.visitor_id).update(
        external_id="<b>7", name="Ada & Co", email=lead.email, verified=timezone.now()
    )
    for text in (page(staff, "chat_lead_change", lead.pk), page(staff, "chat_lead_changelist")):
        assert "signed by the website" in text
    shown = page(staff, "chat_lead_change", lead.pk)
    assert "Ada &amp; Co" in shown
    assert "&lt;b&gt;7" in shown
    # Another address than the signed one stands there without the mark.
    Lead.objects.filter(pk=lead.pk).update(email="eve@visitor.example")
    assert "signed by the website" not in page(staff, "chat_lead_changelist")


# --- Personas -----------------------------------------------------------------------------------


def persona_form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Robin of acme",
        "agent_name": "Robin",
        "avatar": "",
        "instructions": "Sell {company} well.",
        "tools": ["save_lead", "hand_over", "offer_replies"],
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
        "side": "",
        "scheme": "",
        "language": "en",
        "staff_emails": "",
        "idle_days": 30,
        "office_zone": "UTC",
        "answer_within": 5,
        **changes,
    }


def save_site(client: Client, site: Site, **changes: Any) -> int:
    path = reverse("admin:chat_site_change", args=[site.pk])
    status = client.post(path, site_form(site, **changes)).status_code
    site.refresh_from_db()
    return status


def test_office_hours_are_written_as_one_says_them(root: Client, site: Site) -> None:
    said = {"office_hours": "Mon-Fri 9:00-17:30\nSat 10-14", "office_zone": "Europe/Berlin"}
    assert save_site(root, site, **said) == 302
    assert site.office_zone == "Europe/Berlin"
    for wrong in ({"office_hours": "always"}, {"office_zone": "Berlin"}, {"answer_within": "-1"}):
        assert save_site(root, site, **wrong) == 200
    assert site.office_hours.splitlines()[1] == "Sat 10-14"


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


def test_how_a_site_looks_is_edited_in_words(root: Client, site: Site) -> None:
    look = {"accent": "#7C3AED", "side": "left", "radius": "0", "scheme": "dark"}
    words = {"text_title": "Ask Acme", "text_hint": "  "}
    assert save_site(root, site, **look, **words, avatar="www.acme.example/a.png") == 302
    assert looks.theme(site) == {"accent": "#7c3aed", "side": "left", "radius": 0, "scheme": "dark"}
    assert site.texts == {"title": "Ask Acme"}
    assert looks.agent(site, site.persona.published)["avatar"] == "https://www.acme.example/a.png"
    shown = page(root, "chat_site_change", site.pk)
    assert 'value="Ask Acme"' in shown
    assert '<option value="left" selected>' in shown
    # Emptied again, and in the widget's own colour, nothing of it is kept.
    assert save_site(root, site, accent=looks.ACCENT.upper()) == 302
    assert (site.theme, site.texts, site.avatar) == ({}, {}, "")


def test_a_site_greets_by_itself_by_rules(root: Client, site: Site) -> None:
    rules = {
        "greets_on": "on",
        "greets_after": "0",
        "greets_scroll": "40",
        "greets_exit": "on",
        "greets_pages": "/pricing\r\n\r\n /products/* ",
        "greets_daily": "on",
    }
    assert save_site(root, site, **rules) == 302
    assert looks.greeting(site, site.persona.published) == {
        "text": "Hi",
        "agent": {"name": "Robin", "avatar": ""},
        "after": 0,
        "scroll": 40,
        "pages": ["/pricing", "/products/*"],
        "exit": True,
        "daily": True,
    }
    assert save_site(root, site, **{**rules, "greets_on": ""}) == 302
    assert looks.greeting(site, site.persona.published) is None
    assert site.greets["scroll"] == 40  # so that it can be switched on again


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"greets_text": "Hello"}, "Say when"),
        ({"greets_after": "5", "greeting": ""}, "Write what it says"),
    ],
)
def test_a_greeting_without_time_or_words_is_refused_in_words(
    root: Client, site: Site, rules: dict[str, str], sentence: str
) -> None:
    path = reverse("admin:chat_site_change", args=[site.pk])
    answer = root.post(path, site_form(site, greets_on="on", **rules))
    assert sentence in answer.content.decode()


def test_a_site_may_greet_in_its_personas_words(root: Client, site: Site) -> None:
    personas.publish(personas.save_version(site.persona, greeting="{agent} says hi."))
    rules = {"greets_on": "on", "greets_after": "5", "greeting": ""}
    assert save_site(root, site, **rules) == 302
    site = Site.objects.select_related("persona__published").get()
    told = looks.greeting(site, site.persona.published)
    assert told is not None
    assert told["text"] == "Robin says hi."
    assert "Robin says hi." in root.get(f"/chat/{site.key}").content.decode()


def test_the_identity_key_is_for_those_who_may_change_a_site(
    root: Client, staff: Client, site: Site
) -> None:
    assert site.identity_key in page(root, "chat_site_change", site.pk)
    assert site.identity_key not in page(staff, "chat_site_change", site.pk)
    path = reverse("admin:chat_site_identity_key", args=[site.pk])
    assert staff.post(path).status_code == 403
    assert root.get(path).status_code == 405
    old = site.identity_key
    answer = root.post(path, follow=True).content.decode()
    site.refresh_from_db()
    assert site.identity_key != old
    assert len(site.identity_key) == 64
    assert site.identity_key in answer
    assert "a new identity key" in answer
    assert not LogEntry.objects.filter(change_message__contains=site.identity_key[:8]).exists()


def test_two_sites_have_keys_of_their_own(site: Site) -> None:
    assert make_site("other").identity_key != site.identity_key


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
        ("side", "top"),
        ("radius", "29"),
        ("radius", "-1"),
        ("scheme", "sepia"),
        ("avatar", "javascript:alert(1)"),
        ("avatar", "ftp://acme.example/a.png"),
        ("text_title", "x" * 61),
        ("greets_text", "x" * 301),
        ("greets_after", "soon"),
        ("greets_after", "3601"),
        ("greets_scroll", "0"),
        ("greets_scroll", "101"),
        ("greets_pages", "pricing"),
        ("greets_pages", "https://acme.example/pricing"),
        ("greets_pages", "/a b"),
        ("greets_pages", "/" + "x" * 200),
        ("greets_pages", "\n".join(["/a"] * 21)),
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
