"""Leads: one for each conversation, each value with the visitor's words it came from."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from chat import evidence, leads
from chat.campaigns import parameters
from chat.evidence import Said
from chat.models import Conversation, Lead, Message, Site
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db

LINES = (
    "Hi! We need 25 oak desks. They are for our new office in Lyon.",
    "I'm Ada Okafor of Okafor & Sons, ada@visitor.example, but my partner Bo decides.",
    "Our budget is about 20,000 euros, and it has to be by the end of May.",
)
TOLD = {
    "name": "Ada Okafor",
    "email": "ada@visitor.example",
    "company": "Okafor & Sons",
    "need": "25 oak desks",
    "budget": "20,000 euros",
    "authority": "my partner Bo decides",
    "timing": "by the end of May",
}


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def row(site: Site) -> Conversation:
    talker = Talker(site)
    for line in LINES:
        talker.says(line)
    return talker.row()


@pytest.fixture
def vera() -> User:
    return User.objects.create_user("vera", "vera@acme.example", is_staff=True)


def saved(row: Conversation, **fields: str) -> Lead:
    lead = leads.save(conversation=row.id, fields=fields).lead
    assert lead is not None
    return lead


def test_each_value_has_the_sentence_it_came_from(row: Conversation) -> None:
    lead = saved(row, **TOLD)
    assert lead.known() == TOLD
    assert set(lead.evidence) == set(TOLD)
    for name, found in lead.evidence.items():
        message = Message.objects.get(id=found["message"])
        assert (message.role, message.seq) == ("visitor", found["seq"])
        assert found["words"] in message.text
        assert evidence.told(name, TOLD[name], found["words"])
    assert lead.evidence["need"]["words"] == "We need 25 oak desks."
    assert lead.words == "\n".join(LINES[n] for n in (1, 0, 2))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("need", "26 oak desks"),
        ("need", "oak desks for Lyon"),
        ("budget", "30,000 euros"),
        ("authority", "Ada decides"),
        ("timing", "end of June"),
        ("timing", "of Ma"),
        ("name", "Bo Okafor Smith"),
    ],
)
def test_nothing_is_taken_that_the_visitor_did_not_say(
    row: Conversation, field: str, value: str
) -> None:
    done = leads.save(conversation=row.id, fields={field: value})
    assert (done.lead, list(done.fields), list(done.refused)) == (None, [], [field])
    assert not Lead.objects.exists()


def test_what_the_agent_or_staff_said_is_no_evidence(site: Site) -> None:
    talker = Talker(site)
    talker.says("What does it cost?")
    talker.gets("Your budget of 500 euros will do.")
    assert leads.save(conversation=talker.row().id, fields={"budget": "500 euros"}).lead is None


def test_words_of_another_conversation_are_no_evidence(site: Site, row: Conversation) -> None:
    other = Talker(site)
    other.says("hello")
    assert leads.save(conversation=other.row().id, fields={"email": TOLD["email"]}).lead is None


def test_what_the_website_signed_needs_no_words(row: Conversation) -> None:
    fields = {"name": "Ada Signed"}
    lead = leads.save(conversation=row.id, fields=fields, signed=fields).lead
    assert lead is not None
    assert lead.evidence == {"name": {"signed": True}}
    assert leads.save(conversation=row.id, fields={"name": "Eve"}, signed=fields).refused == [
        "name"
    ]


def test_a_name_in_two_messages_shows_one_of_them(site: Site) -> None:
    talker = Talker(site)
    talker.says("I'm Anna")
    talker.says("Berg is my family name")
    lead = saved(talker.row(), name="Anna Berg")
    assert lead.evidence["name"]["words"] in ("I'm Anna", "Berg is my family name")


def test_the_score_says_how_much_is_known(row: Conversation) -> None:
    assert saved(row, name="Ada").score == 5
    assert saved(row, **TOLD).score == 85  # all but a telephone number
    lead = Lead.objects.get()
    lead.phone = "030 1234567"
    lead.save(update_fields=["phone"])
    lead.refresh_from_db()
    assert lead.score == 100


def test_a_conversation_has_one_lead_whatever_is_said(row: Conversation, vera: User) -> None:
    saved(row, name="Ada Okafor")
    saved(row, email=TOLD["email"])
    leads.write(row.id, {"phone": "030 1234567"}, by=vera)
    lead = Lead.objects.get()
    assert set(lead.known()) == {"name", "email", "phone"}


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_lead(site: Site) -> None:
    talker = Talker(site)
    talker.says(LINES[1])
    id = talker.row().id
    broken: list[Exception] = []

    def work(**fields: str) -> None:
        try:
            leads.save(conversation=id, fields=fields)
        except Exception as error:
            broken.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, kwargs={name: TOLD[name]}) for name in ("name", "email")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert set(Lead.objects.get().known()) == {"name", "email"}


# --- By hand --------------------------------------------------------------------------------------


def test_by_hand_the_visitors_words_are_found_and_staffs_are_named(
    row: Conversation, vera: User
) -> None:
    lead = leads.write(row.id, {"need": "25 oak desks", "budget": "40,000 euros"}, by=vera)
    assert lead.evidence["need"]["seq"] == 2
    assert lead.evidence["budget"]["by"] == "vera"
    assert lead.mailed is not None  # who wrote it knows of it


def test_the_agent_never_writes_over_what_staff_wrote(row: Conversation, vera: User) -> None:
    leads.write(row.id, {"budget": "40,000 euros"}, by=vera)
    done = leads.save(conversation=row.id, fields={"budget": "20,000 euros", "name": "Ada"})
    assert (list(done.fields), list(done.refused)) == (["name"], ["budget"])
    assert Lead.objects.get().budget == "40,000 euros"


def test_a_value_that_is_taken_away_takes_its_evidence_along(row: Conversation, vera: User) -> None:
    saved(row, **TOLD)
    lead = leads.write(row.id, {"timing": ""}, by=vera)
    assert "timing" not in lead.evidence
    assert lead.score == 75


def test_a_new_owner_hears_of_it_and_who_takes_it_does_not(row: Conversation, vera: User) -> None:
    saved(row, **TOLD)
    Lead.objects.update(mailed="2026-01-01T00:00Z")
    assert leads.write(row.id, {"owner": vera}, by=vera).mailed is not None
    boss = User.objects.create_user("boss", is_staff=True)
    leads.write(row.id, {"owner": boss}, by=vera)
    assert Lead.objects.get().mailed is None


# --- Pure -----------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(TOLD)), st.text(max_size=40), st.lists(st.text(max_size=400)))
def test_evidence_is_always_a_piece_of_a_message(field: str, value: str, texts: list[str]) -> None:
    said = [Said(str(n), n, text) for n, text in enumerate(texts)]
    found = evidence.find(field, value, said)
    if found is not None:
        text = next(each.text for each in said if each.message == found["message"])
        assert found["words"] in text
        assert len(str(found["words"])) <= evidence.LONGEST


def test_a_value_deep_in_a_long_message_is_in_the_piece_of_it() -> None:
    text = f"{'and so on ' * 60}we need 25 desks {'and so forth ' * 60}"
    found = evidence.find("need", "25 desks", [Said("m", 1, text)])
    assert found
    assert "25 desks" in str(found["words"])


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://acme.example/?utm_source=mail&utm_campaign=spring&x=1", ("mail", "spring")),
        ("https://acme.example/", (None, None)),
        ("http://[broken", (None, None)),
        ("x?" + "&".join(["utm_source=x"] * 500), (None, None)),
        ("", (None, None)),
        ("x?utm_source=a&utm_source=b&utm_campaign=", ("a", None)),
        ("x?utm_source=%00%E2%80%AEa%0a%FF+b", ("a \ufffd b", None)),
    ],
)
def test_the_campaign_stands_in_the_address(url: str, found: Any) -> None:
    told = parameters(url)
    assert (told.get("source"), told.get("campaign")) == found
