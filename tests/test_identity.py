"""Who a visitor is on the website: what is taken, on which device it is the same, what moves."""

import textwrap
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from chat import conversations, identity, tokens, visitors
from chat.identity import Broken, Signed
from chat.models import Conversation, Site, Visitor
from tests.base import Talker, check_numbers, make_site
from tests.servers import ROOT

ADA = Signed("42", "ada@visitor.example", "Ada Byron")
EVE = Signed("43", "eve@visitor.example", "Eve")
KEY = "k" * 64


# --- What is taken ------------------------------------------------------------------------------


def test_the_hash_is_what_any_server_can_make() -> None:
    # printf '42\nada@visitor.example\nAda' | openssl dgst -sha256 -hmac secret
    made = "5b3b8b1ea0d0e76bb94b03ff14bb8b0d0375376f751ed39f4e376fc25f59d5e7"
    told = {"id": "42", "email": "ada@visitor.example", "name": "Ada", "hash": made}
    read = identity.read(told)
    assert read is not None
    assert identity.fits(*read, "secret")


def test_what_is_missing_is_empty_in_the_hash() -> None:
    read = identity.read({"id": "42", "email": None, "hash": identity.sign(KEY, "42")})
    assert read is not None
    assert identity.fits(*read, KEY)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "43"},
        {"email": "eve@visitor.example"},
        {"name": "Eve"},
        {"name": None},
        {"hash": None},
        {"hash": ""},
        {"hash": 5},
        {"hash": "0" * 64},
        {"hash": identity.sign(KEY, "42", "ada@visitor.example", "Ada").upper()},
        {"hash": identity.sign("other", "42", "ada@visitor.example", "Ada")},
    ],
)
def test_another_hash_does_not_fit(changed: dict[str, Any]) -> None:
    signed = identity.sign(KEY, "42", "ada@visitor.example", "Ada")
    told = {"id": "42", "email": "ada@visitor.example", "name": "Ada", "hash": signed}
    read = identity.read({**told, **changed})
    assert read is not None
    assert not identity.fits(*read, KEY)


def test_without_a_key_nothing_fits() -> None:
    assert not identity.fits(Signed("42"), identity.sign("", "42"), "")


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("42", "no object"),
        ([], "no object"),
        ({}, "'id' is missing"),
        ({"id": " "}, "'id' is missing"),
        ({"id": 42}, "'id' is no string"),
        ({"id": "x" * 201}, "'id' is longer than 200"),
        ({"id": "a\nb"}, "'id' holds a line break"),
        ({"id": "42", "email": "nobody"}, "no e-mail address"),
        ({"id": "42", "email": f"{'a' * 250}@b.de"}, "'email' is longer than 254"),
        ({"id": "42", "name": "x" * 121}, "'name' is longer than 120"),
        ({"id": "42", "name": "Ada\r"}, "'name' holds a line break"),
        ({"id": "42", "name": "Ada\u2028"}, "'name' holds a line break"),
        ({"id": "42", "name": "Ada\u202e"}, "'name' holds a line break"),
        ({"id": "42", "name": "\ud800"}, "'name' holds a line break"),
        ({"id": "42\x00"}, "'id' holds a line break"),
    ],
)
def test_what_is_no_identity_is_refused_in_words(told: Any, sentence: str) -> None:
    with pytest.raises(Broken, match=sentence):
        identity.read(told)


def test_a_token_carries_the_longest_identity_in_any_script() -> None:
    signed = Signed("𝒳" * 200, f"{'a' * 248}@b.de", "鷺" * 120, identity.mark(KEY))
    mine = replace(tokens.fresh("demo"), signed=signed, locale="zh-Hans-CN")
    token = tokens.issue(mine)
    assert tokens.read(token) == mine
    assert len(token) < 4000  # as long as `connect` takes one


# --- One visitor on all devices -----------------------------------------------------------------


@pytest.fixture
def site(db: None) -> Site:
    return make_site()


def identify(talker: Talker, signed: Signed) -> visitors.Identified:
    """The visitor signs in: init with the token so far and the website's signature."""
    found = visitors.identify(talker.site, token(talker), signed)
    talker.visitor, talker.conversation = found.identity.visitor, found.identity.conversation
    talker.signed = found.identity.signed
    return found


def token(talker: Talker) -> tokens.Identity:
    return tokens.Identity(
        talker.site.key, talker.visitor, talker.conversation, signed=talker.signed
    )


def signed_in(site: Site, signed: Signed = ADA) -> Talker:
    talker = Talker(site)
    identify(talker, signed)
    return talker


def test_two_devices_are_one_visitor_before_anything_is_stored(site: Site) -> None:
    desk, phone = signed_in(site), signed_in(site)
    assert not Visitor.objects.exists()
    assert desk.visitor == phone.visitor
    assert desk.says("From the desk").conversation == phone.says("And the phone").conversation
    visitor = Visitor.objects.get()
    assert (visitor.external_id, visitor.name, visitor.email) == ("42", ADA.name, ADA.email)
    assert visitor.verified
    check_numbers(desk.row())


def test_another_device_opens_the_open_conversation(site: Site) -> None:
    desk = signed_in(site)
    desk.says("Hello")
    phone = signed_in(site)
    assert phone.row() == desk.row()
    assert [m["text"] for m in phone.after().messages][-1] == "Hello"


