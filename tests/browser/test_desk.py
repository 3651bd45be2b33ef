"""The whole story in two browsers: a visitor asks, staff watch, take over, answer, hand back."""

import time

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import MakeStaff, MakeVisitor
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.servers import STAFF_PASSWORD, Server


@pytest.fixture(scope="module")
def desk(session_stack: MakeStack) -> Server:
    """A server with two members of staff, Vera and Omar."""
    made = session_stack()
    made.manage("seed_demo", "--password", STAFF_PASSWORD)
    people = f"""
from chat.models import StaffProfile
from chat.staff import add_staff
for name in ("vera", "omar"):
    add_staff(name, {STAFF_PASSWORD!r})
vera = StaffProfile.objects.create(user_id=2, shown_name="Vera Lindt")
"""
    made.manage("shell", "-c", people)
    return made.server


@pytest.fixture
def mira(visitor: MakeVisitor, desk: Server) -> Visitor:
    return visitor().visit(desk.url).open_chat()


def test_the_whole_story(mira: Visitor, staff: MakeStaff, desk: Server) -> None:
    mira.say("/words 600 100")
    expect(mira.last_reply).to_contain_text("w4")
    vera = staff().open_newest()
    # Watches: the words come as they are written, and the visitor's typing shows.
    expect(vera.last).to_contain_text("w20")
    # Takes over: the reply ends, the visitor sees who speaks, the agent is silent.
    vera.take_over()
    expect(vera.speaker).to_have_text("You answer; the agent is silent.")
    expect(mira.replies.last).to_have_attribute("data-state", "interrupted")
    expect(mira.rows.last).to_contain_text("Vera Lindt from our team has joined")
    mira.field.press_sequentially("Is that")
    expect(vera.typing).to_have_text("The visitor is typing …")
    mira.say("Is that a person?")
    expect(vera.last.locator(".desk-bubble")).to_have_text("Is that a person?")
    # Answers, and the visitor sees by whom.
    vera.say("Yes, I am Vera.")
    said = mira.panel.locator('.row[data-role="staff"]').last
    expect(said).to_contain_text("Yes, I am Vera.")
    expect(said).to_contain_text("Vera Lindt")
    expect(vera.last).to_have_attribute("data-state", "complete")
    # Nobody else takes the same one.
    omar = staff("omar").open_newest()
    expect(omar.speaker).to_have_text("Vera Lindt answers; the agent is silent.")
    expect(omar.button("Take over")).to_be_hidden()
    # Hands back: the agent answers what comes next.
    vera.hand_back("She wants ten desks.")
    expect(vera.speaker).to_have_text("The agent answers.")
    expect(mira.rows.last).to_contain_text("the assistant answers again")
    mira.say("/say Here I am again.").sees_reply("Here I am again.")
    expect(vera.last.locator(".desk-bubble")).to_have_text("Here I am again.")
    expect(vera.last).to_contain_text("whole reply")  # what it took, which only staff see
    before = mira.texts()
    mira.page.reload()
    expect(mira.rows).to_have_count(len(before))
    assert mira.texts() == before


def test_messages_that_come_at_once_stand_there_once(mira: Visitor, staff: MakeStaff) -> None:
    mira.ask("/say Hi.")
    vera = staff().open_newest()
    shown = vera.lines.count()

    def slow(route: Route) -> None:
        time.sleep(0.4)
        route.continue_()

    vera.page.route("**/lines/*/", slow)
    vera.take_over()
    for text in ("One", "Two", "Three"):
        mira.say(text)
    # Their times come with the details, which a request each brings.
    expect(vera.page.locator(".desk-line time")).to_have_count(shown + 4)
    expect(vera.lines).to_have_count(shown + 4)
