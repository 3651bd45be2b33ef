"""A visitor's path through the chat, on the landing page and on the chat's own."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.words import Visitor, words
from tests.conftest import MakeStack
from tests.servers import Server


@pytest.fixture
def mira(visitor: MakeVisitor, sqlite_server: Server) -> Visitor:
    """A visitor on the landing page, with the chat open."""
    return visitor().visit(sqlite_server.url).open_chat()


def test_a_suggestion_is_asked_by_a_click(mira: Visitor) -> None:
    chip = mira.suggestions.first.inner_text()
    mira.suggestions.first.click()
    expect(mira.questions.locator(".bubble")).to_have_text([chip])
    expect(mira.suggestions).to_have_count(0)


def test_the_greeting_stays_the_same_bubble_once_it_is_stored(mira: Visitor) -> None:
    greeting = mira.replies.first.element_handle()
    mira.ask("Hello")
    assert greeting.evaluate("row => row.isConnected")
    expect(mira.rows).to_have_count(3)


def test_a_reply_grows_in_one_bubble(mira: Visitor) -> None:
    mira.say("/words 40 40")
    expect(mira.last_reply).to_contain_text("w5")
    expect(mira.last_reply).to_have_attribute("data-state", "streaming")
    mira.sees_reply(words(40))
    expect(mira.replies).to_have_count(2)


def test_history_is_there_after_a_reload(mira: Visitor) -> None:
    before = mira.ask("Hello").texts()
    mira.page.reload()
    expect(mira.rows).to_have_count(3)
    assert mira.texts() == before
    expect(mira.field).not_to_be_focused()  # it opened by itself, so the page keeps the focus


def test_who_opens_the_chat_can_write_at_once(mira: Visitor) -> None:
    expect(mira.field).to_be_focused()


def test_a_reload_in_mid_reply_loses_no_word(mira: Visitor) -> None:
    mira.say("/words 60 40")
    expect(mira.last_reply).to_contain_text("w8")
    mira.page.reload()
    mira.sees_reply(words(60))


def test_stop_keeps_what_was_written(mira: Visitor) -> None:
    mira.say("/words 200 40")
    expect(mira.last_reply).to_contain_text("w4")
    mira.button("Stop").click()
    expect(mira.last_reply).to_have_attribute("data-state", "interrupted")
    expect(mira.button("Send")).to_be_visible()


def test_a_message_during_a_reply_interrupts_it(mira: Visitor) -> None:
    mira.say("/words 200 40")
    expect(mira.last_reply).to_contain_text("w4")
    mira.say("/say Of course.").sees_reply("Of course.")
    expect(mira.replies.nth(1)).to_have_attribute("data-state", "interrupted")


def test_a_second_tab_sees_the_same(
    mira: Visitor, visitor: MakeVisitor, sqlite_server: Server
) -> None:
    other = visitor(like=mira).visit(sqlite_server.url).open_chat()
    mira.say("/words 20 30").sees_reply(words(20))
    other.sees_reply(words(20))
    assert other.texts() == mira.texts()


def test_a_new_conversation_begins_with_the_greeting(mira: Visitor) -> None:
    mira.ask("Hello").button("More").click()
    mira.button("New conversation").click()
    expect(mira.rows).to_have_count(1)
    expect(mira.suggestions.first).to_be_visible()


def test_a_failed_reply_is_tried_again(
    stack: MakeStack, visitor: MakeVisitor, tmp_path: Path
) -> None:
    fails = [{"text": "It costs"}, {"error": "overloaded", "retryable": True}]
    rules = [{"times": 1, "events": fails}, {"events": [{"text": "It costs ten."}]}]
    script = tmp_path / "script.json"
    script.write_text(json.dumps(rules))
    server = stack(env={"CHAT_SCRIPT": str(script)}).server
    one = visitor().visit(server.url).open_chat().say("What does it cost?")
    one.sees_reply("It costs", "failed")
    one.button("Try again").click()
    one.sees_reply("It costs ten.")
    expect(one.replies).to_have_count(2)


def test_markup_is_shown_and_not_obeyed(mira: Visitor) -> None:
    mira.ask("/say <img src=x onerror=alert(1)> [now](javascript:alert(1)) **bold**")
    expect(mira.last_reply.locator(".bubble")).to_have_text("<img src=x onerror=alert(1)> now bold")
    expect(mira.panel.locator(".bubble :is(img, a, script)")).to_have_count(0)


def test_links_open_elsewhere_and_tell_nothing(mira: Visitor) -> None:
    mira.ask("/say See [the page](https://www.example.com/a_(b)).")
    link = mira.last_reply.get_by_role("link", name="the page")
    expect(link).to_have_attribute("href", "https://www.example.com/a_(b)")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(link).to_have_attribute("target", "_blank")


def test_enter_that_ends_an_input_method_does_not_send(mira: Visitor) -> None:
    mira.field.fill("にほん")
    mira.field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    expect(mira.field).to_have_value("にほん")


def test_shift_enter_begins_a_line(mira: Visitor) -> None:
    mira.field.fill("one")
    mira.field.press("Shift+Enter")
    mira.field.press_sequentially("two")
    expect(mira.field).to_have_value("one\ntwo")


def test_a_draft_outlives_a_reload(mira: Visitor) -> None:
    mira.field.fill("half a thought")
    mira.page.reload()
    expect(mira.field).to_have_value("half a thought")


def test_a_second_press_on_send_leaves_the_focus_in_the_field(mira: Visitor) -> None:
    mira.field.fill("Hello")
    mira.button("Send").dblclick()
    expect(mira.field).to_be_focused()


def test_a_growing_draft_does_not_cover_the_newest_words(mira: Visitor) -> None:
    mira.say("/words 150 0")
    expect(mira.last_reply).to_have_attribute("data-state", "complete")
    mira.say("/words 5 0")
    expect(mira.replies).to_have_count(3)
    expect(mira.last_reply).to_have_attribute("data-state", "complete")
    mira.field.fill("a line\n" * 6)
    expect(mira.last_reply.locator(".bubble")).to_be_in_viewport(ratio=1)


def test_escape_closes_and_gives_the_focus_back(mira: Visitor) -> None:
    mira.field.press("Escape")
    expect(mira.panel).to_be_hidden()
    expect(mira.launcher).to_be_focused()


def test_a_closed_chat_stays_closed(mira: Visitor) -> None:
    mira.button("Close chat").click()
    mira.page.reload()
    expect(mira.launcher).to_have_attribute("aria-expanded", "false")


def test_a_screen_reader_hears_whole_replies(mira: Visitor) -> None:
    announcer = mira.panel.locator("[aria-live=polite]")
    mira.say("/words 80 50")
    expect(mira.last_reply).to_contain_text("w5")
    expect(announcer).to_have_text("")
    expect(announcer).to_have_text(f"Mira: {words(80)}")


def test_who_reads_above_is_not_pulled_down(mira: Visitor) -> None:
    mira.ask("/words 400 0").say("/words 150 20")
    expect(mira.replies).to_have_count(3)
    expect(mira.last_reply).to_contain_text("w9")
    scroller = mira.panel.locator(".messages")
    scroller.evaluate("element => element.scrollTo(0, 0)")
    expect(mira.last_reply).to_have_attribute("data-state", "complete")
    assert scroller.evaluate("element => element.scrollTop") == 0
    mira.button("New words below").click()
    expect(mira.last_reply).to_be_in_viewport()


def test_earlier_messages_come_in_above(mira: Visitor) -> None:
    for number in range(26):
        mira.ask(f"/say answer {number}")
    mira.page.reload()
    mira.button("Earlier messages").click()
    expect(mira.rows).to_have_count(53)
    expect(mira.button("Earlier messages")).to_be_hidden()


def test_the_chat_as_a_page(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor().visit(f"{sqlite_server.url}/chat/demo").ask("/say Welcome.")
    expect(one.page).to_have_title("Haulberry")
    one.sees_reply("Welcome.")
    expect(one.launcher).to_have_count(0)


def test_a_button_of_the_page_opens_the_chat(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor().visit(sqlite_server.url)
    one.page.get_by_role("button", name="Talk to it").first.click()
    expect(one.panel).to_be_visible()


def test_the_pages_break_no_rule_of_their_own(mira: Visitor, sqlite_server: Server) -> None:
    mira.ask("Hello").visit(f"{sqlite_server.url}/chat/demo")
    expect(mira.rows).to_have_count(3)
    assert mira.console == []
