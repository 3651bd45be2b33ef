"""A day at the desk in one run: a visitor asks, staff watch, take over, answer and hand back, a
lead is there, and a persona that was edited, tried out and published answers differently.

The model's server is a stand-in that says what the persona's instructions tell it to say, so the
answers differ by nothing but the version that is published.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeStaff, MakeVisitor
from tests.browser.desk import Staff
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.servers import DIRECT, ROOT, STAFF_PASSWORD, Server

PRICE = "What does the long bike cost?"
BEFORE, AFTER = "It costs 5,990 euros.", "It costs 5,990 euros, and the first service is free."
ADDRESS = "mira@kita-sonne.example"


class Model:
    """The model's server, in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def does_next(self, *markers: str) -> None:
        """What comes next, whatever is asked; see tests/upstream.py."""
        body = json.dumps({"queue": markers}).encode()
        address = self.url.replace("/v1", "/control")
        DIRECT.open(urllib.request.Request(address, body), timeout=10).close()  # noqa: S310


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    command = [sys.executable, "-m", "tests.upstream"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Model(process.stdout.readline().strip())
        process.terminate()


@pytest.fixture(scope="module")
def desk(session_stack: MakeStack, model: Model) -> Server:
    """A server with Vera, of the group Sales staff, whose persona is told what to say."""
    made = session_stack(env={"CHAT_BACKEND": "completions", "OPENAI_BASE_URL": model.url})
    told = f"""
from chat import personas
from chat.models import Persona, StaffProfile
from chat.staff import add_staff
vera = add_staff("vera", {STAFF_PASSWORD!r})
StaffProfile.objects.create(user=vera, shown_name="Vera Lindt")
version = personas.save_version(
    Persona.objects.get(), author=vera, note="", agent_name="Hal", instructions="[say {BEFORE}]"
)
personas.publish(version, by=vera)
"""
    made.manage("shell", "-c", told)
    return made.server


def test_from_the_question_to_a_better_answer(
    visitor: MakeVisitor, staff: MakeStaff, desk: Server, model: Model
) -> None:
    mira = visitor().visit(desk.url).open_chat()
    asks(mira, PRICE, BEFORE)
    vera = staff().open_newest()
    expect(vera.last.locator(".desk-bubble")).to_have_text(BEFORE)
    watches_and_takes_over(mira, vera, model)
    answers_and_hands_back(mira, vera)
    becomes_a_lead(mira, vera, model)
    number = tries_a_draft(vera)
    # Nobody has published it: Mira is answered as before.
    asks(mira, PRICE, BEFORE)
    vera.button("Save and publish").click()
    expect(vera.page.get_by_text(f"Version {number} is published.")).to_be_visible()
    asks(mira, PRICE, AFTER)
    # Which version said what stands below each.
    vera.open_newest()
    expect(vera.last).to_contain_text(AFTER)
    expect(vera.last).to_contain_text(f"v{number}")
    said = vera.lines.filter(has_text=BEFORE).last
    expect(said).to_contain_text(f"v{number - 1}")


def asks(mira: Visitor, question: str, answer: str) -> None:
    """A reply more is there, with just these words."""
    replies = mira.replies.count()
    mira.say(question)
    expect(mira.replies).to_have_count(replies + 1)
    mira.sees_reply(answer)


def watches_and_takes_over(mira: Visitor, vera: Staff, model: Model) -> None:
    """The words come to staff as they come to Mira, and end where a person takes over."""
    model.does_next("[words 600 100]")
    mira.say("And how far does it go?")
    expect(vera.last).to_contain_text("w10")
    expect(vera.last).not_to_contain_text("w600")
    expect(mira.last_reply).to_contain_text("w10")
    vera.take_over()
    expect(vera.speaker).to_have_text("You answer; the agent is silent.")
    expect(mira.replies.last).to_have_attribute("data-state", "interrupted")
    expect(mira.rows.last).to_contain_text("Vera Lindt from our team has joined")


def answers_and_hands_back(mira: Visitor, vera: Staff) -> None:
    mira.say("Is that a person?")
    expect(vera.last.locator(".desk-bubble")).to_have_text("Is that a person?")
    replies = mira.replies.count()
    vera.say("Yes, I am Vera. Up to 90 kilometres.")
    said = mira.panel.locator('.row[data-role="staff"]').last
    expect(said).to_contain_text("Up to 90 kilometres.")
    expect(said).to_contain_text("Vera Lindt")
    assert mira.replies.count() == replies  # the agent was silent
    vera.hand_back("She asked for the range.")
    expect(vera.speaker).to_have_text("The agent answers.")
    expect(mira.rows.last).to_contain_text("the assistant answers again")


def becomes_a_lead(mira: Visitor, vera: Staff, model: Model) -> None:
    """The agent saves the address that Mira writes, and it is in the list of leads."""
    model.does_next(f'[tool save_lead {{"email": "{ADDRESS}"}}]')
    asks(mira, f"Please write to {ADDRESS}", BEFORE)
    vera.page.goto(f"{vera.server.url}/admin/chat/lead/")
    expect(vera.page.locator("#result_list")).to_contain_text(ADDRESS)
    vera.open_newest()
    expect(vera.page.locator(".desk-side")).to_contain_text(ADDRESS)


def tries_a_draft(vera: Staff) -> int:
    """Edits the persona and talks with what is not even saved; the number it will have."""
    vera.open_persona()
    newest = vera.page.locator("#versions tbody tr").count()
    vera.page.get_by_label("Instructions").fill(f"[say {AFTER}]")
    vera.page.get_by_label("What changed").fill("Names the free service")
    vera.try_out(PRICE)
    expect(vera.tried.locator(".desk-bubble")).to_have_text(AFTER)
    expect(vera.page.locator("#versions tbody tr")).to_have_count(newest)
    return newest + 1
