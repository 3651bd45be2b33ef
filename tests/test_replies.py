"""The life of a reply's row, through `replies` and on the database."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from chat import conversations, replies
from chat.conversations import Claim, Refused
from chat.models import Message
from chat.replies import Finished, Open
from tests.base import ME, OTHER, Talker, check_numbers, finish, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor():
    talker = Talker(make_site())
    talker.says("What does it cost?")
    return talker


def expire(reply: Message, **fields) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Message.objects.filter(id=reply.id).update(lease_until=past, **fields)


def regenerate(visitor: Talker, reply: Message, attempt: int) -> Claim | None:
    return replies.regenerate(
        conversation=visitor.row().id, message=str(reply.id), attempt=attempt, owner=ME
    )


def test_claim_opens_one_reply_to_the_newest_words(visitor):
    newest = visitor.says("And in oak?").message
    reply = visitor.claimed().reply
    assert (reply.state, reply.text, reply.reply_to_id) == ("streaming", "", newest.id)
    assert reply.persona_version == visitor.site.persona.published
    assert replies.claim(visitor.row().id, OTHER) is None
    check_numbers(visitor.row())


def test_a_reply_opens_with_the_message_that_it_answers(visitor):
    finish(visitor.claimed(), "It depends.")
    received = visitor.says("On what?", opens=replies.opens(ME))
    reply = received.claim.reply
    assert (reply.state, reply.owner, reply.reply_to_id) == ("streaming", ME, received.message.id)
    assert (reply.rev, received.claim.question_seq) == (received.message.rev + 1, reply.seq - 1)
    assert visitor.row().awaiting_since is None
    check_numbers(visitor.row())
    assert finish(received.claim, "On the wood.").state == "complete"


@pytest.mark.parametrize("open", [True, False], ids=["open", "awaited"])
def test_a_message_opens_none_beside_another_reply(visitor, open):
    if open:
        visitor.claimed(OTHER)
    received = visitor.says("On what?", opens=replies.opens(ME))
    assert received.claim is None
    assert visitor.row().awaiting_since is not None
    check_numbers(visitor.row())


def test_a_message_opens_none_where_a_person_has_taken_over_and_none_twice(visitor):
    finish(visitor.claimed(), "It depends.")
    first = visitor.says("On what?", "0d4f0a52-53a5-4b6d-8f5e-0f6ab5a1a001", replies.opens(ME))
    finish(first.claim, "On the wood.")
    again = visitor.says("On what?", "0d4f0a52-53a5-4b6d-8f5e-0f6ab5a1a001", replies.opens(ME))
    assert (again.duplicate, again.claim) == (True, None)
    row = visitor.row()
    assert row.last_seq == row.messages.count()
    row.state = "human"
    row.save()
    assert visitor.says("Hello?", opens=replies.opens(ME)).claim is None
    check_numbers(visitor.row())


def test_nothing_to_claim_once_a_person_has_taken_over(visitor):
    row = visitor.row()
    row.state = "human"
    row.save()
    assert replies.claim(row.id, ME) is None


def test_claim_waits_for_an_open_reply_to_end(visitor):
    claim = visitor.claimed()
    visitor.says("And in oak?")
    assert replies.claim(visitor.row().id, OTHER) == Open(claim.reply.id, 1, ME)
    ended = finish(claim, "It co", Message.State.INTERRUPTED)
    assert (ended.state, ended.text) == ("interrupted", "It co")
    assert visitor.claimed(OTHER).reply.seq == ended.seq + 2


def test_finish_says_whether_more_was_said(visitor):
    claim = visitor.claimed()
    visitor.says("And in oak?")
    finished = replies.finish(claim, ME, replies.Outcome(Message.State.INTERRUPTED, ""))
    assert finished is not None
    assert finished.awaits


def test_saving_raises_no_rev(visitor):
    reply = visitor.claimed().reply
    rev = visitor.row().rev
    assert replies.save(reply=reply.id, attempt=1, owner=ME, text="It costs")
    assert visitor.row().rev == rev
    assert visitor.after(rev).open.text == "It costs"


@pytest.mark.parametrize("change", [{"owner": OTHER}, {"attempt": 2}, {"state": "failed"}])
def test_only_the_owner_of_the_open_attempt_saves_and_finishes(visitor, change):
    claim = visitor.claimed()
    Message.objects.filter(id=claim.reply.id).update(**change)
    before = visitor.row().rev
    assert not replies.save(reply=claim.reply.id, attempt=1, owner=ME, text="theirs")
    assert replies.finish(claim, ME, replies.Outcome(Message.State.COMPLETE, "theirs")) is None
    assert (visitor.messages()[-1].text, visitor.row().rev) == ("", before)


def test_what_is_finished_twice_costs_once(visitor):
    """A commit that nobody heard of is tried again, and so is one that was none."""
    visitor.gets("One", figures={"cost": Decimal(1)})
    claim = regenerate(visitor, visitor.messages()[-1], 1)
    outcome = replies.Outcome(Message.State.COMPLETE, "Two", figures={"cost": Decimal(2)})
    with transaction.atomic():
        replies.finish(claim, ME, outcome)
        transaction.set_rollback(True)  # lost at its commit
    finished = replies.finish(claim, ME, outcome)
    assert finished is not None
    assert (finished.changed[0].cost, visitor.messages()[-1].cost) == (3, 3)
    assert replies.finish(claim, ME, outcome) is None


def test_many_texts_are_kept_at_once_and_the_lost_are_named(visitor):
    others = [Talker(visitor.site), Talker(visitor.site)]
    for other in others:
        other.says("Hello")
    mine = [talker.claimed().reply for talker in (visitor, *others)]
    drafts = [replies.Draft(reply.id, 1, f"text of {n}") for n, reply in enumerate(mine)]
    assert replies.save_all(drafts, ME) == []
    assert [talker.messages()[-1].text for talker in (visitor, *others)] == [
        "text of 0",
        "text of 1",
        "text of 2",
    ]
    finish(conversations.Claim(visitor.row(), mine[0], 0), "All of it.")
    Message.objects.filter(id=mine[1].id).update(owner=OTHER)
    late = [replies.Draft(reply.id, 1, "late words") for reply in mine]
    assert {draft.reply for draft in replies.save_all(late, ME)} == {mine[0].id, mine[1].id}
    assert [talker.messages()[-1].text for talker in (visitor, *others)] == [
        "All of it.",
        "text of 1",
        "late words",
    ]


def test_take_over_begins_the_same_reply_again(visitor):
    reply = visitor.claimed().reply
    replies.save(reply=reply.id, attempt=1, owner=ME, text="It costs")
    assert replies.take_over(reply.id, OTHER) is None
    expire(reply)
    assert replies.orphans()[0] == [reply.id]
    taken = replies.take_over(reply.id, OTHER)
    assert isinstance(taken, Claim)
    assert (taken.reply.id, taken.reply.attempt, taken.reply.text) == (reply.id, 2, "")
    assert taken.reply.deadline == reply.deadline
    assert not replies.save(reply=reply.id, attempt=1, owner=ME, text="late words")
    assert replies.take_over(reply.id, ME) is None
    check_numbers(visitor.row())


def test_take_over_after_the_deadline_fails_visibly(visitor):
    reply = visitor.claimed().reply
    expire(reply, text="It costs", deadline=timezone.now())
    taken = replies.take_over(reply.id, OTHER)
    assert isinstance(taken, Finished)
    frame = taken.changed[0].as_frame()
    assert (frame["state"], frame["text"], frame["attempt"]) == ("failed", "It costs", 2)
    assert frame["error"]["message"]


def test_take_over_ends_a_reply_that_nobody_waits_for(visitor):
    reply = visitor.claimed().reply
    expire(reply)
    visitor.says("And in oak?")
    taken = replies.take_over(reply.id, OTHER)
    assert isinstance(taken, Finished)
    assert taken.awaits
    assert taken.changed[0].state == "interrupted"


def test_take_over_respects_a_stop(visitor):
    reply = visitor.claimed().reply
    stopped = replies.stop(conversation=visitor.row().id, message=str(reply.id))
    assert stopped == Open(reply.id, 1, ME)
    expire(reply)
    taken = replies.take_over(reply.id, OTHER)
    assert isinstance(taken, Finished)
    assert taken.changed[0].state == "interrupted"


def test_a_claim_ends_an_orphan_in_front_of_it(visitor):
    orphan = visitor.claimed().reply
    visitor.says("And in oak?")
    expire(orphan, text="It costs")
    claim = visitor.claimed(OTHER)
    assert [(m.id, m.state, m.attempt) for m in claim.ended] == [(orphan.id, "interrupted", 2)]
    assert claim.ended[0].rev == claim.reply.rev - 1
    check_numbers(visitor.row())


def test_release_lets_others_take_over_at_once(visitor):
    reply = visitor.claimed().reply
    replies.release([reply.id], ME)
    assert isinstance(replies.take_over(reply.id, OTHER), Claim)


def test_an_unanswered_visitor_is_found(visitor):
    assert replies.orphans() == ([], [])
    row = visitor.row()
    row.awaiting_since = timezone.now() - timedelta(seconds=30)
    row.save()
    assert replies.orphans() == ([], [row.id])


def test_regenerate_opens_the_last_reply_again(visitor):
    reply = visitor.gets("Old words", sources=[{"title": "Prices"}], replies=["Oak", "Elm"])
    assert reply.as_frame()["replies"] == ["Oak", "Elm"]
    conversations.feedback(
        conversation=visitor.row().id, message=str(reply.id), value=-1, comment="Too old"
    )
    claim = regenerate(visitor, reply, 1)
    frame = claim.reply.as_frame()
    assert (frame["id"], frame["attempt"], frame["text"]) == (str(reply.id), 2, "")
    assert frame["state"] == "streaming"
    assert "feedback" not in frame
    assert "sources" not in frame
    assert "replies" not in frame
    assert claim.reply.feedback_comment == ""
    assert claim.reply.earlier == [{"attempt": 1, "state": "complete", "text": "Old words"}]
    check_numbers(visitor.row())


def test_regenerate_of_a_lower_attempt_does_nothing(visitor):
    reply = visitor.gets("One")
    second = regenerate(visitor, reply, 1)
    finish(second, "Two")
    assert regenerate(visitor, reply, 1) is None
    assert visitor.messages()[-1].text == "Two"


def test_regenerate_of_what_is_open_is_busy(visitor):
    reply = visitor.claimed().reply
    with pytest.raises(Refused) as refused:
        regenerate(visitor, reply, 1)
    assert (refused.value.code, refused.value.final) == ("busy", False)


def test_regenerate_only_of_the_last_reply(visitor):
    first = visitor.gets("One")
    mine = visitor.says("And in oak?").message
    second = visitor.gets("Two")
    greeting = visitor.messages()[0]
    for message, attempt in ((first, 1), (mine, 1), (greeting, 1), (second, 2)):
        with pytest.raises(Refused) as refused:
            regenerate(visitor, message, attempt)
        assert refused.value.code == "not_allowed"


def test_stopping_what_has_ended_does_nothing(visitor):
    reply = visitor.gets("One")
    assert replies.stop(conversation=visitor.row().id, message=str(reply.id)) is None


def test_stopping_ones_own_words_is_not_allowed(visitor):
    with pytest.raises(Refused) as refused:
        replies.stop(conversation=visitor.row().id, message=str(visitor.messages()[1].id))
    assert refused.value.code == "not_allowed"


def test_failed_reply_says_so_in_the_visitors_language(visitor):
    row = visitor.row()
    row.locale = "de"
    row.save()
    failed = finish(visitor.claimed(), "", Message.State.FAILED, error="failed")
    assert "wrong" not in failed.error_text
    assert failed.as_frame()["error"] == {"code": "failed", "message": failed.error_text}


def test_costs_of_attempts_add_up(visitor):
    reply = visitor.gets("One", figures={"cost": 2})
    finish(regenerate(visitor, reply, 1), "Two", figures={"cost": 3})
    assert visitor.messages()[-1].cost == 5


def test_a_reply_that_its_owner_does_not_write_is_an_orphan_to_it(visitor):
    forgotten = visitor.claimed().reply
    visitor.says("And in oak?")
    assert replies.claim(visitor.row().id, ME, [forgotten.id]) == Open(forgotten.id, 1, ME)
    claim = visitor.claimed()
    assert [message.id for message in claim.ended] == [forgotten.id]


def test_a_lease_does_not_outlive_the_deadline(visitor, settings):
    reply = visitor.claimed().reply
    Message.objects.update(deadline=timezone.now() + timedelta(seconds=1))
    replies.renew([reply.id], ME)
    reply.refresh_from_db()
    assert reply.lease_until < timezone.now() + timedelta(seconds=settings.CHAT_LEASE / 2)


def test_restart_closes_and_names_the_open_reply_in_one_step(visitor):
    claim = visitor.claimed()
    assert replies.restart(visitor.row().id) == Open(claim.reply.id, 1, ME)
    assert conversations.Conversation.objects.get().state == "closed"
    ended = replies.finish(claim, ME, replies.Outcome(Message.State.INTERRUPTED, ""))
    assert ended is not None
    assert not ended.awaits
