"""Prepared queries: the same rows, as the same instances, as the queryset that they are made of."""

import uuid
from copy import copy

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import IntegerField, Model, QuerySet, TextField, Value

from chat.models import Conversation, Message
from salesagent.prepared import (
    Counting,
    Prepared,
    Slot,
    insert,
    insert_unless_there,
    update,
    update_where,
)
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def said() -> Conversation:
    talker = Talker(make_site())
    talker.says("One")
    talker.gets("Two", sources=[{"title": "Prices", "url": "https://shop.test/"}])
    talker.says("Three")
    return talker.row()


def test_it_gives_what_the_queryset_gives(said):
    prepared = Prepared(
        lambda: Message.objects.filter(
            conversation_id=Slot("conversation"), seq__gt=Slot("seq", IntegerField())
        ).order_by("-seq")
    )
    for seq in (0, 1, 2, 99):  # the second time it is not compiled any more
        plain = Message.objects.filter(conversation=said, seq__gt=seq).order_by("-seq")
        found = prepared.all(conversation=said.id, seq=seq)
        assert [vars(one) | {"_state": 0} for one in found] == [
            vars(one) | {"_state": 0} for one in plain
        ]


def test_related_rows_come_along(said, django_assert_num_queries):
    prepared = Prepared(
        lambda: Conversation.objects.select_related("site__persona__published", "visitor").filter(
            id=Slot("id")
        )
    )
    published = said.site.persona.published
    with django_assert_num_queries(1):
        found = prepared.first(id=said.id)
        assert found is not None
        assert (found.site, found.site.persona.published) == (said.site, published)
        assert found.visitor.id == said.visitor_id
        assert vars(found.site) | {"_state": 0} == vars(said.site) | {"_state": 0}


def test_what_is_found_can_be_changed_and_saved(said):
    found = Prepared(lambda: Message.objects.filter(id=Slot("id"))).first(
        id=said.messages.order_by("seq")[0].id
    )
    assert found is not None
    found.text = "Other words"
    found.save(update_fields=["text"])
    assert said.messages.order_by("seq")[0].text == "Other words"
    assert found.conversation == said


def test_nothing_is_none():
    assert Prepared(lambda: Message.objects.filter(id=Slot("id"))).first(id=uuid.uuid4()) is None


def test_a_missing_value_is_a_fault():
    with pytest.raises(KeyError):
        Prepared(lambda: Message.objects.filter(id=Slot("id"))).first(ids=uuid.uuid4())


def _values(message: Message) -> dict[str, object]:
    return {name: value for name, value in vars(message).items() if not name.startswith("_")}


def test_a_row_is_stored_as_by_save(said, django_assert_num_queries):
    columns = {"conversation": said, "role": "agent", "text": "Ünï 😀 %s", "state": "complete"}
    columns |= {"sources": [{"title": "A % sign"}], "earlier": [], "tools": [{"done": True}]}
    plain = Message.objects.create(seq=90, rev=90, **columns)
    ours = Message(seq=91, rev=91, **columns)
    with django_assert_num_queries(1):
        insert(ours)
    assert not ours._state.adding
    stored = Message.objects.get(id=ours.id)
    assert _values(stored) == _values(Message.objects.get(id=plain.id)) | {
        "id": ours.id, "seq": 91, "rev": 91, "created": ours.created
    }  # fmt: skip


def test_each_row_of_a_statement_has_its_own_columns(said):
    """Defaults stand in the statement itself, and one row's default is another's value."""
    rows = [
        Message(conversation=said, seq=seq, rev=seq, role="agent", **columns)
        for seq, columns in enumerate(
            (
                {},
                {"spoken": True, "attempt": 0, "feedback": 0, "earlier": ["", {"%s": None}]},
                {"attempt": 2, "text": "NULL", "name": "''", "feedback": 1},
            ),
            start=90,
        )
    ]
    insert_unless_there(*rows)
    for row in rows:
        assert _values(Message.objects.get(id=row.id)) == _values(row)


def test_a_row_is_made_as_django_makes_it(said):
    plain = Model.from_db.__func__  # type: ignore[attr-defined]
    names = [field.attname for field in Message._meta.concrete_fields]
    values = list(Message.objects.filter(id=said.messages.first().id).values_list(*names)[0])
    ours, theirs = (
        Message.from_db("default", names, values),
        plain(Message, "default", names, values),
    )
    assert vars(ours) | {"_state": 0} == vars(theirs) | {"_state": 0}
    assert (ours._state.adding, ours._state.db) == (theirs._state.adding, theirs._state.db)
    assert ours._state.fields_cache == theirs._state.fields_cache


def test_a_column_that_was_left_out_is_read_when_asked_for(said, django_assert_num_queries):
    with django_assert_num_queries(2):
        some = Message.objects.only("seq").get(conversation=said, seq=2)
        assert some.text == "One"
    assert copy(some).text == "One"


