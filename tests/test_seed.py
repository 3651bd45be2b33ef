"""The commands that make the demo and a first real site."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import Model

from chat import looks
from chat.admin.site_form import SiteForm
from chat.models import Conversation, Lead, Message, Persona, PersonaVersion, Site, Visitor
from knowledge.models import Collection, Entry

pytestmark = pytest.mark.django_db

KINDS: list[type[Model]] = [
    Collection,
    Conversation,
    Entry,
    Lead,
    Message,
    Persona,
    PersonaVersion,
    Site,
    User,
    Visitor,
]


def seed(*options: str) -> str:
    out = StringIO()
    call_command("seed_demo", *options, stdout=out)
    return out.getvalue()


def setup(**options: Any) -> str:
    out = StringIO()
    call_command("setup_site", no_input=True, stdout=out, **options)
    return out.getvalue()


def everything() -> list[list[dict[str, Any]]]:
    return [list(kind._default_manager.order_by("pk").values()) for kind in KINDS]


# --- The demo -----------------------------------------------------------------------------------


def test_the_demo_has_a_site_that_can_sell() -> None:
    seed()
    site = Site.objects.get(key="demo")
    assert site.persona.published is not None
    assert site.collection is not None
    assert site.collection.entries.enabled().count() >= 44
    assert 3 <= len(site.suggestions) <= 4


def test_suggestions_stand_in_the_knowledge() -> None:
    seed()
    asked = "\n".join(f"{entry.title}\n{entry.questions}" for entry in Entry.objects.all())
    assert all(line in asked for line in Site.objects.get(key="demo").suggestions)


def test_entries_are_whole_and_link_nowhere_real() -> None:
    seed()
    for entry in Entry.objects.all():
        entry.full_clean(exclude=["vector"])
        assert entry.link.startswith("https://www.example.com/")
        assert 2 <= len(entry.questions.splitlines()) <= 7


def test_run_again_it_changes_nothing_and_says_so() -> None:
    seed("--password", "first-word-9")
    before = everything()
    assert "nothing changed" in seed("--password", "other-word-9")
    assert everything() == before


def test_what_staff_changed_and_deleted_stays_so() -> None:
    seed()
    Site.objects.filter(key="demo").update(greeting="Moin!")
    Entry.objects.filter(title="Haulberry Trio").delete()
    User.objects.filter(username="staff").delete()
    before = everything()
    seed()
    assert everything() == before


def test_an_origin_given_later_is_added() -> None:
    seed("--origin", "https://a.example.com")
    seed("--origin", "https://B.example.com/", "--origin", "https://a.example.com")
    origins = Site.objects.get(key="demo").origins()
    assert origins == {"https://a.example.com", "https://b.example.com"}


def test_what_is_no_origin_is_refused() -> None:
    with pytest.raises(CommandError, match="no origin"):
        seed("--origin", "www.example.com/shop")


def test_the_staff_login_works_and_is_in_its_group() -> None:
    seed("--password", "first-word-9")
    user = User.objects.get(username="staff")
    assert user.check_password("first-word-9")
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert user.groups.get().name == "Sales staff"


def test_a_made_up_password_is_printed_once() -> None:
    password = seed().split("password ")[1].split()[0].rstrip(".")
    assert User.objects.get(username="staff").check_password(password)
    assert "password" not in seed()


def test_conversations_follow_the_protocol() -> None:
    seed()
    assert Conversation.objects.count() == 3
    for talk in Conversation.objects.all():
        messages = list(talk.messages.order_by("seq"))
        revs = [message.rev for message in messages]
        assert [message.seq for message in messages] == list(range(1, talk.last_seq + 1))
        assert revs == sorted(set(revs))
        assert talk.rev == revs[-1]
        assert talk.awaiting_since is None


def test_what_is_made_up_is_marked_and_shows_what_staff_will_see() -> None:
    seed()
    talks = Conversation.objects.all()
    assert all(talk.example for talk in talks)
    assert len({talk.created.date() for talk in talks}) == 3
    assert talks.filter(state="human", messages__role="staff").distinct().count() == 1
    assert not talks.exclude(waiting_since=None).exists()
    assert set(Message.objects.values_list("feedback", flat=True)) == {None, 1, -1}
    assert Message.objects.exclude(feedback_comment="").count() == 2
    assert Visitor.objects.exclude(external_id="").count() == 1


def test_the_demos_look_is_what_the_admin_would_take() -> None:
    seed()
    site = Site.objects.get(key="demo")
    form = SiteForm(instance=site)
    data = {name: form[name].value() for name in form.fields}
    lines = {name: "\n".join(v) for name, v in data.items() if isinstance(v, list)}
    again = SiteForm(data={k: v for k, v in {**data, **lines}.items() if v}, instance=site)
    assert again.is_valid(), again.errors
    before = (site.theme, site.texts, site.greets)
    saved = again.save(commit=False)
    assert (saved.theme, saved.texts, saved.greets) == before
    assert looks.greeting(site, None) is None


def test_replies_name_their_version_and_real_sources() -> None:
    seed()
    titles = set(Entry.objects.values_list("title", flat=True))
    replies = Message.objects.filter(role="agent", reply_to__isnull=False)
    assert all(reply.persona_version for reply in replies)
    sources = [source for reply in replies for source in reply.sources]
    assert sources
    assert {source["title"] for source in sources} <= titles


def test_leads_stand_in_the_visitors_words_and_mail_nobody() -> None:
    seed()
    assert Lead.objects.count() == 2
    for lead in Lead.objects.all():
        assert lead.mailed is not None
        assert all(value in lead.words for value in lead.known().values())
        assert set(lead.evidence) == set(lead.known()) - {"note"}


# --- A first real site --------------------------------------------------------------------------


def test_setup_site_makes_all_that_a_site_needs() -> None:
    said = setup(name="Blue Heron", origin=["https://heron.example"], password="wet-feather-9")
    site = Site.objects.get(key="blue-heron")
    assert site.persona.published is not None
    assert site.collection is not None
    assert site.collection.entries.count() == 0
    assert site.origins() == {"https://heron.example"}
    assert User.objects.get(username="staff").check_password("wet-feather-9")
    assert 'data-site="blue-heron"' in said
    assert "wet-feather-9" not in said


def test_on_a_terminal_it_asks_and_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["Blue Heron", "Blue Heron!", "heron", "", "", "de", "Mira", "nobody", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda label: next(answers))
    monkeypatch.setattr("chat.management.commands.setup_site.getpass", lambda label: "")
    out = StringIO()
    call_command("setup_site", stdout=out, stderr=StringIO())
    site = Site.objects.get()
    assert (site.key, site.name, site.language) == ("heron", "Blue Heron", "de")
    password = out.getvalue().split("password ")[1].split()[0].rstrip(".")
    assert User.objects.get(username="staff").check_password(password)


def test_a_second_site_begins_with_its_own_persona_and_knowledge() -> None:
    setup(name="Blue Heron", password="wet-feather-9")
    setup(name="Blue Heron", key="heron-two")
    first, second = Site.objects.order_by("key")
    assert first.persona != second.persona
    assert first.collection != second.collection


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "--name"),
        ({"name": "Blue Heron", "key": "Blue Heron"}, "--key"),
        ({"name": "鷺"}, "--key"),
        ({"name": "Blue Heron", "email": "nobody"}, "--email"),
        ({"name": "Blue Heron", "language": "German!"}, "--language"),
        ({"name": "Blue Heron", "password": "123"}, "--password"),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_made(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        setup(**options)
    assert not Site.objects.exists()
    assert not User.objects.exists()


def test_a_key_that_is_taken_is_refused() -> None:
    setup(name="Blue Heron", password="wet-feather-9")
    with pytest.raises(CommandError, match="already"):
        setup(name="Blue Heron")
