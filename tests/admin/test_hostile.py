"""Hostile texts on staff's pages are text: no page has one tag or attribute more because of them.

`tests/browser/test_hostile.py` opens such pages in Chromium.
"""

import json
import random
import uuid
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from chat import audit, tools, wire
from chat.identity import Signed
from chat.llm import ToolCall
from chat.models import Conversation, Lead, Message, Site, Visitor
from tests.admin.desk import page, transcript
from tests.base import Talker
from tests.hostile import ALONE, KINDS, TEXTS, one_line, packed

pytestmark = pytest.mark.django_db


class Skeleton(HTMLParser):
    """The tags of a page with the names of their attributes, and every address it leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.addresses: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        links = ("href", "src", "action", "formaction", "poster", "data")
        self.addresses += [value or "" for name, value in attrs if name in links]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment",))

    def handle_decl(self, decl: str) -> None:
        self.tags.append(("declaration", decl))


def fill(site: Site, row: Conversation, text: str) -> None:
    """Everything that a visitor, a host page or a model sets, is this."""
    words = {"page_url": text, "page_title": text[:300], "referrer": text, "locale": text[:35]}
    words["campaign"] = text[:200]
    Conversation.objects.filter(pk=row.pk).update(summary=text, **words)
    Message.objects.filter(conversation=row).update(
        text=text, feedback=-1, feedback_comment=text, error_code=text[:30], error_text=text
    )
    reply = Message.objects.filter(conversation=row, role="agent")
    reply.update(
        sources=[{"title": text, "url": text}],
        earlier=[{"text": text}],
        tools=[{"name": text}],
        replies=[text],
        model=text[:120],
    )
    Visitor.objects.filter(pk=row.visitor_id).update(
        name=text[:120], email=text[:254], external_id=text, locale=text[:35]
    )
    values = {"name": text[:120], "email": text[:254], "phone": text[:40], "company": text[:120]}
    Lead.objects.filter(conversation=row).update(note=text, words=text, **values)


@pytest.fixture
def row(site: Site) -> Conversation:
    """A conversation of a signed-in visitor, with a lead."""
    talker = Talker(site)
    talker.signed = Signed("42", "ada@visitor.example", "Ada")
    talker.says("hello")
    talker.gets("Hello yourself.")
    found = talker.row()
    Lead.objects.create(conversation=found, site=site, name="Ada")
    return found


def pages(row: Conversation, text: str) -> dict[str, str]:
    lead = Lead.objects.get()
    return {
        "list": reverse("admin:chat_conversation_changelist"),
        "talk": reverse("admin:chat_conversation_change", args=[row.pk]),
        "history": reverse("admin:chat_conversation_history", args=[row.pk]),
        "delete": reverse("admin:chat_conversation_delete", args=[row.pk]),
        "leads": reverse("admin:chat_lead_changelist"),
        "lead": reverse("admin:chat_lead_change", args=[lead.pk]),
        "lead history": reverse("admin:chat_lead_history", args=[lead.pk]),
        "lead delete": reverse("admin:chat_lead_delete", args=[lead.pk]),
        "visitors": reverse("admin:chat_visitor_changelist"),
        "visitor": reverse("admin:chat_visitor_change", args=[row.visitor_id]),
        "visitor delete": reverse("admin:chat_visitor_delete", args=[row.visitor_id]),
    }


PLAIN = "Nothing but words"
HARMLESS = ("/", "#", "?", "mailto:", "tel:", "")


def in_fields() -> list[str]:
    """What might be taken for markup, several texts in each of the fields."""
    lines = [one_line(text) for kind in KINDS if kind not in ALONE for text in KINDS[kind]]
    return [text[:118] for text in packed(lines, 118, " ")]


def opened_once(row: Conversation) -> None:
    """The log, which the history shows, has one line of it."""
    LogEntry.objects.all().delete()
    audit.note(User.objects.get(username="root").pk, row.pk, audit.OPENED)


def test_no_text_adds_a_tag_or_an_attribute_to_any_page(
    site: Site, row: Conversation, root: Client
) -> None:
    """Each page with each text is built as with plain words, and leads nowhere else."""
    fill(site, row, PLAIN)
    expected = {}
    for name, path in pages(row, PLAIN).items():
        opened_once(row)
        expected[name] = Skeleton(got(root, path))
    assert len(expected["talk"].tags) > 200
    rng, seen = random.Random(1), set()
    for text in in_fields():
        fill(site, row, text)
        every = pages(row, text)
        # Each text on some pages, each page with some texts.
        for name in {"talk", *rng.sample(sorted(every), 2)}:
            seen.add(name)
            opened_once(row)
            found = Skeleton(got(root, every[name]))
            assert kinds(found) == kinds(expected[name]), (name, text)
            odd = [it for it in found.addresses if not it.startswith(HARMLESS)]
            assert all(it == text and it.startswith("https://") for it in odd), (name, odd)
    assert seen == set(expected)


def test_no_message_adds_a_tag_to_the_transcript(site: Site, staff: Client) -> None:
    found = []
    for texts in ([PLAIN] * len(TEXTS), TEXTS):
        talker = Talker(site)
        talker.says("hello")
        talker.gets("Hello.")
        row = talker.row()
        numbers = iter(range(row.last_seq + 1, 10_000))
        rows = [
            Message(conversation=row, seq=seq, rev=seq + 9, role=role, text=text)
            for text in texts
            for role in ("staff", "agent")
            for seq in [next(numbers)]
        ]
        Message.objects.bulk_create(rows)
        found.append(Skeleton(transcript(staff, row)))
    plain, hostile = found
    assert len(kinds(plain)) > 2000
    assert kinds(hostile) == kinds(plain)


def kinds(skeleton: Skeleton) -> list[tuple[str, ...]]:
    """Without what a text may well make: bold words, and a link where it is a web address."""
    bold = {("strong",), ("/strong",)}
    links = ("a", "class", "href", "target", "rel")
    tags = [tag for tag in skeleton.tags if tag not in bold]
    return [tag for tag in tags if tag not in (links, ("a", "class", "href"), ("/a",))]


def got(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def test_a_search_for_a_text_shows_it_as_text(site: Site, row: Conversation, root: Client) -> None:
    fill(site, row, PLAIN)
    expected = {
        name: kinds(Skeleton(page(root, name, q="no such words")))
        for name in ("chat_conversation_changelist", "chat_lead_changelist")
    }
    for text in TEXTS[::12]:
        for name, tags in expected.items():
            found = Skeleton(page(root, name, q=f"{text} no-such-words"))
            assert kinds(found) == tags, (name, text)


def test_the_admins_log_shows_a_name_as_text(site: Site, row: Conversation, root: Client) -> None:
    """In the list of what was done last, and on the row's own history."""
    lead = Lead.objects.get()
    path = reverse("admin:chat_lead_changelist")
    take = {"action": "take", "_selected_action": [str(lead.pk)]}
    index = reverse("admin:index")
    Lead.objects.update(name=PLAIN)
    root.post(path, take)
    expected = kinds(Skeleton(got(root, index)))
    for text in TEXTS[::10]:
        Lead.objects.update(name=text[:120], owner=None)
        LogEntry.objects.all().delete()
        root.post(path, take)
        assert LogEntry.objects.count() == 1
        assert kinds(Skeleton(got(root, index))) == expected, text


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


