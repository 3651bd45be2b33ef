"""What the host page can ask of the chat and hears from it, and how the chat greets."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.words import Visitor

DESKTOP = {"width": 1280, "height": 800}
LISTENS = """<script>
  window.heard = [];
  window.SalesChat ||= [];
  for (const name of "ready open close sent reply unread greeting feedback".split(" ")) {
    SalesChat.push(["on", name, detail => heard.push([name, detail])]);
  }
</script>"""


@pytest.fixture
def one(visitor: MakeVisitor) -> Visitor:
    return visitor(viewport=DESKTOP)


def calls(one: Visitor, script: str) -> Visitor:
    """The page's own code does this."""
    one.page.evaluate(f"() => {{ {script} }}")
    return one


def heard(one: Visitor, name: str = "") -> list[Any]:
    """What the page's listeners have been told: all of it, or the details of one event."""
    told = one.page.evaluate("heard")
    return [detail for event, detail in told if event == name] if name else told


def hears(one: Visitor, name: str) -> Any:
    one.page.wait_for_function("name => heard.some(([event]) => event === name)", arg=name)
    return heard(one, name)[-1]


# --- Methods ------------------------------------------------------------------------------------


def test_wishes_from_before_the_tag_are_granted(one: Visitor, shop: Shop) -> None:
    asked = '<script>(window.SalesChat ||= []).push(["ask", "/say Early."])</script>'
    one.visit(shop.sells(head=asked).url).sees_reply("Early.")
    expect(one.questions).to_have_count(1)


def test_open_close_and_toggle(one: Visitor, shop: Shop) -> None:
    calls(one.visit(shop.sells().url), "SalesChat.open()")
    expect(one.panel).to_be_visible()
    calls(one, "SalesChat.toggle()")
    expect(one.panel).to_be_hidden()
    calls(one, "SalesChat.toggle()")
    expect(one.panel).to_be_visible()
    calls(one, "SalesChat.push(['close'])")
    expect(one.panel).to_be_hidden()


def test_ask_opens_and_sends_once(one: Visitor, shop: Shop) -> None:
    calls(one.visit(shop.sells().url), "SalesChat.ask('/say Asked.')")
    one.sees_reply("Asked.")
    said = [frame for frame in one.sent if frame["type"] == "message"]
    assert [frame["text"] for frame in said] == ["/say Asked."]


def test_prefill_proposes_and_never_overwrites(one: Visitor, shop: Shop) -> None:
    calls(one.visit(shop.sells().url), "SalesChat.prefill('A lamp for 12?')")
    expect(one.field).to_have_value("A lamp for 12?")
    expect(one.button("Send")).to_be_enabled()
    one.field.fill("My own words")
    calls(one, "SalesChat.prefill('Others')")
    expect(one.field).to_have_value("My own words\nOthers")
    expect(one.questions).to_have_count(0)


def test_hide_and_show_the_launcher_cost_nothing(one: Visitor, shop: Shop) -> None:
    calls(one.visit(shop.sells().url), "SalesChat.hide()")
    expect(one.launcher).to_be_hidden()
    calls(one, "SalesChat.show()")
    expect(one.launcher).to_be_visible()
    waiting = "SalesChat.on('open', () => {}); SalesChat.identify(null); SalesChat.close()"
    calls(one, waiting)
    server = shop.server.url
    assert [url for url in one.requested if server in url] == [f"{server}/widget.js"]


def test_a_hidden_launcher_does_not_hide_the_chat(one: Visitor, shop: Shop) -> None:
    calls(one.visit(shop.sells().url), "SalesChat.hide(); SalesChat.open()")
    expect(one.panel).to_be_visible()
    expect(one.launcher).to_be_hidden()


def test_restart_ends_the_conversation(one: Visitor, shop: Shop) -> None:
    one.visit(shop.sells().url).open_chat().ask("/say One.")
    calls(one, "SalesChat.restart()")
    expect(one.rows).to_have_count(1)
    expect(one.line).to_be_hidden()


def test_a_restart_is_one_even_if_it_is_answered_before_the_next_drawing(
    one: Visitor, shop: Shop
) -> None:
    one.visit(shop.sells().url).open_chat().ask("/say One.")
    slowly = "const draw = requestAnimationFrame; window.requestAnimationFrame = (work) => "
    calls(one, slowly + "setTimeout(draw, 1000, work); SalesChat.restart()")
    expect(one.rows).to_have_count(1)
    expect(one.line).to_be_hidden()


