"""A person takes a conversation over, speaks, hands it back: the rules, in this process."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from chat import conversations, handover, prompts, replies
from chat.conversations import Refused
from chat.handover import Speaker
from chat.models import Conversation, Message, Site
from tests.base import ME, Talker, check_numbers, finish, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def talker(site: Site) -> Talker:
    one = Talker(site)
    one.says("Is anybody there?")
    return one


@pytest.fixture
def vera() -> Speaker:
    return Speaker(User.objects.create_user("vera").pk, "Vera")


@pytest.fixture
def omar() -> Speaker:
    return Speaker(User.objects.create_user("omar").pk, "Omar")


def take(talker: Talker, who: Speaker) -> handover.Handed:
    return handover.take(conversation=talker.row().id, who=who)


def say(talker: Talker, who: Speaker, text: str = "Here I am.") -> Message:
    id = uuid.uuid4()
    return handover.say(conversation=talker.row().id, who=who, id=id, text=text)[0]


def back(talker: Talker, who: Speaker, **how: object) -> handover.Handed:
    return handover.hand_back(conversation=talker.row().id, who=who, **how)  # type: ignore[arg-type]


def test_who_takes_over_is_named_to_the_visitor(talker: Talker, vera: Speaker) -> None:
    talker.gets("Yes.")
    handed = take(talker, vera)
    row = talker.row()
    assert (row.state, row.taken_by_id, row.taken_name) == ("human", vera.user, "Vera")
    [line] = handed.changed
    assert (line.role, line.text) == ("system", "Vera from our team has joined and answers now.")
    check_numbers(row)


def test_the_line_is_in_the_visitors_language(site: Site, vera: Speaker) -> None:
    Site.objects.update(language="de")
    talker = Talker(site)
    talker.says("Hallo")
    assert take(talker, vera).changed[0].text == "Vera aus unserem Team ist da und antwortet jetzt."


def test_taken_twice_by_one_is_taken_once(talker: Talker, vera: Speaker) -> None:
    take(talker, vera)
    assert take(talker, vera).changed == ()
    assert sum(message.role == "system" for message in talker.messages()) == 1


def test_two_never_have_the_same_one(talker: Talker, vera: Speaker, omar: Speaker) -> None:
    take(talker, vera)
    with pytest.raises(Refused, match="busy") as refused:
        take(talker, omar)
    assert "Vera" in refused.value.message
    with pytest.raises(Refused):
        say(talker, omar)
    with pytest.raises(Refused):
        back(talker, omar)
    assert talker.row().taken_by_id == vera.user


def test_what_has_ended_is_not_taken(talker: Talker, vera: Speaker) -> None:
    id = talker.row().id
    conversations.close(id)
    with pytest.raises(Refused):
        handover.take(conversation=id, who=vera)
    with pytest.raises(Refused, match="not_found"):
        handover.take(conversation=uuid.uuid4(), who=vera)


def test_the_open_reply_is_named_to_be_ended(talker: Talker, vera: Speaker) -> None:
    claim = talker.claimed()
    handed = take(talker, vera)
    assert handed.open is not None
    assert handed.open.reply == claim.reply.id


@pytest.mark.parametrize("state", [Message.State.COMPLETE, Message.State.FAILED])
def test_a_reply_that_ends_after_a_person_came_is_interrupted(
    talker: Talker, vera: Speaker, state: Message.State
) -> None:
    claim = talker.claimed()
    take(talker, vera)
    error = "failed" if state == Message.State.FAILED else ""
    ended = finish(claim, "It costs", state, error=error, replies=["Yes", "No"])
    assert (ended.state, ended.text, ended.replies) == ("interrupted", "It costs", [])
    assert "error" not in ended.as_frame()
    check_numbers(talker.row())


def test_an_open_reply_whose_writer_is_gone_ends_at_once(talker: Talker, vera: Speaker) -> None:
    reply = talker.claimed().reply
    past = timezone.now() - timedelta(seconds=1)
    Message.objects.filter(id=reply.id).update(lease_until=past)
    handed = take(talker, vera)
    assert handed.open is None
    assert [(m.role, m.state) for m in handed.changed] == [
        ("agent", "interrupted"),
        ("system", "complete"),
    ]


def test_no_reply_is_claimed_while_a_person_speaks(talker: Talker, vera: Speaker) -> None:
    row = talker.row()
    take(talker, vera)
    talker.says("And now?")
    assert replies.claim(row.id, ME) is None
    assert replies.orphans() == ([], [])
    last = talker.messages()[-1]
    with pytest.raises(Refused):
        replies.regenerate(conversation=row.id, message=str(last.id), attempt=1, owner=ME)


def test_a_person_speaks_by_name_and_once(talker: Talker, vera: Speaker) -> None:
    take(talker, vera)
    id = uuid.uuid4()
    first, row = handover.say(conversation=talker.row().id, who=vera, id=id, text="Here I am.")
    again, unchanged = handover.say(conversation=talker.row().id, who=vera, id=id, text="Here!")
    assert row is not None
    assert unchanged is None
    assert (again.id, again.text) == (first.id, "Here I am.")
    frame = first.as_frame()
    assert (frame["id"], frame["role"], frame["name"]) == (str(id), "staff", "Vera")
    check_numbers(talker.row())


def test_an_id_of_another_message_is_refused(talker: Talker, vera: Speaker) -> None:
    take(talker, vera)
    theirs = talker.messages()[0].id
    with pytest.raises(Refused):
        handover.say(conversation=talker.row().id, who=vera, id=theirs, text="Mine now")


def test_nobody_speaks_who_has_not_taken_over(talker: Talker, vera: Speaker) -> None:
    with pytest.raises(Refused, match="not_allowed"):
        say(talker, vera)


def test_the_visitor_waits_until_the_person_has_answered(talker: Talker, vera: Speaker) -> None:
    take(talker, vera)
    assert talker.row().waiting_since is None
    talker.says("Hello?")
    assert talker.row().waiting_since is not None
    say(talker, vera)
    assert talker.row().waiting_since is None


def test_handed_back_the_agent_answers_what_nobody_has(talker: Talker, vera: Speaker) -> None:
    talker.gets("Yes.")
    take(talker, vera)
    talker.says("What does it cost?")
    handed = back(talker, vera, brief="Ten desks, 5 % off.")
    assert [line.text for line in handed.changed] == ["Vera has left; the assistant answers again."]
    row = talker.row()
    assert (row.state, row.taken_by_id, row.taken_name) == ("open", None, "")
    assert isinstance(replies.claim(row.id, ME), conversations.Claim)


def test_handed_back_the_agent_is_silent_where_all_is_answered(
    talker: Talker, vera: Speaker
) -> None:
    take(talker, vera)
    talker.says("What does it cost?")
    say(talker, vera, "Five euros.")
    back(talker, vera)
    assert replies.claim(talker.row().id, ME) is None


def test_a_question_that_a_person_cut_off_and_left_is_answered(
    talker: Talker, vera: Speaker
) -> None:
    claim = talker.claimed()
    take(talker, vera)
    finish(claim, "It", Message.State.INTERRUPTED)
    back(talker, vera)
    assert talker.row().awaiting_since is not None


def test_the_agent_is_told_what_has_happened(talker: Talker, vera: Speaker) -> None:
    talker.gets("Yes.")
    take(talker, vera)
    say(talker, vera, "I can do five percent.")
    back(talker, vera, brief="Offer sent, wants it by May.")
    talker.says("Thank you!")
    material = prompts.load(talker.row().id)
    assert material is not None

    async def nothing(query: str) -> list:
        return []

    told = str(prompts.make(material, [], nothing)[0].messages)
    for part in (
        "Note: Vera from our team has joined",
        "[Vera, a person of the team, wrote:] I can do five percent.",
        "Note: Vera has left",
        "Offer sent, wants it by May.",
    ):
        assert part in told


def test_a_lead_hands_back_what_another_has_taken(
    talker: Talker, vera: Speaker, omar: Speaker
) -> None:
    take(talker, vera)
    assert back(talker, omar, others=True).changed
    assert back(talker, omar, others=True).changed == ()  # it had been
    assert talker.row().state == Conversation.State.OPEN


def test_a_conversation_that_ends_is_nobodys(talker: Talker, vera: Speaker) -> None:
    id = talker.row().id
    take(talker, vera)
    conversations.close(id)
    row = Conversation.objects.get(id=id)
    assert (row.state, row.taken_by_id, row.waiting_since) == ("closed", None, None)
