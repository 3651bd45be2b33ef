"""Beside a persona's form: versions compared, a draft that answers, real questions asked again."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.signals import request_finished
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from chat import backends, personas, process
from chat.database import close_after_request, query
from chat.llm.guided import Guided
from chat.models import Conversation, Message, Persona, Site, StaffProfile
from tests.admin.desk import ESCAPED, HOSTILE, page, queries, talk

pytestmark = pytest.mark.django_db


def form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Robin of acme",
        "agent_name": "Robin",
        "instructions": "You are {agent}. Sell {company} well.",
        "tools": ["save_lead", "hand_over", "offer_replies"],
        **changes,
    }


def compared(client: Client, persona: Persona, old: int, new: int) -> str:
    return page_of(client, "compare", persona, old=old, new=new)


def page_of(client: Client, name: str, persona: Persona, **query: Any) -> str:
    return page(client, f"chat_persona_{name}", persona.pk, **query)


def test_any_two_versions_are_compared(staff: Client, site: Site) -> None:
    persona = site.persona
    personas.save_version(persona, instructions=f"Sell {{company}} kindly. {HOSTILE}", tone="warm")
    personas.save_version(persona, limits="No discounts.", tools_off=["hand_over"])
    text = compared(staff, persona, 1, 3)
    assert "<ins>kindly</ins>" in text
    assert "<del>well</del>" in text
    assert "<ins>warm</ins>" in text
    assert "<ins>No discounts.</ins>" in text
    assert "<ins>hand_over</ins>" in text
    assert HOSTILE not in text
    assert ESCAPED.split("&gt;")[0] in text.replace("<ins>", "").replace("</ins>", "")
    assert "<ins>well</ins>" in compared(staff, persona, 3, 1)  # the other way round
    assert "These two say the same." in compared(staff, persona, 2, 2)
    assert "Choose two versions." in compared(staff, persona, 1, 99)


def test_tools_and_tone_are_saved_with_the_version(staff: Client, site: Site) -> None:
    path = reverse("admin:chat_persona_change", args=[site.persona.pk])
    staff.post(path, form(tools=["save_lead"], tone="warm", limits="No\r\ndiscounts"))
    version = site.persona.versions.get(number=2)
    assert (version.tone, version.limits) == ("warm", "No\ndiscounts")
    assert set(version.tools_off) == {"hand_over", "offer_replies"}
    staff.post(path, form(tools=["save_lead"], tone="warm", limits="No\r\ndiscounts"))
    assert site.persona.versions.count() == 2


def test_greeting_and_suggestions_are_saved_compared_and_looked_over(
    staff: Client, site: Site
) -> None:
    path = reverse("admin:chat_persona_change", args=[site.persona.pk])
    begins = {"greeting": "Hello,\r\nI am {agent}.", "suggestions": " Prices?\r\n\r\nDelivery? "}
    assert staff.post(path, form(**begins)).status_code == 302
    version = site.persona.versions.get(number=2)
    assert version.greeting == "Hello,\nI am {agent}."
    assert version.suggestions == ["Prices?", "Delivery?"]
    staff.post(path, form(**begins))
    assert site.persona.versions.count() == 2
    assert "Prices?\nDelivery?</textarea>" in staff.get(path).content.decode()
    text = compared(staff, site.persona, 1, 2)
    assert "<ins>Hello,\nI am {agent}.</ins>" in text
    assert "<ins>Prices?\nDelivery?</ins>" in text
    read = page(staff, "chat_personaversion_change", version.pk)
    assert "I am {agent}." in read
    assert "Delivery?" in read
    assert "At most six." in staff.post(path, form(suggestions="a\n" * 7)).content.decode()
    hints = reverse("admin:chat_persona_lint")
    wrong = {"greeting": f"Hi {{name}}, all is free of charge. {HOSTILE * 4}", "suggestions": "{x}"}
    found = staff.post(hints, {"instructions": "x", **wrong}).content.decode()
    for part in ("{name} is not filled in", "“free of charge”", "Long for a first look", "{x} is"):
        assert part in found, part
    assert HOSTILE not in found


def test_how_it_sounds_is_compared_too(staff: Client, site: Site) -> None:
    personas.save_version(site.persona, voice="emily", voice_speed=1.2)
    text = compared(staff, site.persona, 1, 2)
    assert "<ins>emily</ins>" in text
    assert "<ins>1.2</ins>" in text


def test_rolling_back_is_one_click_and_stands_in_the_log(
    staff: Client, site: Site, vera: User
) -> None:
    persona = site.persona
    newer = personas.save_version(persona, instructions="Sell harder.")
    personas.publish(newer)
    text = page(staff, "chat_persona_change", persona.pk)
    assert "Roll back to version 1" in text
    assert f"{reverse('admin:chat_persona_compare', args=[persona.pk])}?old=1&amp;new=2" in text
    staff.post(reverse("admin:chat_persona_publish", args=[persona.pk, 1]))
    persona.refresh_from_db()
    assert persona.published.number == 1
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (vera, "Published version 1")


def test_what_stands_out_is_said_of_the_words_in_the_form(staff: Client, site: Site) -> None:
    path = reverse("admin:chat_persona_lint")
    text = staff.post(path, {"instructions": f"Greet {{name}} {HOSTILE}"}).content.decode()
    assert "{name} is not filled in" in text
    assert HOSTILE not in text
    assert staff.get(path).status_code == 405


# --- A draft that answers -------------------------------------------------------------------------


async def events(client: AsyncClient, path: str, **sent: Any) -> list[dict[str, Any]]:
    response = await client.post(path, sent)
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/x-ndjson"
    assert "no-store" in response["Cache-Control"]
    body = b"".join([piece async for piece in response.streaming_content])
    return [json.loads(line) for line in body.splitlines()]


@pytest.fixture
def awaited(
    transactional_db: Any, vera: User, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AsyncClient]:
    """A line to a process that has started, and whose guided seller answers."""

    async def started() -> None:
        pass

    monkeypatch.setattr(process, "startup", started)
    monkeypatch.setattr(backends, "chain", lambda: [(Guided(delay=0), "")])
    # The test's client ends a request on the loop itself, where a server has a thread for that.
    request_finished.disconnect(dispatch_uid="chat.database")
    client = AsyncClient()
    client.force_login(vera)
    yield client
    request_finished.connect(close_after_request, dispatch_uid="chat.database")


async def test_the_draft_in_the_form_is_streamed_to_its_page(
    awaited: AsyncClient, site: Site
) -> None:
    path = reverse("admin:chat_persona_try", args=[site.persona_id])
    sent = form(agent_name="Nightingale", talk=json.dumps([["visitor", "who are you?"]]))
    told = await events(awaited, path, **sent)
    assert "Nightingale" in "".join(event.get("text", "") for event in told)
    assert told[-1]["done"]["model"] == "guided"
    assert await Conversation.objects.acount() == 0
    assert await site.persona.versions.acount() == 1


async def test_a_real_question_is_answered_again_and_stays_as_it_was(
    awaited: AsyncClient, site: Site
) -> None:
    row = await query(talk, site, "who are you?", "and the price?")
    reply = await row.messages.filter(reply_to__isnull=False).order_by("seq").afirst()
    before = [each async for each in Message.objects.order_by("seq").values()]
    path = reverse("admin:chat_persona_try", args=[site.persona_id])
    told = await events(awaited, path, **form(agent_name="Nightingale", reply=str(reply.pk)))
    assert "Nightingale" in "".join(event.get("text", "") for event in told)
    assert [each async for each in Message.objects.order_by("seq").values()] == before


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"talk": "[]"}, "Nothing was asked."),
        ({"talk": "nonsense"}, "Nothing was asked."),
        ({"talk": '[["agent", "hi"]]'}, "Nothing was asked."),
        ({"talk": "[" * 5000}, "Nothing was asked."),
        ({"talk": '[["visitor"]]'}, "Nothing was asked."),
        ({"reply": "nonsense"}, "That question is no more."),
        ({"reply": "0" * 32}, "That question is no more."),
        ({"talk": '[["visitor", "hi"]]', "instructions": ""}, "This field is required."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    staff: Client, site: Site, sent: dict[str, str], words: str
) -> None:
    path = reverse("admin:chat_persona_try", args=[site.persona_id])
    response = staff.post(path, form(**sent))
    assert (response.status_code, response.json()) == (400, {"error": words})


def test_questions_of_another_persona_are_not_asked_again(staff: Client, site: Site) -> None:
    other = Persona.objects.create(name="Other")
    row = talk(site, "hello")
    reply = row.messages.get(reply_to__isnull=False)
    path = reverse("admin:chat_persona_try", args=[other.pk])
    assert staff.post(path, form(name="Other", reply=str(reply.pk))).status_code == 400


def test_past_questions_are_shown_with_their_answers(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    row = talk(site, "How wide is it?", HOSTILE)
    Message.objects.filter(text="About that: How wide is it?").update(feedback=-1)
    text = page_of(staff, "questions", site.persona)
    assert "About that: How wide is it?" in text
    assert HOSTILE not in text
    assert ESCAPED in text
    reply = row.messages.get(text="About that: How wide is it?")
    took = {"duration_ms": 2210, "input_tokens": 1240, "output_tokens": 62, "first_word_ms": 430}
    answer = {"cost": Decimal("0.000312"), "model": "gpt-6-luna", "state": "failed"}
    sources = [{"title": "Sizes", "url": "javascript:alert(1)"}]
    Message.objects.filter(pk=reply.pk).update(**took, **answer, sources=sources)
    asked = page_of(staff, "questions", site.persona, q=" how WIDE ")
    assert "How wide is it?" in asked
    assert ESCAPED not in asked
    for part in (
        f'data-again="{reply.pk}" data-old-ms="2210" data-old-cost="0.000312"',
        *("first word 430 ms", "whole reply 2.2 s", "1,240 + 62 tokens", "$0.000312", "Sizes"),
        *("gpt-6-luna", "Robin of acme v1", ">failed<", "found unhelpful"),
    ):
        assert part in asked, part
    assert "javascript:" not in asked
    assert "There are none." in page_of(staff, "questions", site.persona, q="wide deep")
    bad = page_of(staff, "questions", site.persona, which="bad")
    assert "How wide" in bad
    assert ESCAPED not in bad
    assert row.pk


MESSAGES = 'SELECT "chat_message".'


def test_past_questions_ask_as_often_for_many_as_for_few(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    def asked(**query: str) -> int:
        with django_assert_max_num_queries(20) as found:
            page_of(staff, "questions", site.persona, **query)
        # A limit makes PostgreSQL hope to find enough soon, and go through all messages in vain.
        of_messages = [each["sql"] for each in found if each["sql"].startswith(MESSAGES)]
        assert of_messages
        assert not [sql for sql in of_messages if "LIMIT" in sql]
        return len(found)

    talk(site, "Question 0")
    Message.objects.exclude(reply_to=None).update(feedback=-1)
    ways: list[dict[str, str]] = [{}, {"which": "bad"}, {"q": "question"}]
    few = [asked(**query) for query in ways]
    for n in range(1, 9):
        talk(site, f"Question {n}", f"Question {n}, again")
        personas.save_version(site.persona, instructions=f"Number {n}")
    assert [asked(**query) for query in ways] == few


def test_the_newest_past_questions_stand_first(
    staff: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.admin.workbench.QUESTIONS", 3)
    monkeypatch.setattr("chat.admin.workbench.TALKS", 4)
    now = timezone.now()
    for n in range(5):
        row = talk(site, *(f"Question {n}{letter}?" for letter in "abcd"))
        Conversation.objects.filter(pk=row.pk).update(updated=now - timedelta(days=n))
        for message in row.messages.all():
            # The first of each talk is old: what counts is when a question was answered.
            ago = timedelta(days=9 if "a?" in message.text else n, seconds=-message.seq)
            Message.objects.filter(pk=message.pk).update(created=now - ago)

    def asked(**query: str) -> list[str]:
        text = page_of(staff, "questions", site.persona, **query)
        return re.findall(r"About that: (Question \w+)", text)

    assert asked() == ["Question 0d", "Question 0c", "Question 0b"]
    assert asked(q="c?") == ["Question 0c", "Question 1c", "Question 2c"]
    assert asked(q="2") == ["Question 2d", "Question 2c", "Question 2b"]
    assert asked(q="4") == []  # of the newest talks alone
    Message.objects.filter(
        text__in=["About that: Question 3b?", "About that: Question 1a?"]
    ).update(feedback=-1)
    assert asked(which="bad") == ["Question 3b", "Question 1a"]


def test_past_questions_are_the_newest_of_the_sites_that_somebody_sees(
    staff: Client, vera: User, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.admin.workbench.TALKS", 1)
    other = Site.objects.create(name="Other", key="other", persona=site.persona)
    talk(site, "How wide is it?")
    talk(other, "How deep is it?")
    assert "How deep" in page_of(staff, "questions", site.persona)
    StaffProfile.objects.create(user=vera).sites.add(site)
    text = page_of(staff, "questions", site.persona)
    assert "How wide" in text
    assert "How deep" not in text


def test_a_personas_page_asks_as_often_for_many_versions(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    few = queries(staff, django_assert_max_num_queries(30), "chat_persona_change", site.persona.pk)
    for n in range(8):
        personas.save_version(site.persona, instructions=f"Number {n}")
    many = queries(staff, django_assert_max_num_queries(30), "chat_persona_change", site.persona.pk)
    assert many == few


RIGHTS = {
    "compare": "view_persona",
    "lint": "view_persona",
    "try": "change_persona",
    "questions": "change_persona",
}


@pytest.mark.parametrize("rights", [(), ("view_persona",), ("view_persona", "change_persona")])
def test_each_page_asks_for_its_own_right(site: Site, rights: tuple[str, ...]) -> None:
    user = User.objects.create_user("temp", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    for name, right in RIGHTS.items():
        args = [] if name == "lint" else [site.persona_id]
        path = reverse(f"admin:chat_persona_{name}", args=args)
        asked = client.get if name in ("compare", "questions") else client.post
        allowed = right in rights and name != "questions"  # those are visitors' words as well
        assert (asked(path).status_code != 403) == allowed, name
    reply = client.post(
        reverse("admin:chat_persona_try", args=[site.persona_id]), form(reply="0" * 32)
    )
    assert reply.status_code == 403
