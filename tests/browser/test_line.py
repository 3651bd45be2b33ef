"""The line goes and comes back: nothing is lost, nothing comes twice."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Host
from tests.browser.words import Visitor, words
from tests.conftest import MakeStack
from tests.servers import Server

KEPT = "No connection."


@pytest.fixture
def server(stack: MakeStack) -> Server:
    """A server of the test's own, that it may kill."""
    return stack(fast=True).server


def messages_sent(*visitors: Visitor) -> list[object]:
    return [
        frame["client_id"] for one in visitors for frame in one.sent if frame["type"] == "message"
    ]


def test_a_short_loss_is_not_spoken_of(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    server.kill()
    server.restart()
    one.ask("/say Here again.").sees_reply("Here again.")
    expect(one.line).to_be_hidden()


def test_a_long_loss_is(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    server.kill()
    expect(one.line).to_contain_text(KEPT)
    server.restart()
    expect(one.line).to_be_hidden()


def test_what_cannot_wait_for_a_line_says_so(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    server.kill()
    one.button("More").click()
    one.button("New conversation").click()
    expect(one.line).to_contain_text(KEPT)
    expect(one.rows).to_have_count(3)


def test_words_without_a_line_outlive_a_reload(
    visitor: MakeVisitor, stack: MakeStack, host: Host
) -> None:
    made = stack(fast=True)
    made.manage("seed_demo", "--origin", host.url)
    host.shows(f'<script src="{made.server.url}/widget.js" data-site="demo"></script>')
    one = visitor().visit(host.url).open_chat().ask("Hello")
    made.server.kill()
    one.say("/say I was waiting.")
    one.page.reload()
    expect(one.questions.locator(".bubble")).to_have_text(["/say I was waiting."])
    made.server.restart()
    one.sees_reply("I was waiting.")
    expect(one.questions).to_have_count(2)


def test_a_server_killed_in_mid_reply_leaves_one_whole_bubble(
    visitor: MakeVisitor, server: Server
) -> None:
    one = visitor().visit(server.url).open_chat().say("/words 60 50")
    expect(one.last_reply).to_contain_text("w10")
    server.kill()
    server.restart()
    one.sees_reply(words(60))
    expect(one.rows).to_have_count(3)


def test_of_two_tabs_one_sends(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    other = visitor(like=one).visit(server.url).open_chat()
    expect(other.rows).to_have_count(3)
    server.kill()
    one.say("/say Only once.")
    expect(other.questions).to_have_count(2)  # it waits in both
    one.sent.clear()
    server.restart()
    for tab in (one, other):
        tab.sees_reply("Only once.")
    assert len(messages_sent(one, other)) == 1


def test_a_message_refused_for_good_is_kept_and_marked(
    visitor: MakeVisitor, server: Server
) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    one.page.evaluate(FILL_OUTBOX, "x" * 2001)
    one.page.reload()
    expect(one.questions.last).to_have_attribute("data-state", "failed")
    expect(one.button("Try again")).to_be_visible()


FILL_OUTBOX = """text => localStorage.setItem("sales-chat:demo:outbox", JSON.stringify([
  { client_id: crypto.randomUUID(), text, at: Date.now(), state: "waiting" }]))"""


def test_without_storage_it_works_for_this_page(visitor: MakeVisitor, server: Server) -> None:
    one = visitor()
    one.page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name,"
        "{ get() { throw new DOMException('blocked', 'SecurityError') } })"
    )
    one.visit(server.url).open_chat().ask("/say Fine.").sees_reply("Fine.")
