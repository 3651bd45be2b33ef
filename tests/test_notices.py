"""Mails to staff: which are due, what stands in them, and that nobody gets one twice."""

import logging
import smtplib
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from chat import budgets, conversations, leads, notices
from chat.models import Conversation, Lead, Site, Spend
from chat.rights import STAFF_GROUP
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db
BUDGETS = (notices.HalfSpent, notices.NearlySpent, notices.AllSpent)
WORDS = "I am Ada Okafor, ada@visitor.example"


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    yield
    for kind in (notices.NewLead, notices.Waiting, *BUDGETS):
        kind.paused = {}


@pytest.fixture
def site() -> Site:
    return make_site(staff_emails="sales@acme.example\nboss@acme.example")


def lead(site: Site, rested: bool = True, **fields: Any) -> Lead:
    talker = Talker(site)
    talker.says(WORDS)
    saved = leads.save(
        conversation=talker.conversation,
        fields={"name": "Ada Okafor", "email": "ada@visitor.example"},
    ).lead
    assert saved
    if fields:
        Lead.objects.filter(pk=saved.pk).update(**fields)
        saved.refresh_from_db()
    if rested:
        Lead.objects.filter(pk=saved.pk).update(updated=timezone.now() - notices.LEAD_REST)
    return saved


def waiting(site: Site) -> Conversation:
    talker = Talker(site)
    talker.says("I want a person, please")
    conversations.hand_over(conversation=talker.conversation, language="en")
    return talker.row()


