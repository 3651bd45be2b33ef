"""A transcript as staff read it: what replies took is there for who asks, on paper too."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeStaff, MakeVisitor
from tests.servers import Server


@pytest.fixture
def desk(sqlite_server: Server) -> Server:
    return sqlite_server


def test_cost_and_timings_are_shown_on_demand(
    staff: MakeStaff, visitor: MakeVisitor, desk: Server
) -> None:
    mira = visitor().visit(desk.url).open_chat()
    mira.say("/say One.").sees_reply("One.")
    vera = staff("staff").open_newest()
    took = vera.page.locator(".desk-took")
    costs = vera.page.locator("#desk-costs")
    expect(took).to_have_count(1)
    expect(took).to_be_hidden()
    expect(vera.last.locator(".desk-small").first).to_contain_text("scripted")  # who spoke
    vera.page.emulate_media(media="print")
    expect(took).to_be_hidden()
    expect(costs).to_be_hidden()
    vera.page.emulate_media(media="screen")
    costs.locator("summary").press("Enter")
    expect(took).to_be_visible()
    expect(took).to_contain_text("whole reply")
    mira.say("/say Two.").sees_reply("Two.")
    expect(took).to_have_count(2)  # one that came meanwhile
    expect(took.last).to_be_visible()
    vera.page.emulate_media(media="print")
    expect(took.first).to_be_visible()
    expect(costs).to_be_visible()
    vera.page.emulate_media(media="screen")
    vera.page.reload()
    expect(took.first).to_be_hidden()  # nothing of it is kept
