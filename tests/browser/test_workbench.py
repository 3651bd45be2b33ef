"""A persona's draft is tried out beside its form, in Chromium."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import STAFF_PASSWORD, Server


@pytest.fixture
def desk(browser: Browser, sqlite_server: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{sqlite_server.url}/admin/login/")
    page.get_by_label("Username").fill("staff")
    page.get_by_label("Password").fill(STAFF_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{sqlite_server.url}/admin/")
    yield page
    context.close()


def test_a_draft_answers_beside_its_form(desk: Page, sqlite_server: Server) -> None:
    broken: list[str] = []
    desk.on("pageerror", lambda error: broken.append(str(error)))
    desk.goto(f"{sqlite_server.url}/admin/chat/persona/")
    desk.locator("#result_list tbody a").first.click()
    hints = desk.locator("#lint li")
    expect(hints.first).to_contain_text("tokens")
    desk.get_by_label("Instructions").fill("Greet {name}, <b>please</b>.")
    expect(hints.first).to_contain_text("{name} is not filled in")
    desk.get_by_label("Agent's name").fill("Nightingale")
    lines = desk.locator("#try-lines li")
    desk.get_by_label("Greeting").fill("{agent} of {company}, <b>hello</b>!")
    desk.get_by_role("textbox", name="Suggestions").fill("/words 5 1\nWhat does it cost?")
    desk.get_by_label("Tone").focus()
    expect(lines.locator(".desk-bubble")).to_have_text(["Nightingale of Haulberry, <b>hello</b>!"])
    offered = desk.get_by_role("group", name="Suggestions").get_by_role("button")
    expect(offered).to_have_text(["/words 5 1", "What does it cost?"])
    offered.first.click()
    expect(offered).to_have_count(0)
    answer = desk.locator("#try-lines li[data-role=agent]").nth(1)
    expect(answer).to_contain_text("Nightingale")
    expect(answer.locator(".desk-bubble")).to_have_text("w1 w2 w3 w4 w5")
    expect(answer.locator(".desk-small")).to_contain_text("ms")
    desk.get_by_role("button", name="The newest").click()
    again = desk.locator(".desk-again")
    again.first.get_by_role("button", name="Answer it again").click()
    expect(again.first.locator(".desk-line .desk-small")).to_contain_text("whole reply")
    total = desk.locator("#again-total")
    told = r"1 answered again\. Then: [\d.]+ m?s each, \$0 in all\. The draft: [\d.]+ m?s each"
    expect(total).to_contain_text(re.compile(told))
    desk.get_by_role("searchbox", name="Words of the question").fill("volume")
    desk.get_by_role("button", name="The newest").click()
    expect(again).to_have_count(1)
    desk.get_by_role("searchbox", name="Words of the question").fill("")
    desk.get_by_role("button", name="The newest").click()
    asked = again.count
    expect(again.nth(3)).to_be_visible()
    desk.get_by_role("button", name="Answer all of these again").click()
    expect(total).to_contain_text(f"{asked()} answered again.", timeout=60_000)
    desk.get_by_role("button", name="Begin anew").click()
    expect(lines).to_have_count(1)  # the greeting
    expect(offered).to_have_count(2)
    words = desk.get_by_role("textbox", name="Ask as a visitor would")
    words.fill("/words 3 1")
    words.press("Enter")
    expect(lines.last.locator(".desk-bubble")).to_have_text("w1 w2 w3")
    expect(lines).to_have_count(3)
    assert broken == []