class Broken(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise smtplib.SMTPServerDisconnected(f"to {messages[0].to}: {messages[0].body}")


def mail_server_down() -> Any:
    return patch("django.core.mail.backends.locmem.EmailBackend", Broken)


def test_a_lead_is_mailed_with_its_values_words_and_link(site: Site, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.acme.example"
    row = lead(site, company="Okafor & Sons")
    assert notices.send_due() == 1
    [sent] = mail.outbox
    assert sent.to == ["sales@acme.example", "boss@acme.example"]
    assert sent.reply_to == ["ada@visitor.example"]
    assert sent.subject == "Lead: Ada Okafor (Acme Desks)"
    assert "company: Okafor & Sons" in sent.body
    assert f"> {WORDS}" in sent.body
    link = f"https://chat.acme.example/admin/chat/lead/{row.pk}/change/"
    assert link in sent.body


def test_a_lead_is_mailed_once(site: Site) -> None:
    lead(site)
    assert notices.send_due() == 1
    assert notices.send_due() == 0


def test_a_lead_that_still_changes_waits(site: Site) -> None:
    lead(site, rested=False)
    assert notices.send_due() == 0


def test_a_lead_nobody_can_call_is_not_mailed(site: Site) -> None:
    lead(site, email="")
    assert notices.send_due() == 0


def test_a_person_waited_for_is_mailed_at_once(site: Site) -> None:
    row = waiting(site)
    assert notices.send_due() == 1
    [sent] = mail.outbox
    assert sent.subject == "Somebody waits for a person (Acme Desks)"
    assert "> I want a person, please" in sent.body
    assert f"/admin/chat/conversation/{row.pk}/change/" in sent.body


def test_who_asks_for_a_person_again_is_mailed_again(site: Site) -> None:
    row = waiting(site)
    notices.send_due()
    Conversation.objects.filter(pk=row.pk).update(waiting_since=None)
    conversations.hand_over(conversation=row.pk, language="en")
    assert notices.send_due() == 1


def test_no_more_than_the_limit(site: Site) -> None:
    for _ in range(3):
        lead(site)
    waiting(site)
    assert notices.send_due(limit=2) == 2
    assert notices.send_due(limit=5) == 2


def test_a_row_another_process_took_is_left_to_it(site: Site) -> None:
    mine, theirs = (notices.NewLead(Lead.objects.get(pk=lead(site).pk)) for _ in range(2))
    theirs.row = mine.row
    assert [mine.claim(), theirs.claim()] == [True, False]


def test_a_failed_mail_is_due_again_after_a_pause(site: Site) -> None:
    row = lead(site)
    with mail_server_down():
        assert notices.send_due() == 0
    row.refresh_from_db()
    assert row.mailed is None
    assert notices.send_due() == 0  # not at once
    rested = notices.NewLead.paused[row.pk] + 1
    with patch("chat.notices.time.monotonic", lambda: rested):
        assert notices.send_due() == 1


def test_one_failure_ends_the_round(site: Site) -> None:
    rows = [lead(site), lead(site)]
    with mail_server_down():
        notices.send_due()
    assert len(notices.NewLead.paused) == 1
    assert notices.send_due() == 1
    assert Lead.objects.filter(mailed=None, pk__in=[row.pk for row in rows]).count() == 1


def test_a_failure_gives_back_no_newer_mark(site: Site) -> None:
    notice = notices.NewLead(lead(site))
    notice.claim()
    newer = timezone.now() + timedelta(seconds=1)
    Lead.objects.update(mailed=newer)
    notice.give_back()
    assert Lead.objects.get().mailed == newer


def test_logs_hold_no_words_and_no_addresses(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    lead(site)
    with mail_server_down(), caplog.at_level(logging.DEBUG):
        notices.send_due()
    assert "SMTPServerDisconnected" in caplog.text
    assert "@" not in caplog.text
    assert "Ada" not in caplog.text


def test_without_a_list_the_group_is_mailed() -> None:
    group = Group.objects.get(name=STAFF_GROUP)
    for name, active, address in (
        ("vera", True, "vera@acme.example"),
        ("left", False, "left@acme.example"),
        ("mute", True, ""),
    ):
        User.objects.create_user(name, address, is_active=active).groups.add(group)
    lead(make_site())
    notices.send_due()
    assert mail.outbox[0].to == ["vera@acme.example"]


def test_with_nobody_to_mail_it_is_done_with() -> None:
    row = lead(make_site())
    assert notices.send_due() == 0
    row.refresh_from_db()
    assert row.mailed is not None


def test_a_name_cannot_add_headers(site: Site) -> None:
    lead(site, name="Ada\r\nBcc: all@evil.example\u2028x\u202e")
    notices.send_due()
    [sent] = mail.outbox
    assert sent.subject == "Lead: Ada Bcc: all@evil.example x (Acme Desks)"
    assert "Bcc" not in sent.message()


def test_an_address_cannot_add_headers(site: Site) -> None:
    lead(site, email="ada@visitor.example\nBcc: all@evil.example")
    notices.send_due()
    assert mail.outbox[0].reply_to == []


def test_the_mail_speaks_the_sites_language(site: Site) -> None:
    Site.objects.update(language="de")
    with patch("chat.notices.override", wraps=notices.override) as spoken:
        lead(site)
        notices.send_due()
    spoken.assert_called_once_with("de")


# --- Budgets ------------------------------------------------------------------------------------


def spend(site: Site, cents: int) -> bool:
    """Whether so much could still be paid for."""
    amount = Decimal(cents) / 100
    try:
        budgets.settle(budgets.reserve(budgets.Payer(site.pk, Decimal(1)), amount), amount)
    except budgets.Refused:
        return False
    return True


def subjects() -> list[str]:
    while notices.send_due():
        continue
    found = [str(sent.subject) for sent in mail.outbox]
    mail.outbox.clear()
    return found


def test_staff_hear_of_a_budget_at_50_and_80_percent_and_when_it_is_spent(site: Site) -> None:
    budgets._noted.clear()
    assert spend(site, 49)
    assert subjects() == []
    assert spend(site, 1)
    notices.send_due()
    [sent] = mail.outbox
    assert sent.to == ["sales@acme.example", "boss@acme.example"]
    assert "$0.50 of $1.00" in sent.body
    assert "/admin/chat/spend/" in sent.body
    assert subjects() == ["50 % of today's budget is spent (Acme Desks)"]
    assert spend(site, 29)
    assert subjects() == []
    assert spend(site, 1)
    assert subjects() == ["80 % of today's budget is spent (Acme Desks)"]
    assert not spend(site, 30)
    assert not spend(site, 30)
    assert subjects() == ["Today's budget is spent (Acme Desks)"]


def test_what_is_held_for_calls_under_way_worries_nobody(site: Site) -> None:
    budgets.reserve(budgets.Payer(site.pk, Decimal(1)), Decimal("0.9"))
    assert subjects() == []


@pytest.mark.parametrize("named", [["owner@acme.example"], []])
def test_owners_hear_of_all_sites_together(site: Site, settings: Any, named: list[str]) -> None:
    settings.CHAT_BUDGET_EMAILS = named
    settings.CHAT_BUDGET_WHOLE = 0.5
    User.objects.create_superuser("root", "root@acme.example")
    assert spend(site, 26)
    notices.send_due()
    [sent] = mail.outbox
    assert sent.to == (named or ["root@acme.example"])
    assert sent.subject == "50 % of today's budget is spent (all sites together)"


def test_visitors_and_addresses_are_mailed_to_nobody(site: Site, settings: Any) -> None:
    settings.CHAT_BUDGET_VISITOR = settings.CHAT_BUDGET_ADDRESS = 0.01
    payer = budgets.Payer(site.pk, Decimal(1), Talker(site).visitor, "net")
    budgets.settle(budgets.reserve(payer, Decimal("0.01")), Decimal("0.01"))
    with pytest.raises(budgets.Refused):
        budgets.reserve(payer, Decimal("0.01"))
    assert subjects() == []


def test_yesterdays_budget_is_nobodys_news(site: Site) -> None:
    assert spend(site, 60)
    Spend.objects.update(day=timezone.now().date() - timedelta(days=1))
    assert subjects() == []
