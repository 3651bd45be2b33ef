"""A visitor is erased: no row of theirs is left, nobody else's is touched, nothing comes back."""

import threading
import time
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from chat import budgets, conversations, erasing, exports, leads, tokens
from chat.budgets import Payer
from chat.identity import Signed
from chat.models import Consent, Conversation, Lead, Message, Site, Spend, Visitor, Webhook
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db

WORDS = "my-words-7b21"
NAME = "Ada Canary"
EMAIL = "ada.canary@example.com"


def everything() -> str:
    """All rows of all tables, as text."""
    return "\n".join(
        str(list(model._default_manager.values()))
        for model in apps.get_models(include_auto_created=True)
    )


def ago(seconds: int = 60) -> int:
    """When a token was issued, for a visitor who has had it for a while."""
    return int(time.time()) - seconds


@pytest.fixture
def site(db: Any) -> Site:
    return make_site(consent="notice", consent_text="We keep what you write.")


def full(site: Site) -> Talker:
    """A visitor of whom there is something everywhere."""
    talker = Talker(site)
    talker.signed = Signed("customer-4711", EMAIL, NAME)
    received = conversations.receive(
        site=site,
        visitor=talker.visitor,
        conversation=talker.conversation,
        client_id="00000000-0000-4000-a000-000000000001",
        text=WORDS,
        signed=talker.signed,
        consent=site.consent_version(),
        issued=ago(),
    )
    talker.gets(f"About {WORDS}")
    row = received.conversation
    Webhook.objects.create(site=site, url="https://crm.acme.example/leads")
    leads.save(conversation=row.id, fields={"name": NAME, "need": WORDS}, signed={"name": NAME})
    conversations.summarised(conversation=row.id, summary=WORDS, seq=2)
    conversations.close(row.id)
    talker.says(f"{WORDS} once more")
    talker.claimed()  # a reply is being written
    budgets.reserve(Payer(site.pk, None, talker.visitor, "network"), Decimal("0.01"))
    lead = Lead.objects.get(conversation=row)
    LogEntry.objects.create(
        user=User.objects.create_user("vera"),
        action_flag=CHANGE,
        content_type=ContentType.objects.get_for_model(Lead),
        object_id=str(lead.pk),
        object_repr=str(lead),
    )
    return talker


def test_nothing_of_them_is_left_anywhere(site: Site) -> None:
    talker = full(site)
    ids = [str(row.pk) for row in Conversation.objects.all()]
    canaries = (WORDS, NAME, EMAIL, "customer-4711", str(talker.visitor), talker.visitor.hex, *ids)
    before = everything()
    assert all(word in before for word in (WORDS, NAME, EMAIL, "customer-4711", *ids))
    erased = erasing.erase(talker.visitor)
    assert erased == erasing.Erased(site.key, conversations=2, messages=6, leads=1)
    assert [word for word in canaries if word in everything()] == []
    assert not Spend.objects.filter(scope="visitor").exists()
    assert LogEntry.objects.get().object_repr == "lead"


def test_nobody_else_is_touched(site: Site) -> None:
    other = Talker(site)
    other.says("another's words")
    other.gets("An answer")
    budgets.reserve(Payer(site.pk, None, other.visitor), Decimal("0.01"))
    before = exports.messages(other.visitor, other.row().id, 0)
    erasing.erase(full(site).visitor)
    assert exports.messages(other.visitor, other.row().id, 0) == before
    assert Spend.objects.filter(scope="visitor").count() == 1
    assert Spend.objects.get(scope="site").held > 0  # what they cost the site stays counted
    assert Site.objects.get().consent_texts.count() == 1


def test_a_second_run_changes_nothing(site: Site) -> None:
    talker = full(site)
    assert erasing.erase(talker.visitor) is not None
    before = everything()
    assert erasing.erase(talker.visitor) is None
    assert everything() == before


def test_what_was_issued_before_opens_nothing_and_what_comes_after_does(site: Site) -> None:
    talker = full(site)
    assert not erasing.gone(talker.visitor, ago())
    erasing.erase(talker.visitor)
    assert erasing.gone(talker.visitor, ago())
    assert not erasing.gone(talker.visitor, int(time.time()) + 1)
    assert not erasing.gone(Talker(site).visitor, 0)


def test_it_holds_when_the_key_is_changed(site: Site, settings: Any) -> None:
    talker = full(site)
    erasing.erase(talker.visitor)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-that-is-long-enough-and-has-many-letters-4567"
    assert erasing.gone(talker.visitor, ago())


def test_a_message_that_comes_late_is_not_stored(site: Site) -> None:
    talker = full(site)
    erasing.erase(talker.visitor)
    before = everything()
    with pytest.raises(erasing.Gone):
        talker.says("from a tab that knows nothing of it")
    assert everything() == before


def test_whoever_is_signed_in_begins_anew_with_a_new_token(site: Site) -> None:
    talker = full(site)
    erasing.erase(talker.visitor)
    received = conversations.receive(
        site=site,
        visitor=talker.visitor,
        conversation=talker.conversation,
        client_id="00000000-0000-4000-a000-000000000001",
        text="hello again",
        signed=talker.signed,
        issued=int(time.time()) + 1,
    )
    assert (received.duplicate, received.message.seq) == (False, 2)
    assert WORDS not in everything()


