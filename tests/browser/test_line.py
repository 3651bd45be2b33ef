"""The line goes and comes back: nothing is lost, nothing comes twice."""

import re

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
    """A server of the test's own, that it may kill, with time for a slow start."""
    return stack(fast=True, env={"CHAT_REPLY_DEADLINE": "40"}).server


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
    one.button("More").click()
    expect(one.button("New conversation")).to_be_visible()  # it comes with the first opening
    server.kill()
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


def test_of_three_tabs_one_sends_and_all_see(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    tabs = [one, *(visitor(like=one).visit(server.url).open_chat() for _ in range(2))]
    for tab in tabs:
        expect(tab.rows).to_have_count(3)
    server.kill()
    for tab in tabs[:2]:
        tab.say("/say Only once.")
    for tab in tabs:
        expect(tab.questions).to_have_count(3)  # they wait in all
        tab.sent.clear()
    server.restart()
    for tab in tabs:
        expect(tab.line).to_be_hidden()
        expect(tab.panel.locator('[data-state="waiting"]')).to_have_count(0)
        tab.sees_reply("Only once.")
        expect(tab.questions).to_have_count(3)
    sent = messages_sent(*tabs)
    assert len(sent) == len(set(sent)) == 2


def test_another_tab_sends_what_a_closed_one_left(visitor: MakeVisitor, server: Server) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    other = visitor(like=one).visit(server.url).open_chat()
    server.kill()
    one.say("/say Left behind.")
    expect(other.questions).to_have_count(2)
    one.page.close()
    server.restart()
    other.sees_reply("Left behind.")
    assert len(messages_sent(other)) == 1


def test_a_message_refused_for_good_is_kept_and_marked(
    visitor: MakeVisitor, server: Server
) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    one.page.evaluate(FILL_OUTBOX, "x" * 2001)
    one.page.reload()
    expect(one.questions.last).to_have_attribute("data-state", "failed")
    expect(one.button("Try again")).to_be_visible()


FILL_OUTBOX = """text => {
    const id = crypto.randomUUID();
    const entry = { client_id: id, text, n: 1, at: Date.now(), state: "waiting" };
    localStorage.setItem(`sales-chat:demo:outbox:${id}`, JSON.stringify(entry));
}"""


# --- Storage ------------------------------------------------------------------------------------

MAY_BE_GONE = "it may be gone when you leave this page"

BLOCKED = """for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name,
        { get() { throw new DOMException("blocked", "SecurityError") } });
navigator.locks.request = () => Promise.reject(new DOMException("blocked", "SecurityError"));"""

FULL = """Storage.prototype.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
};"""


@pytest.mark.parametrize("storage", [BLOCKED, FULL], ids=["blocked", "full"])
def test_without_storage_it_works_for_this_page_and_says_so(
    visitor: MakeVisitor, server: Server, storage: str
) -> None:
    one = visitor()
    one.page.add_init_script(storage)
    one.visit(server.url).open_chat()
    expect(one.line).to_be_hidden()  # nothing is said yet that could be lost
    one.ask("/say Fine.").sees_reply("Fine.")
    expect(one.line).to_contain_text(MAY_BE_GONE)
    server.kill()
    one.say("/say Later.")
    expect(one.line).to_contain_text(KEPT)
    expect(one.line).to_contain_text(MAY_BE_GONE)
    server.restart()
    one.sees_reply("Later.")


def test_storage_that_is_full_for_a_while_is_no_matter(
    visitor: MakeVisitor, server: Server
) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    one.page.evaluate(f"window.keep = Storage.prototype.setItem; {FULL} null")
    one.ask("/say Fine.")
    one.page.evaluate("Storage.prototype.setItem = window.keep; null")
    one.ask("/say Kept again.")
    expect(one.line).to_be_hidden()
    one.page.reload()
    one.sees_reply("Kept again.")


def test_a_sandboxed_frame_is_told_that_there_is_no_chat(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    """Its origin is "null", which no site can list; and nothing of it breaks."""
    tag = f"<script src='{server.url}/widget.js' data-site='demo' data-open></script>"
    host.shows(
        f'<iframe sandbox="allow-scripts" width=800 height=700 srcdoc="<body>{tag}"></iframe>'
    )
    one = visitor().visit(host.url)
    expect(one.framed_line).to_have_text("This chat is not available here.")


# --- Clocks -------------------------------------------------------------------------------------

DAY = 86_400_000


@pytest.mark.parametrize("shift", [DAY, -DAY], ids=["ahead", "behind"])
def test_a_clock_that_is_set_changes_no_order_and_holds_up_nothing(
    visitor: MakeVisitor, server: Server, shift: int
) -> None:
    one = visitor().visit(server.url).open_chat().ask("Hello")
    other = visitor(like=one).visit(server.url).open_chat()
    server.kill()
    one.say("First.")
    expect(other.questions).to_have_count(2)
    for tab in (one, other):
        tab.page.evaluate(f"(() => {{ const now = Date.now; Date.now = () => now() + {shift} }})()")
    other.say("/say Both are here.")
    expect(one.questions).to_have_count(3)
    server.restart()
    for tab in (one, other):
        tab.sees_reply("Both are here.")
        asked = tab.questions.locator(".bubble")
        expect(asked).to_have_text(["Hello", "First.", "/say Both are here."])


# --- Opening ------------------------------------------------------------------------------------


def test_the_first_opening_says_after_a_while_that_there_is_no_line(
    visitor: MakeVisitor, server: Server
) -> None:
    one = visitor().visit(server.url)
    one.page.clock.install()
    server_gone = re.compile("/api/chat/init|/widget.js")
    one.page.route(server_gone, lambda route: route.abort())
    one.open_chat().say("/say At last.")
    expect(one.questions).to_have_count(1)
    expect(one.line).to_be_hidden()
    one.page.clock.run_for(5100)
    expect(one.line).to_contain_text(KEPT)
    one.page.unroute(server_gone)
    one.page.clock.run_for(30_000)
    one.sees_reply("At last.")
    expect(one.line).to_be_hidden()


# --- Where WebSockets are blocked ---------------------------------------------------------------

NO_SOCKETS = """window.WebSocket = class {
  static OPEN = 1; static CLOSED = 3; readyState = 0;
  constructor() { window.tried = (window.tried ?? 0) + 1;
    setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), 10); }
  close() {} send() {} };"""


def test_a_whole_conversation_where_no_websocket_opens(
    visitor: MakeVisitor, server: Server
) -> None:
    one = visitor()
    one.page.add_init_script(NO_SOCKETS)
    one.visit(server.url).open_chat()
    one.ask("/say Over plain HTTP.").sees_reply("Over plain HTTP.")
    assert one.page.evaluate("window.tried") in (2, 3)  # a third while the rest still loads
    one.say("/words 100 50")
    expect(one.last_reply).to_contain_text("w5")
    one.button("Stop this answer").click()
    expect(one.last_reply).to_have_attribute("data-state", "interrupted")
    one.ask("/words 30 5").sees_reply(words(30))
    expect(one.line).to_be_hidden()
    tab = visitor(like=one).visit(server.url).open_chat()  # with a socket; both see all
    expect(tab.questions).to_have_count(3)
    tab.ask("/say And back.")
    one.sees_reply("And back.")


def test_plain_http_comes_back_as_a_socket_does(visitor: MakeVisitor, server: Server) -> None:
    one = visitor()
    one.page.add_init_script(NO_SOCKETS)
    one.visit(server.url).open_chat().ask("/say First.").sees_reply("First.")
    server.kill()
    one.say("/say Said without a line.")
    server.restart()
    one.sees_reply("Said without a line.")
    expect(one.questions).to_have_count(2)