def test_a_broken_transaction_takes_no_more_statements(said):
    prepared = Prepared(lambda: Message.objects.filter(id=Slot("id")))
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            prepared.all(id=said.id)


def test_fields_are_stored_only_where_others_hold(said):
    message = said.messages.get(seq=2)
    message.text = "Other"
    assert not update_where(message, ("text",), {"state": "streaming", "attempt": 1})
    assert not update_where(message, ("text",), {"state": "complete", "attempt": 2})
    assert said.messages.get(seq=2).text == "One"
    assert update_where(message, ("text",), {"state": "complete", "attempt": 1})
    assert said.messages.get(seq=2).text == "Other"


def test_what_a_constraint_forbids_is_not_stored(said):
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(Message(conversation=said, seq=1, rev=99, role="agent"))
    assert said.messages.filter(rev=99).count() == 0


def test_a_row_that_another_excludes_is_left_out(said):
    there, fits, again = (
        Message(conversation=said, seq=seq, rev=99, role="agent") for seq in (1, 98, 98)
    )
    assert insert_unless_there(there, fits, again) == [fits]
    assert insert_unless_there(there) == []
    assert list(said.messages.filter(rev=99)) == [fits]
    assert fits._state.db == "default"


@pytest.mark.parametrize("prepares", [True, False])
def test_plans_are_kept_of_these_statements_alone(said, settings, prepares):
    settings.DATABASE_PREPARES = prepares
    ours, plain = (f"n{uuid.uuid4().hex}" for _ in range(2))

    def named(name: str, id: object) -> "QuerySet[Message]":
        return Message.objects.annotate(**{name: Value(1)}).filter(id=id)

    prepared = Prepared(lambda: named(ours, Slot("id")))
    for _ in range(7):  # a driver left to itself prepares what it is asked for the sixth time
        prepared.raw(id=said.id)
        list(named(plain, said.id))
    if connection.vendor != "postgresql":
        return  # no plans are kept there, and it answers all the same
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        kept = " ".join(statement for (statement,) in cursor.fetchall())
    assert (ours in kept, plain in kept) == (prepares, False)


def test_fields_are_stored_as_by_save(said, django_assert_num_queries):
    message = said.messages.get(seq=2)
    before = _values(message)
    message.text, message.sources, message.feedback = "Other", [], -1
    message.error_code = "failed"  # and not stored
    with django_assert_num_queries(1):
        update(message, "text", "sources", "feedback")
    assert _values(said.messages.get(seq=2)) == before | {
        "text": "Other", "sources": [], "feedback": -1
    }  # fmt: skip


def test_a_row_is_counted_and_read_in_one_statement(said, django_assert_num_queries):
    counting = Counting(Conversation, "rev", summary=Slot("words", TextField()))
    before = vars(said) | {"_state": 0}
    for rev in (said.rev + 1, said.rev + 2):  # the second time it is not compiled any more
        with django_assert_num_queries(1):
            found = counting.first(pk=said.id, words="Short %s")
        assert found is not None
        stored = vars(Conversation.objects.get(id=said.id)) | {"_state": 0}
        assert vars(found) | {"_state": 0} == stored
        assert stored.items() >= (before | {"rev": rev, "summary": "Short %s"}).items()
    assert counting.first(pk=uuid.uuid4(), words="") is None


def test_two_that_count_for_the_first_time_both_count(said, monkeypatch):
    """A thread that is interrupted while it compiles leaves nothing half made to another."""
    counting = Counting(Conversation, "rev")
    compile, revs = Prepared._compile, []

    def interrupted(self: Prepared[Conversation]) -> object:
        compiled = compile(self)
        if not revs:
            revs.append(0)
            revs.append(counting.first(pk=said.id).rev)  # another's
        return compiled

    monkeypatch.setattr(Prepared, "_compile", interrupted)
    revs.append(counting.first(pk=said.id).rev)
    assert revs == [0, said.rev + 1, said.rev + 2]


def test_a_fresh_row_is_what_the_class_makes(said):
    given = {"conversation": said, "seq": 7, "rev": 8, "role": "agent", "name": "%s"}
    ours, theirs = Message.fresh(**given), Message(**given)
    assert vars(ours).keys() == vars(theirs).keys()
    assert _values(ours) == _values(theirs) | {"id": ours.id, "created": ours.created}
    assert (ours._state.adding, ours._state.db) == (theirs._state.adding, theirs._state.db)
    assert ours._state.fields_cache == theirs._state.fields_cache
    other = Message.fresh(**given)
    other.sources.append({"title": "Its own"})
    assert (ours.sources, ours.id != other.id) == ([], True)
    assert Message.fresh(**given, id=ours.id, sources=[1]).sources == [1]


def test_a_row_that_is_gone_is_a_fault(said):
    message = said.messages.get(seq=2)
    Message.objects.filter(id=message.id).delete()
    with pytest.raises(DatabaseError):
        update(message, "text")
