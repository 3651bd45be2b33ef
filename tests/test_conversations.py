"""The rules of a conversation, through `conversations` and on the database."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from chat import conversations, leads, personas
from chat.conversations import Refused
from chat.models import Conversation, Lead, Message, Visitor
from chat.wire import MAX_STATUS, Page
from tests.base import Talker, check_numbers, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor():
    return Talker(make_site())


def test_first_message_stores_visitor_greeting_and_words(visitor):
    received = visitor.says("What does the oak desk cost?")
    assert [(m.seq, m.rev, m.role, m.state) for m in received.added] == [
        (1, 1, "agent", "complete"),
        (2, 2, "visitor", "complete"),
    ]
    assert received.added[0].text == visitor.site.greeting
    assert received.conversation.id == visitor.conversation
    check_numbers(visitor.row())


def test_the_published_versions_greeting_is_stored(visitor):
    persona = visitor.site.persona
    draft = personas.save_version(persona, greeting="{agent} of {company}, hello.")
    assert Talker(visitor.site).says("Hi").added[0].text == visitor.site.greeting
    personas.publish(draft)
    assert Talker(visitor.site).says("Hi").added[0].text == "Robin of Acme Desks, hello."
    first = Talker(visitor.site)
    assert [len(first.says(text).added) for text in ("One", "Two")] == [2, 1]


AD = "https://acme.example/?utm_source=mail&utm_medium=email&utm_campaign=Spring+%3Cb%3E&token=s3"


def led(visitor, url):
    return conversations.receive(
        site=visitor.site,
        visitor=visitor.visitor,
        conversation=visitor.conversation,
        client_id=str(uuid.uuid4()),
        text="Hi",
        page=Page(url=url),
    ).conversation


def test_the_campaign_of_the_first_page_is_kept(visitor):
    assert led(visitor, AD).campaign == "mail / email / Spring <b>"
    assert led(visitor, "https://acme.example/?utm_source=other").campaign.startswith("mail")
    assert visitor.row().page_url == AD


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://acme.example/?gclid=x&source=mail", ""),
        ("?utm_campaign=%00%0d%0a%E2%80%AE%E2%80%8B", ""),
        ("?utm_medium=a%00b", "a b"),
        ("?utm_source=" + "x" * 900 + "&utm_medium=y", "x" * 200),
        ("https://[broken/?utm_source=x", ""),
        ("?" + "utm_source=x&" * 200, ""),
    ],
)
def test_a_campaign_is_one_short_line_whatever_the_address(visitor, url, kept):
    led(visitor, url)
    assert visitor.row().campaign == kept


def test_without_a_greeting_the_visitors_words_are_first(visitor):
    visitor.site.greeting = ""
    visitor.site.save()
    assert [m.seq for m in visitor.says("Hello").added] == [1]


def test_nothing_is_stored_before_the_first_message(visitor):
    changes = visitor.after()
    assert changes.talk.row is None
    assert not Visitor.objects.exists()


def test_same_client_id_gives_the_first_answer(visitor):
    first = visitor.says("Hello")
    again = visitor.says("Hello", client_id=first.message.client_id)
    assert again.duplicate
    assert again.message.id == first.message.id
    assert again.added == []
    assert Message.objects.count() == 2


def test_client_id_is_unique_over_the_visitors_conversations(visitor):
    first = visitor.says("Hello")
    conversations.close(visitor.row().id)
    again = visitor.says("Hello", client_id=first.message.client_id)
    assert again.duplicate
    assert again.conversation.state == "closed"
    assert Conversation.objects.count() == 1


def test_two_visitors_may_use_the_same_client_id(visitor):
    other = Talker(visitor.site)
    id = str(uuid.uuid4())
    assert not visitor.says("Hello", id).duplicate
    assert not other.says("Hello", id).duplicate


def test_page_is_kept_with_the_conversation(visitor):
    conversations.receive(
        site=visitor.site,
        visitor=visitor.visitor,
        conversation=visitor.conversation,
        client_id=str(uuid.uuid4()),
        text="Hello",
        page=Page("https://www.example.com/desks", "Desks", "https://search.example"),
        locale="de-AT",
    )
    row = visitor.row()
    assert (row.page_title, row.locale) == ("Desks", "de-AT")


def test_a_closed_conversation_is_followed_by_a_new_one(visitor):
    old = visitor.says("Hello").conversation
    conversations.close(old.id)
    ahead = visitor.after(named=str(old.id))
    assert ahead.full
    new = visitor.says("Hello again").conversation
    assert new.id != old.id
    assert new.id == ahead.talk.id
    assert [m.seq for m in new.messages.order_by("seq")] == [1, 2]


def test_an_idle_conversation_has_ended(visitor):
    old = visitor.says("Hello").conversation
    Conversation.objects.update(updated=timezone.now() - timedelta(days=31))
    assert visitor.after().talk.id != old.id
    assert visitor.says("I am back").conversation.id != old.id
    old.refresh_from_db()
    assert old.state == "closed"


def test_closing_twice_changes_nothing(visitor):
    row = visitor.says("Hello").conversation
    assert conversations.close(row.id)
    assert not conversations.close(row.id)
    assert not conversations.close(uuid.uuid4())


def test_after_gives_what_changed_in_order_of_rev(visitor):
    visitor.says("One")
    visitor.gets("First answer")
    visitor.says("Two")
    seen = visitor.after(rev=2)
    assert [(m["seq"], m["rev"]) for m in seen.messages] == [(3, 4), (4, 5)]
    assert not seen.full
    assert seen.talk.as_field()["rev"] == 5


def test_after_gives_the_open_reply_also_when_its_rev_was_seen(visitor):
    visitor.says("One")
    reply = visitor.claimed().reply
    changes = visitor.after(rev=reply.rev)
    assert changes.messages == []
    assert changes.open.id == reply.id


@pytest.mark.parametrize(
    "asked", [{"rev": 99}, {"rev": 1, "epoch": "7"}, {"rev": 1, "named": str(uuid.uuid4())}]
)
def test_what_the_client_cannot_have_gets_all_of_it(visitor, asked):
    visitor.says("One")
    changes = visitor.after(**asked)
    assert changes.full
    assert [m["seq"] for m in changes.messages] == [1, 2]


def test_after_stops_where_the_frame_is_full_and_goes_on_from_there(visitor):
    for _ in range(30):
        visitor.says("é" * 2000)
    seen, rev, more = [], 0, True
    while more:
        changes = visitor.after(rev=rev)
        assert changes.messages
        assert len(str(changes.messages).encode()) < MAX_STATUS + 2000
        seen += [m["seq"] for m in changes.messages]
        rev, more = changes.messages[-1]["rev"], changes.more
    assert seen == list(range(1, 32))
    assert rev == changes.talk.as_field()["rev"]


def test_history_comes_in_pages_of_fifty(visitor):
    for n in range(60):
        visitor.says(str(n))
    newest, earlier = conversations.history(visitor.row().id)
    assert ([m.seq for m in newest], earlier) == (list(range(12, 62)), True)
    first, earlier = conversations.history(visitor.row().id, before=12)
    assert ([m.seq for m in first], earlier) == (list(range(1, 12)), False)


def test_feedback_is_a_change_once(visitor):
    visitor.says("One")
    reply = visitor.gets("Answer")
    for value, changes in ((1, 1), (1, 0), (0, 1), (0, 0), (-1, 1)):
        rev = visitor.row().rev
        conversations.feedback(conversation=visitor.row().id, message=str(reply.id), value=value)
        assert visitor.row().rev == rev + changes
    check_numbers(visitor.row())


def test_a_comment_stays_as_long_as_its_thumb(visitor):
    visitor.says("One")
    reply = visitor.gets("Answer")
    steps = [
        (-1, "Wrong price", 1, "Wrong price"),
        (-1, "Wrong price", 0, "Wrong price"),
        (-1, "", 0, "Wrong price"),
        (-1, "It costs 20", 1, "It costs 20"),
        (1, "", 1, ""),
        (1, "Quick", 1, "Quick"),
        (0, "", 1, ""),
        (0, "Nothing", 0, ""),
    ]
    for value, comment, changes, kept in steps:
        rev = visitor.row().rev
        told = conversations.feedback(
            conversation=visitor.row().id, message=str(reply.id), value=value, comment=comment
        )
        assert visitor.row().rev == rev + changes
        reply.refresh_from_db()
        assert reply.feedback_comment == kept
        assert all("comment" not in json.dumps(message.as_frame()) for message in told)
    check_numbers(visitor.row())


def test_feedback_on_ones_own_words_or_an_open_reply_is_not_allowed(visitor):
    mine = visitor.says("One").message
    open_reply = visitor.claimed().reply
    for message in (mine, open_reply):
        with pytest.raises(Refused) as refused:
            conversations.feedback(conversation=visitor.row().id, message=str(message.id), value=1)
        assert refused.value.code == "not_allowed"


@pytest.mark.parametrize("named", ["not-an-id", "6f0e1a1c-0000-4000-8000-000000000000", "theirs"])
def test_a_message_that_is_not_here_is_not_found(visitor, named):
    visitor.says("One")
    stranger = Talker(visitor.site)
    theirs = str(stranger.says("Mine").message.id)
    with pytest.raises(Refused) as refused:
        conversations.message_of(visitor.row().id, theirs if named == "theirs" else named)
    assert refused.value.code == "not_found"


def test_lead_gathers_over_several_calls(visitor):
    row = visitor.says("I am Ada Example, ada@example.com").conversation
    leads.save(conversation=row.id, fields={"email": "ada@example.com"})
    leads.save(conversation=row.id, fields={"name": "Ada"})
    lead = Lead.objects.get()
    assert lead.known() == {"name": "Ada", "email": "ada@example.com"}
    assert lead.words == "I am Ada Example, ada@example.com"


def test_hand_over_says_so_once_in_the_visitors_language(visitor):
    visitor.says("Can I talk to somebody?")
    (line,) = conversations.hand_over(conversation=visitor.row().id, language="de")
    assert (line.role, line.seq) == ("system", 3)
    assert "has been told" not in line.text
    assert conversations.hand_over(conversation=visitor.row().id, language="de") == []
    assert visitor.row().waiting_since is not None
    check_numbers(visitor.row())


def test_the_database_itself_holds_the_rules(visitor):
    row = visitor.says("One").conversation
    visitor.claimed()
    rows = {
        "a second open reply": {"seq": 4, "rev": 9, "role": "agent", "state": "streaming",
                                "lease_until": timezone.now(), "deadline": timezone.now()},
        "a seq twice": {"seq": 2, "rev": 9, "role": "agent"},
        "a rev twice": {"seq": 4, "rev": 2, "role": "agent"},
        "seq 0": {"seq": 0, "rev": 9, "role": "agent"},
        "visitor's words without client_id": {"seq": 4, "rev": 9, "role": "visitor"},
        "an open reply without lease": {"seq": 4, "rev": 9, "role": "agent", "state": "streaming"},
        "feedback of 2": {"seq": 4, "rev": 9, "role": "agent", "feedback": 2},
    }  # fmt: skip
    for fields in rows.values():
        with pytest.raises(IntegrityError), transaction.atomic():
            Message.objects.create(conversation=row, **fields)


@pytest.mark.django_db(transaction=True)
def test_many_threads_at_once_leave_no_hole_and_lose_nothing():
    talker = Talker(make_site())
    ids = [str(uuid.uuid4()) for _ in range(60)]

    def send(id: str) -> None:
        try:
            talker.says(f"message {id}", id)
        finally:
            connections.close_all() if connection.vendor == "postgresql" else connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, [*ids, *ids]))  # each twice
    check_numbers(talker.row())
    sent = Message.objects.filter(role="visitor").values_list("client_id", flat=True)
    assert sorted(sent) == sorted(ids)
    assert Conversation.objects.count() == 1