def test_an_e_mail_address_alone_makes_nobody_the_same(site: Site) -> None:
    signed_in(site).says("Hello")
    other = signed_in(site, replace(ADA, id="43"))
    assert conversations.current(other.visitor, other.conversation).row is None


def test_another_site_has_visitors_of_its_own(site: Site) -> None:
    here, there = signed_in(site), signed_in(make_site("other"))
    here.says("Hello")
    there.says("Hello")
    assert Visitor.objects.filter(external_id="42").count() == 2


def test_name_and_address_follow_the_website(site: Site) -> None:
    signed_in(site).says("Hello")
    signed_in(site, replace(ADA, name="Ada Lovelace", email=""))
    visitor = Visitor.objects.get()
    assert (visitor.name, visitor.email) == ("Ada Lovelace", "")


def test_an_anonymous_conversation_goes_along(site: Site) -> None:
    talker = Talker(site)
    said = talker.says("Hello")
    anonymous = talker.visitor
    found = identify(talker, ADA)
    assert found.moved == said.conversation.id
    row = talker.row()
    assert row.visitor.external_id == "42"
    assert {m.visitor_id for m in talker.messages() if m.visitor_id} == {row.visitor_id}
    assert talker.says("Again", client_id=said.message.client_id).duplicate
    # The old token opens nothing of it any more, and begins a conversation of its own.
    old = conversations.current(anonymous, said.conversation.id)
    assert old.row is None
    assert old.id not in (row.id, conversations.successor(row.id))
    left = Talker(site)
    left.visitor, left.conversation = anonymous, said.conversation.id
    assert left.says("Still here").conversation.id == old.id
    check_numbers(talker.row())


def test_it_stays_behind_where_the_visitor_has_an_open_one(site: Site) -> None:
    desk = signed_in(site)
    desk.says("At the desk")
    phone = Talker(site)
    left = phone.says("Not signed in yet").conversation
    assert identify(phone, ADA).moved is None
    assert phone.row() == desk.row()
    left.refresh_from_db()
    assert (left.state, left.visitor.external_id) == ("open", "")


def test_it_goes_along_where_the_visitors_own_has_ended(site: Site) -> None:
    desk = signed_in(site)
    ended = desk.says("Long ago").conversation
    conversations.close(ended.id)
    phone = Talker(site)
    said = phone.says("And now").conversation
    assert identify(phone, ADA).moved == said.id
    assert signed_in(site).row() == phone.row()
    assert Conversation.objects.filter(visitor_id=phone.visitor).count() == 2


def test_who_signs_in_as_somebody_else_takes_nothing_along(site: Site) -> None:
    shared = signed_in(site)
    adas = shared.says("I am Ada").conversation
    assert identify(shared, EVE).moved is None
    assert conversations.current(shared.visitor, shared.conversation).row is None
    adas.refresh_from_db()
    assert adas.visitor.external_id == "42"


def test_signing_in_again_changes_nothing(site: Site) -> None:
    talker = signed_in(site)
    talker.says("Hello")
    before = list(Visitor.objects.values())
    assert identify(talker, ADA).moved is None
    assert list(Visitor.objects.values()) == before
    assert talker.row().rev == 2


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_sign_in_at_once_take_it_along_once() -> None:
    site = make_site()
    for _ in range(5):
        talker = Talker(site)
        talker.says("Hello")
        ada = replace(ADA, id=uuid.uuid4().hex)

        def sign_in(signed: Signed, mine: tokens.Identity) -> visitors.Identified:
            try:
                return visitors.identify(site, mine, signed)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as tabs:
            both = [tabs.submit(sign_in, ada, token(talker)) for _ in range(2)]
        found = [future.result() for future in both]
        assert sum(each.moved is not None for each in found) == 1
        talks = {
            conversations.current(each.identity.visitor, each.identity.conversation).id
            for each in found
        }
        assert len(talks) == 1


@pytest.mark.django_db(transaction=True)
def test_two_devices_that_sign_in_at_once_bring_one_along() -> None:
    site = make_site()
    talkers = [Talker(site), Talker(site)]
    for talker in talkers:
        talker.says("Hello")

    def sign_in(mine: tokens.Identity) -> visitors.Identified:
        try:
            return visitors.identify(site, mine, ADA)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as devices:
        found = list(devices.map(sign_in, [token(talker) for talker in talkers]))
    assert sum(each.moved is not None for each in found) == 1
    visitor = Visitor.objects.get(external_id="42")
    assert visitor.conversations.filter(state="open").count() == 1


# --- What the docs say --------------------------------------------------------------------------


def test_the_code_in_the_docs_signs_as_the_server_reads() -> None:
    text = (ROOT / "docs" / "identity.md").read_text()
    code = text.split("Python:\n", 1)[1].split("\nNode:", 1)[0]
    names: dict[str, Any] = {}
    exec(textwrap.dedent(code), names)  # noqa: S102
    told = names["identity"]("secret", "42", "ada@example.com", "Ada Byron")
    read = identity.read(told)
    assert read is not None
    assert identity.fits(*read, "secret")
    assert f"`{told['hash'][:8]}...`" in text
