"""Prepared queries: the same rows, as the same instances, as the queryset that they are made of."""

import uuid

import pytest
from django.db.models import IntegerField

from chat.models import Conversation, Message
from chat.prepared import Prepared, Slot
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
