"""What is kept long enough goes, and nothing else: with a clock that is moved."""

import io
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from chat import conversations, erasing, leads
from chat.models import Conversation, Erasure, Lead, Message, Site, Spend, Visitor
from chat.pruning import prune
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the clock so many days on, from when the test began."""
    began = timezone.now()

    def move(days: float) -> None:
        moved: datetime = began + timedelta(days=days)
        monkeypatch.setattr(timezone, "now", lambda: moved)

    return move


def talker(site: Site, *lines: str) -> Talker:
    found = Talker(site)
    for line in lines or ("hello",):
        found.says(line)
        found.gets("An answer")
    return found


def left() -> tuple[int, int, int]:
    return Visitor.objects.count(), Conversation.objects.count(), Message.objects.count()


def test_a_conversation_goes_after_the_sites_days_and_not_a_day_before(later: Later) -> None:
    site = make_site(keep_days=90)
    talker(site)
    for days in (0, 30, 89.9):
        later(days)
        assert prune()["conversations"] == 0
    later(90.1)
    assert prune() == {"conversations": 1, "visitors": 1}
    assert left() == (0, 0, 0)


def test_it_counts_from_the_last_word(later: Later) -> None:
    site = make_site(keep_days=90)
    visitor = talker(site)
    later(29)
    visitor.says("still here")
    later(118)
    assert prune().total() == 0
    later(119.1)
    assert prune()["conversations"] == 1


def test_each_site_has_its_own_days_and_0_keeps_all(later: Later) -> None:
    for key, days in (("short", 31), ("long", 400), ("ever", 0)):
        talker(make_site(key, keep_days=days))
    later(32)
    prune()
    assert set(Visitor.objects.values_list("site__key", flat=True)) == {"long", "ever"}
    later(100_000)
    prune()
    assert set(Visitor.objects.values_list("site__key", flat=True)) == {"ever"}


def test_an_open_conversation_is_never_cut_off(later: Later) -> None:
    """Not even where the days kept were made shorter than the idle ones past the form."""
    site = make_site(keep_days=1, idle_days=30)
    visitor = talker(site)
    later(29)
    assert prune()["conversations"] == 0
    assert visitor.says("still here").conversation.last_seq == 4


def test_a_visitor_stays_for_as_long_as_one_conversation_does(later: Later) -> None:
    site = make_site(keep_days=60, idle_days=30)
    visitor = talker(site)
    later(40)
    visitor.says("a new one begins")
    later(61)
    assert prune() == {"conversations": 1}
    assert left()[:2] == (1, 1)
    later(101)
    assert prune() == {"conversations": 1, "visitors": 1}


def test_leads_go_too_and_so_does_their_name_in_the_admins_log(later: Later) -> None:
    site = make_site(keep_days=60)
    row = talker(site, "I am Ada").row()
    lead = leads.save(conversation=row.id, fields={"name": "Ada"}).lead
    assert lead
    LogEntry.objects.create(
        user=User.objects.create_user("vera"),
        action_flag=CHANGE,
        content_type=ContentType.objects.get_for_model(Lead),
        object_id=str(lead.pk),
        object_repr="Ada",
    )
    later(61)
    prune()
    assert not Lead.objects.exists()
    assert LogEntry.objects.get().object_repr == "lead"


def test_summaries_go_when_their_conversation_has_ended(later: Later) -> None:
    site = make_site()
    rows = [talker(site).row() for _ in range(3)]
    for row in rows[:2]:
        conversations.summarised(conversation=row.id, summary="They spoke.", seq=2)
    conversations.close(rows[0].id)
    assert prune() == {"summaries": 1}
    assert not Conversation.objects.get(id=rows[0].id).summary
    assert Conversation.objects.get(id=rows[1].id).summary_seq == 2
    later(31)
    assert prune() == {"summaries": 1}
    assert (left()[1], Conversation.objects.filter(summary_seq=0).count()) == (3, 3)


def test_spending_of_single_visitors_goes_soon_and_of_sites_after_a_year(later: Later) -> None:
    site = make_site()
    today = timezone.now().date()
    for scope, key, row in (
        ("visitor", "a", None), ("address", "b", None), ("site", str(site.pk), site),
        ("whole", "", None),
    ):  # fmt: skip
        Spend.objects.create(day=today, scope=scope, key=key, site=row, spent=5)
    later(2)
    assert prune().total() == 0
    later(3)
    assert prune() == {"spending": 2}
    assert set(Spend.objects.values_list("scope", flat=True)) == {"site", "whole"}
    later(400)
    assert prune().total() == 0
    later(401)
    assert prune() == {"spending": 2}


def test_who_was_erased_is_remembered_for_as_long_as_a_token_lasts(later: Later) -> None:
    visitor = talker(make_site())
    erasing.erase(visitor.visitor)
    later(30)
    assert prune().total() == 0
    later(31.1)
    assert prune() == {"erasures": 1}
    assert not Erasure.objects.exists()


def test_a_second_run_finds_nothing(later: Later) -> None:
    talker(make_site(keep_days=60))
    later(61)
    assert prune().total() == 2
    assert prune().total() == 0


def test_batches_come_to_the_end(later: Later) -> None:
    site = make_site(keep_days=60)
    for _ in range(7):
        talker(site)
    Spend.objects.create(day=date(2020, 1, 1), scope="whole")
    later(61)
    assert prune(batch=3) == {"conversations": 7, "visitors": 7, "spending": 1}
    assert left() == (0, 0, 0)


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("prune", *arguments, stdout=out)
    return out.getvalue().strip()


def test_a_dry_run_only_says_what_it_would_do(later: Later) -> None:
    talker(make_site(keep_days=60))
    later(61)
    before = left()
    assert command("--dry-run") == "Would delete: 1 conversations."
    assert left() == before
    assert command() == "Deleted: 1 conversations, 1 visitors."
    assert command() == "Deleted: nothing."


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_do_it_all_and_nothing_twice(later: Later) -> None:
    site = make_site(keep_days=60)
    for _ in range(40):
        talker(site)
    fresh = make_site("fresh", keep_days=90)
    talker(fresh)
    later(61)
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(prune(batch=3))
        except BaseException as error:
            found.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    prune()  # what one left to another that had it in hand
    assert [each for each in found if isinstance(each, BaseException)] == []
    assert sum(each["conversations"] for each in found) == 40
    assert set(Visitor.objects.values_list("site__key", flat=True)) == {"fresh"}