# --- What a model says of a visitor --------------------------------------------------------------


@pytest.mark.parametrize("text", [*TEXTS, "a\u202egnp.exe"])
def test_no_tool_carries_what_turns_a_line_around(text: str) -> None:
    """A note, a reason and the words on buttons, which a model may make up, bear no override."""
    calls = {
        "save_lead": {"note": text, "name": text},
        "hand_over": {"reason": text},
        "offer_replies": {"replies": [text, f"{text} or not"]},
    }
    for name, arguments in calls.items():
        action = tools.parse(ToolCall("1", name, json.dumps(arguments)), words=text)
        for words in tools.words(action):
            assert wire.drop_controls(words) == words


# --- There and back -------------------------------------------------------------------------------


def letters(rng: random.Random) -> str:
    points: list[Callable[[], int]] = [
        lambda: rng.randrange(0x20, 0x250),
        lambda: rng.randrange(0x250, 0xD800),
        lambda: rng.randrange(0xE000, 0x110000),
    ]
    return "".join(chr(rng.choice(points)()) for _ in range(rng.randrange(1, 300)))


@pytest.mark.django_db
def test_every_text_comes_back_as_it_was_cleaned(site: Site, staff: Client) -> None:
    """Out of the database, on the wire, and on staff's page; on PostgreSQL as on SQLite."""
    rng = random.Random(22)
    texts = [wire.clean(text) for text in (*TEXTS, *(letters(rng) for _ in range(200)))]
    texts = [text for text in texts if text]
    talker = Talker(site)
    for text in texts:
        client_id = str(uuid.uuid4())
        frame = wire.parse(wire.encode({"type": "message", "client_id": client_id, "text": text}))
        assert isinstance(frame, wire.Say)
        assert frame.text == text
        talker.says(frame.text, client_id)
    stored = [row for row in talker.messages() if row.role == "visitor"]
    assert [row.text for row in stored] == texts
    for row in stored:
        assert json.loads(wire.encode(wire.message(row.as_frame())))["message"]["text"] == row.text
    page = transcript(staff, talker.row())
    for text in texts:
        assert escape(text) in page
    assert "<script>hostile()" not in page
    assert "onerror=hostile()>" not in page
