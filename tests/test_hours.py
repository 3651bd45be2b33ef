"""Office hours, and what happens when nobody comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat import conversations, handover, hours, process
from chat.handover import Speaker
from chat.models import Conversation, Lead, Site
from tests.base import Talker, check_numbers, make_site

WEEK = "Mon-Fri 9:00-17:30\nSat 10-14"


def at(text: str) -> datetime:
    """In November 2026, when the 23rd is a Monday."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "back"),
    [
        ("23 08:59", "23 09:00"),
        ("23 09:00", None),
        ("23 17:29", None),
        ("23 17:30", "24 09:00"),
        ("27 18:00", "28 10:00"),  # Friday evening
        ("28 14:00", "30 09:00"),  # over the Sunday
    ],
)
def test_when_somebody_is_back(now: str, back: str | None) -> None:
    assert hours.next_opening(WEEK, "UTC", at(now)) == (at(back) if back else None)


def test_the_clock_is_that_of_the_zone() -> None:
    assert hours.next_opening(WEEK, "Europe/Berlin", at("23 08:00")) is None
    back = hours.next_opening(WEEK, "Asia/Tokyo", at("23 09:00"))
    assert back is not None
    assert back.isoformat() == "2026-11-24T09:00:00+09:00"


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_hours_are_all_hours(text: str) -> None:
    assert hours.next_opening(text, "UTC", at("22 03:00")) is None


@pytest.mark.parametrize(
    "line", ["Mon", "Mon 9", "Mon 17-9", "Mon 9-25", "Mon 9:60-10", "Foo 9-17", "Mon-Foo 9-17"]
)
def test_what_is_no_span_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=line):
        hours.parse(f"Tue 9-17\n{line}")


def test_a_span_may_reach_over_the_weekend() -> None:
    assert [span.day for span in hours.parse("Sat-Mon 0-24")] == [0, 5, 6]


# --- Nobody comes --------------------------------------------------------------------------------


@pytest.fixture
def waiting(db: None) -> Talker:
    """Somebody who asked for a person, of a site that lets them wait for five minutes."""
    talker = Talker(make_site())
    talker.says("A person, please")
    talker.gets("Of course.")
    conversations.hand_over(conversation=talker.row().id, language="en")
    return talker


def minutes_pass(talker: Talker, minutes: int) -> None:
    since = timezone.now() - timedelta(minutes=minutes)
    Conversation.objects.filter(id=talker.row().id).update(waiting_since=since)


def looked(talker: Talker) -> list[str]:
    """What the sweep of a process says to the visitor."""
    told = [handover.nobody_comes(id) for id in handover.overdue()]
    return [message.text for handed in told for message in handed.changed]


def test_who_waits_is_told_once_that_nobody_comes(waiting: Talker) -> None:
    minutes_pass(waiting, 4)
    assert looked(waiting) == []
    minutes_pass(waiting, 6)
    id = waiting.row().id
    [told] = looked(waiting)
    assert told.startswith("Nobody from our team is free at the moment, I am sorry. Leave your")
    assert looked(waiting) == []
    assert handover.nobody_comes(id).changed == ()  # another process, at the same moment
    row = waiting.row()
    assert row.waiting_since is not None  # and staff still see that they wait
    assert waiting.messages()[-1].role == "agent"
    check_numbers(row)


def test_who_has_left_an_address_is_not_asked_for_one(waiting: Talker) -> None:
    row = waiting.row()
    Lead.objects.create(conversation=row, site=row.site, email="ada@visitor.example")
    minutes_pass(waiting, 6)
    [told] = looked(waiting)
    assert "We have your contact details" in told
    assert "Leave" not in told


def test_not_in_the_middle_of_a_reply(waiting: Talker) -> None:
    waiting.says("Hello?")
    waiting.claimed()
    minutes_pass(waiting, 6)
    assert looked(waiting) == []


def test_a_site_may_let_them_wait_for_ever(waiting: Talker) -> None:
    Site.objects.update(answer_within=0)
    minutes_pass(waiting, 600)
    assert looked(waiting) == []


def test_out_of_hours_it_is_said_at_once_and_not_again(db: None) -> None:
    closed = (timezone.now() + timedelta(days=2)).strftime("%a 0:00-24:00")
    talker = Talker(make_site(office_hours=closed))
    talker.says("A person, please")
    [line] = conversations.hand_over(conversation=talker.row().id, language="en")
    assert "is back here on" in line.text
    minutes_pass(talker, 60)
    assert looked(talker) == []


def test_who_took_over_and_is_silent_hands_back(waiting: Talker, django_user_model: Any) -> None:
    vera = Speaker(django_user_model.objects.create_user("vera").pk, "Vera")
    id = waiting.row().id
    handover.take(conversation=id, who=vera)
    minutes_pass(waiting, 0)
    waiting.says("Are you there?")
    minutes_pass(waiting, 9)
    assert looked(waiting) == []
    minutes_pass(waiting, 11)
    assert looked(waiting) == ["Vera has left; the assistant answers again."]
    row = waiting.row()
    assert (row.state, row.taken_by_id) == ("open", None)
    assert row.awaiting_since is not None  # and the agent answers


@pytest.mark.django_db(transaction=True)
async def test_the_sweep_of_a_process_does_it() -> None:
    def due() -> Talker:
        talker = Talker(make_site())
        talker.says("A person, please")
        talker.gets("Of course.")
        conversations.hand_over(conversation=talker.row().id, language="en")
        minutes_pass(talker, 6)
        return talker

    from chat.database import query

    talker = await query(due)
    await process.look_for_people()
    await process.look_for_people()
    texts = [message.text for message in await query(talker.messages)]
    assert sum("Nobody from our team" in text for text in texts) == 1