@pytest.mark.parametrize(
    "wrong",
    [
        "SalesChat.ask()",
        "SalesChat.ask('  ')",
        "SalesChat.prefill({})",
        "SalesChat.on('reply')",
        "SalesChat.on('nothing', () => {})",
        "SalesChat.identify({ email: 'a@example.com' })",
        "SalesChat.dance()",
        "SalesChat.push('open')",
        "SalesChat.push(null)",
    ],
)
def test_a_wrong_call_is_one_warning(one: Visitor, shop: Shop, wrong: str) -> None:
    warnings: list[str] = []
    one.page.on("console", lambda line: line.type == "warning" and warnings.append(line.text))
    one.visit(shop.sells().url).open_chat()
    with one.page.expect_console_message(lambda line: line.text.startswith("Sales chat: ")):
        calls(one, wrong)
    calls(one, "SalesChat.prefill('Still here')")
    expect(one.field).to_have_value("Still here")
    assert len([text for text in warnings if text.startswith("Sales chat: ")]) == 1


# --- Events -------------------------------------------------------------------------------------


def test_a_visit_is_told_without_a_word_of_it(one: Visitor, shop: Shop) -> None:
    one.visit(shop.sells(head=LISTENS).url).open_chat().ask("/say Secret.")
    reply = hears(one, "reply")
    assert reply["role"] == "agent"
    assert re.fullmatch(r"[0-9a-f-]{36}", reply["id"])
    one.answered_while_closed()
    names = [name for name, _ in heard(one) if name != "sent"]
    assert names == ["ready", "open", "reply", "close", "reply", "unread"]
    assert heard(one, "unread") == [{"count": 1}]
    assert "Secret" not in json.dumps(heard(one))


def test_thumbs_are_told_and_the_reason_is_not(one: Visitor, shop: Shop) -> None:
    one.visit(shop.sells(head=LISTENS).url).open_chat().ask("/say Fine.")
    reply = hears(one, "reply")["id"]
    bad = one.last_reply.get_by_role("button", name="Bad answer")
    bad.click()
    one.why.fill("Too short.")
    one.why.press("Enter")
    expect(one.why).to_be_hidden()
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "false")
    assert heard(one, "feedback") == [{"id": reply, "value": -1}, {"id": reply, "value": 0}]


def test_a_late_listener_for_ready_is_told_at_once(one: Visitor, shop: Shop) -> None:
    one.visit(shop.sells().url).open_chat()
    calls(one, "SalesChat.on('ready', () => window.late = true)")
    one.page.wait_for_function("window.late")


def test_off_ends_it(one: Visitor, shop: Shop) -> None:
    one.visit(shop.sells().url).open_chat()
    calls(one, "window.told = 0; window.fn = () => told++; SalesChat.on('close', fn)")
    calls(one, "window.times = 0; SalesChat.on('close', () => times++)")
    one.close_chat()
    one.page.wait_for_function("times === 1")
    one.open_chat()
    calls(one, "SalesChat.off('close', fn)")
    one.close_chat()
    one.page.wait_for_function("times === 2")
    assert one.page.evaluate("told") == 1


def test_a_listener_that_fails_harms_nobody(one: Visitor, shop: Shop) -> None:
    failing = "SalesChat.on('open', () => { throw new Error('mine') })"
    one.visit(shop.sells(head=LISTENS).url)
    calls(one, failing).open_chat().ask("/say Fine.").sees_reply("Fine.")
    assert len([text for text in one.console if "mine" in text]) == 1
    assert heard(one, "open") == [{}]


# --- Greeting -----------------------------------------------------------------------------------

GREETING = {"text": "Looking for a lamp?", "agent": {"name": "Mira", "avatar": ""}}


def fnv(key: str) -> str:
    """The name under which the loader finds a site."""
    value = 0x811C9DC5
    for letter in key:
        value = ((value ^ ord(letter)) * 16777619) & 0xFFFFFFFF
    digits = ""
    while value:
        value, rest = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits


def greets(page: Page, **rules: Any) -> None:
    """From now on the site greets, by these rules."""

    def loader(route: Route) -> None:
        response = route.fetch()
        table = json.dumps({fnv("demo"): ["#0b6b50", "", 1]})
        route.fulfill(
            response=response,
            body=re.sub(r"\{[^{}]*\}(?=,\"/static)", table, response.text(), count=1),
        )

    allowed = {"Access-Control-Allow-Origin": "*"}
    page.route("**/widget.js", loader)
    page.route(
        "**/api/chat/greeting?site=demo",
        lambda route: route.fulfill(json={**GREETING, **rules}, headers=allowed),
    )


@pytest.fixture
def clocked(one: Visitor) -> Visitor:
    """A visitor whose clock the test turns."""
    one.page.clock.install(time=datetime(2026, 3, 2, 12, tzinfo=UTC))
    return one


