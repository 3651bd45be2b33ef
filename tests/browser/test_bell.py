"""Somebody waits for a person: staff hear and see it by choice, on whatever page they are."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeStaff, MakeVisitor
from tests.browser.desk import Staff
from tests.servers import Server

NOTES = 2  # of one ring
# In place of the browser's own, which a test can neither hear nor see.
TOLD = """
window.told = {shown: [], notes: 0, asked: 0};
window.Notification = class {
  static permission = "PERMISSION";
  static async requestPermission() {
    told.asked += 1;
    return (Notification.permission = "granted");
  }
  constructor(text, {tag}) {
    told.shown.push([text, tag]);
    told.last = this;
  }
};
const joins = {connect: (next) => next};
window.AudioContext = class {
  currentTime = 0;
  destination = {};
  createOscillator() {
    return {...joins, frequency: {}, start: () => { told.notes += 1; }, stop() {}};
  }
  createGain() {
    return {...joins, gain: {setValueAtTime() {}, exponentialRampToValueAtTime() {}}};
  }
  close() {}
};
"""


@pytest.fixture
def desk(sqlite_server: Server) -> Server:
    return sqlite_server


def settle(one: Staff, *, notify: bool, sound: bool, permission: str = "granted") -> None:
    """Sets in the desk settings how they are told, and waits on the desk's first page."""
    one.page.context.add_init_script(TOLD.replace("PERMISSION", permission))
    one.page.goto(f"{one.server.url}/admin/chat/staffprofile/mine/")
    one.page.get_by_label("Browser notification").set_checked(notify)
    one.page.get_by_label("Sound").set_checked(sound)
    one.page.get_by_role("button", name="Save", exact=True).click()
    one.page.goto(f"{one.server.url}/admin/")
    one.page.wait_for_function("deskLine.words.waiting")  # from now on it hears of news


def calls_for_a_person(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat()
    one.say('/tool hand_over {"reason": "wants a person"}')
    expect(one.rows.filter(has_text="Our team has been told")).to_be_visible()


def heard(one: Staff, number: int) -> str:
    """The conversation that the line in the corner leads to, the `number`th of them."""
    lines = one.page.locator(".desk-bell p")
    expect(lines).to_have_count(number)
    return (lines.last.get_attribute("id") or "").removeprefix("bell-")


def told(one: Staff) -> dict[str, Any]:
    return one.page.evaluate("({shown: told.shown, notes: told.notes, asked: told.asked})")  # type: ignore[no-any-return]


@pytest.mark.parametrize("notify", [True, False])
@pytest.mark.parametrize("sound", [True, False])
def test_who_waits_is_told_as_each_has_chosen(
    staff: MakeStaff, visitor: MakeVisitor, desk: Server, notify: bool, sound: bool
) -> None:
    vera = staff("staff")
    settle(vera, notify=notify, sound=sound)
    calls_for_a_person(visitor, desk)
    waiting = heard(vera, 1)  # always, wherever they are
    words = "Somebody waits for a person (Haulberry)."
    expect(vera.page.locator(f"#bell-{waiting} a")).to_have_text(words)
    assert told(vera) == {
        "shown": [[words, waiting]] if notify else [],
        "notes": NOTES if sound else 0,
        "asked": 0,
    }


def test_a_notification_leads_there_and_the_browser_is_asked_once(
    staff: MakeStaff, visitor: MakeVisitor, desk: Server
) -> None:
    vera = staff("staff")
    settle(vera, notify=True, sound=False, permission="default")
    calls_for_a_person(visitor, desk)
    first = heard(vera, 1)
    vera.page.locator(f"#bell-{first}").get_by_role("button").click()
    expect(vera.page.locator(f"#bell-{first} button")).to_have_count(0)
    assert told(vera) == {"shown": [], "notes": 0, "asked": 1}
    calls_for_a_person(visitor, desk)
    second = heard(vera, 2)
    assert [tag for _text, tag in told(vera)["shown"]] == [second]
    vera.page.evaluate("told.last.onclick()")
    vera.page.wait_for_url(f"**/conversation/{second}/change/")
    # Its line is gone where it is read, and for everybody once somebody has come.
    vera.take_over()
    expect(vera.speaker).to_have_text("You answer; the agent is silent.")
    expect(vera.page.locator(f"#bell-{second}")).to_have_count(0)