def test_a_call_that_ends_later_brings_no_account_back(site: Site) -> None:
    talker = full(site)
    held = budgets.reserve(Payer(site.pk, None, talker.visitor), Decimal("0.02"))
    erasing.erase(talker.visitor)
    budgets.settle(held, Decimal("0.005"))
    assert not Spend.objects.filter(scope="visitor").exists()
    assert Spend.objects.get(scope="site").spent == 5_000_000


def test_a_token_knows_when_it_was_issued() -> None:
    identity = tokens.read(tokens.issue(tokens.fresh("demo")))
    assert abs(identity.issued - time.time()) < 5


@pytest.mark.django_db(transaction=True)
def test_words_that_come_at_the_same_moment_are_erased_or_refused() -> None:
    site = make_site()
    for _ in range(5):
        talker = Talker(site)
        talker.says("the first")
        odd: list[BaseException] = []

        def talks(talker: Talker = talker, odd: list[BaseException] = odd) -> None:
            try:
                for n in range(20):
                    talker.says(f"and {n}")
            except erasing.Gone:
                pass
            except BaseException as error:
                odd.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=talks) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        assert erasing.erase(talker.visitor) is not None
        for thread in threads:
            thread.join()
        assert odd == []
        assert not Visitor.objects.filter(id=talker.visitor).exists()
        assert not Message.objects.exists()


# --- What they can take along -------------------------------------------------------------------


def test_an_export_holds_all_that_is_kept_of_them_and_nothing_of_staff(site: Site) -> None:
    talker = full(site)
    about = exports.about(talker.visitor)
    assert (about["name"], about["email"], about["id_on_the_website"]) == (
        NAME,
        EMAIL,
        "customer-4711",
    )
    assert about["consents"][0]["text"] == "We keep what you write."
    first, second = exports.conversations(talker.visitor)
    head = exports.conversation(talker.visitor, first)
    assert (head["lead"]["name"], head["lead"]["words"], head["summary"]) == (NAME, WORDS, WORDS)
    told = exports.messages(talker.visitor, first, 0)
    assert [(line["seq"], line["role"]) for line in told] == [
        (1, "agent"),
        (2, "visitor"),
        (3, "agent"),
    ]
    assert told[1]["text"] == WORDS
    assert exports.messages(talker.visitor, second, 1)[0]["text"].startswith(WORDS)
    assert not {"cost", "model", "owner"} & set().union(*told)


def test_nobodys_export_holds_nothing_of_anothers(site: Site) -> None:
    talker, other = full(site), Talker(site)
    (first, _second) = exports.conversations(talker.visitor)
    assert exports.about(other.visitor) == {}
    assert exports.conversation(other.visitor, first) == {}
    assert exports.messages(other.visitor, first, 0) == []


# --- What they agreed to ------------------------------------------------------------------------


def says(talker: Talker, consent: str) -> conversations.Received:
    return conversations.receive(
        site=talker.site,
        visitor=talker.visitor,
        conversation=talker.conversation,
        client_id=str(tokens.fresh("x").visitor),
        text="hello",
        consent=consent,
        issued=ago(),
    )


def test_a_consent_is_kept_with_time_and_version(site: Site) -> None:
    talker = Talker(site)
    says(talker, site.consent_version())
    says(talker, site.consent_version())
    kept = Consent.objects.get(visitor=talker.visitor)
    assert (kept.text.version, kept.text.text) == (site.consent_version(), site.consent_text)
    assert abs(kept.given.timestamp() - time.time()) < 60


def test_a_text_that_changes_is_another_version_and_the_old_one_stays(site: Site) -> None:
    talker, old = Talker(site), site.consent_version()
    says(talker, old)
    site.consent_text = "We keep it for a year."
    site.save()
    assert site.consent_version() != old
    says(talker, site.consent_version())
    kept = Consent.objects.filter(visitor=talker.visitor).order_by("given")
    assert [each.text.text for each in kept] == [
        "We keep what you write.",
        "We keep it for a year.",
    ]


def test_where_the_site_asks_nobody_writes_before_they_agree() -> None:
    site = make_site(consent="ask", consent_text="May we keep it?")
    before, talker = everything(), Talker(site)
    for version in ("", "0" * 12, "nonsense"):
        with pytest.raises(conversations.Refused) as refused:
            says(talker, version)
        assert refused.value.code == "not_allowed"
    assert everything() == before
    says(talker, site.consent_version())
    says(talker, "")  # once is enough
    site.consent_text = "May we keep it for a year?"
    site.save()
    says(talker, "")  # in the middle of a conversation nobody is asked again


def test_to_have_read_a_notice_is_no_agreement() -> None:
    site = make_site(consent="notice", consent_text="We keep it.")
    talker, notice = Talker(site), site.consent_version()
    says(talker, notice)
    site.consent = "ask"
    site.save()
    with pytest.raises(conversations.Refused):
        says(talker, notice)