def waits(one: Visitor, seconds: int) -> None:
    one.page.clock.run_for(seconds * 1000)


def asked_for_rules(one: Visitor) -> None:
    """The page is idle, and the chat knows the rules."""
    for _ in range(100):
        one.page.clock.run_for(100)
        if any("/api/chat/greeting" in url for url in one.requested):
            return
        one.page.evaluate("new Promise(requestAnimationFrame)")
    raise AssertionError("nobody asked for the greeting")


def test_a_greeting_after_some_seconds(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page, after=30)
    clocked.visit(shop.sells(head=LISTENS).url)
    asked_for_rules(clocked)
    waits(clocked, 20)
    expect(clocked.peek).to_have_count(0)
    waits(clocked, 20)
    expect(clocked.peek).to_contain_text("Looking for a lamp?")
    clocked.peek.get_by_role("button").first.click()
    expect(clocked.panel).to_be_visible()
    expect(clocked.peek).to_have_count(0)
    assert heard(clocked, "greeting") == [{"state": "shown"}, {"state": "opened"}]


def test_a_greeting_put_away_does_not_come_again_that_day(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page)
    clocked.visit(shop.sells(head=LISTENS).url)
    asked_for_rules(clocked)
    waits(clocked, 2)
    clocked.peek.get_by_role("button", name="Dismiss").click()
    assert heard(clocked, "greeting") == [{"state": "shown"}, {"state": "dismissed"}]
    before = len(clocked.requested)
    clocked.page.reload()
    clocked.page.wait_for_function("() => document.querySelector('sales-chat').open === false")
    waits(clocked, 60)
    expect(clocked.peek).to_have_count(0)
    assert not [url for url in clocked.requested[before:] if "/api/" in url]


def test_who_closed_the_panel_is_not_greeted(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page, after=5)
    clocked.visit(shop.sells().url)
    asked_for_rules(clocked)
    clocked.open_chat().close_chat()
    waits(clocked, 60)
    expect(clocked.peek).to_have_count(0)


def test_a_greeting_on_some_pages_also_without_a_load(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page, pages=["/pricing*", "/a.b"], after=3)
    clocked.visit(f"{shop.sells().url}/about")
    asked_for_rules(clocked)
    waits(clocked, 10)
    expect(clocked.peek).to_have_count(0)
    clocked.page.evaluate("history.pushState({}, '', '/pricing/lamps')")
    waits(clocked, 2)
    expect(clocked.peek).to_have_count(0)  # the seconds are those on this page
    waits(clocked, 5)
    expect(clocked.peek).to_be_visible()


def test_a_greeting_for_who_has_read_on(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page, scroll=60)
    clocked.visit(shop.sells("<p>Lamp</p>" * 200).url)
    asked_for_rules(clocked)
    waits(clocked, 5)
    expect(clocked.peek).to_have_count(0)
    clocked.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    waits(clocked, 2)
    expect(clocked.peek).to_be_visible()


def test_a_greeting_for_who_is_about_to_leave(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page, exit=True)
    clocked.visit(shop.sells().url)
    asked_for_rules(clocked)
    waits(clocked, 5)
    expect(clocked.peek).to_have_count(0)
    leave = "document.dispatchEvent(new MouseEvent('mouseout', { clientY: -1, bubbles: true }))"
    clocked.page.evaluate(leave)
    expect(clocked.peek).to_be_visible()


def test_once_a_day_is_once_a_day(clocked: Visitor, shop: Shop) -> None:
    greets(clocked.page, daily=True)
    clocked.visit(shop.sells().url)
    asked_for_rules(clocked)
    waits(clocked, 2)
    expect(clocked.peek).to_be_visible()
    clocked.page.reload()
    asked_for_rules(clocked)
    waits(clocked, 30)
    expect(clocked.peek).to_have_count(0)


def test_who_has_talked_already_is_not_greeted(one: Visitor, shop: Shop) -> None:
    greets(one.page)
    one.visit(shop.sells().url).open_chat().ask("/say Hi.").close_chat()
    before = len(one.requested)
    with one.page.expect_response("**/api/chat/init"):
        one.visit(f"{shop.url}/next")
    expect(one.panel).to_be_hidden()
    assert not [url for url in one.requested[before:] if "/greeting" in url]


@pytest.mark.parametrize(
    "use", ["String(SalesChat)", "JSON.stringify(SalesChat)", "`${SalesChat}`"]
)
def test_what_the_language_does_with_objects_throws_nothing(
    one: Visitor, shop: Shop, use: str
) -> None:
    one.visit(shop.sells().url)
    calls(one, use)
    assert one.page.evaluate("Promise.resolve(SalesChat).then(() => 'settled')") == "settled"
