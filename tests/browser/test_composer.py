"""Where the visitor writes: keys, input methods, paste, limit, draft."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.words import Visitor
from tests.servers import Server

LIMIT = 2000


@pytest.fixture
def one(visitor: MakeVisitor, sqlite_server: Server) -> Visitor:
    return visitor().visit(sqlite_server.url).open_chat()


def height(one: Visitor) -> float:
    box = one.field.bounding_box()
    assert box
    return box["height"]


def asked(one: Visitor) -> list[str]:
    return one.questions.locator(".bubble").all_inner_texts()


# --- Keys ---------------------------------------------------------------------------------------


def test_enter_sends_and_keeps_the_keyboard(one: Visitor) -> None:
    one.say("/say Yes.").sees_reply("Yes.")
    expect(one.field).to_be_focused()
    expect(one.field).to_have_value("")


def test_shift_and_enter_begin_a_line(one: Visitor) -> None:
    one.field.fill("one")
    one.field.press("Shift+Enter")
    one.field.press_sequentially("two")
    expect(one.field).to_have_value("one\ntwo")
    assert asked(one) == []


def test_enter_twice_sends_once(one: Visitor) -> None:
    one.field.fill("/say Once.")
    one.field.evaluate(
        """it => { for (let n = 0; n < 2; n++) it.dispatchEvent(
            new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true })) }"""
    )
    one.sees_reply("Once.")
    assert asked(one) == ["/say Once."]


@pytest.mark.parametrize("blank", [" ", "\n\n", "\t \u00a0"])
def test_blanks_are_nothing_to_send(one: Visitor, blank: str) -> None:
    one.field.fill(blank)
    expect(one.button("Send")).to_be_disabled()
    one.field.press("Enter")
    one.ask("/say Words.")
    assert asked(one) == ["/say Words."]


def test_the_button_sends_and_leaves_the_keyboard_in_the_field(one: Visitor) -> None:
    one.field.fill("/say By hand.")
    one.button("Send").click()
    one.sees_reply("By hand.")
    expect(one.field).to_be_focused()


# --- Input methods ------------------------------------------------------------------------------


def test_enter_that_chooses_a_word_does_not_send(one: Visitor) -> None:
    input_method = one.composes("にほん")
    enter = {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229}
    input_method.send("Input.dispatchKeyEvent", enter)
    input_method.send("Input.insertText", {"text": "日本"})
    expect(one.field).to_have_value("日本")
    assert asked(one) == []
    one.field.press("Enter")
    expect(one.questions.locator(".bubble")).to_have_text(["日本"])


def test_nor_does_safaris_which_comes_after_the_word(one: Visitor) -> None:
    """Its `compositionend` comes before the key, which says 229."""
    one.field.fill("日本")
    one.field.evaluate(
        """it => {
            it.dispatchEvent(new CompositionEvent("compositionend", { data: "日本" }));
            const enter = { key: "Enter", keyCode: 229, bubbles: true, cancelable: true };
            it.dispatchEvent(new KeyboardEvent("keydown", enter));
        }"""
    )
    expect(one.field).to_have_value("日本")


# --- Size ---------------------------------------------------------------------------------------


def test_it_grows_with_its_lines_to_a_limit(one: Visitor) -> None:
    heights = []
    for lines in (1, 3, 5, 12, 40):
        one.field.fill("\n".join(["words"] * lines))
        heights.append(height(one))
    assert heights[0] < heights[1] < heights[2] <= heights[3] == heights[4]
    one.field.fill("")
    assert height(one) == heights[0]


def test_it_grows_where_the_style_sheet_cannot(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor()
    one.page.add_init_script("CSS.supports = () => false")
    one.visit(sqlite_server.url).open_chat()
    one.field.evaluate("it => it.style.setProperty('field-sizing', 'fixed')")
    low = height(one)
    one.field.fill("a\nb\nc")
    assert height(one) > low + 40
    one.field.press("Enter")
    assert height(one) == low


# --- Paste and drop -----------------------------------------------------------------------------


def test_rich_text_comes_in_plain_with_its_lines_and_tabs(one: Visitor) -> None:
    one.pastes("Plan\tPrice\r\nPro\t€9", html="<table><b>Plan</b></table>")
    expect(one.field).to_have_value("Plan\tPrice\nPro\t€9")
    one.field.press("Enter")
    expect(one.questions.locator(".bubble")).to_have_text(["Plan\tPrice\nPro\t€9"])


def test_a_file_dropped_by_mistake_opens_nothing(one: Visitor) -> None:
    for target in (one.field, one.panel, one.replies.first):
        assert one.drags_file(target)


# --- The limit ----------------------------------------------------------------------------------


def test_it_counts_near_the_limit_only(one: Visitor) -> None:
    one.field.fill("x" * (LIMIT - 200))
    expect(one.counter).to_be_hidden()
    one.field.fill("x" * (LIMIT - 199))
    expect(one.counter).to_have_text("199 characters left")
    one.field.fill("x" * (LIMIT - 1))
    expect(one.counter).to_have_text("1 character left")


def test_too_long_a_paste_is_kept_and_says_so(one: Visitor) -> None:
    one.pastes("x" * (LIMIT + 1500))
    expect(one.counter).to_have_text("1,500 characters too many")
    expect(one.field).to_have_attribute("aria-invalid", "true")
    expect(one.button("Send")).to_be_disabled()
    one.field.press("Enter")
    assert len(one.field.input_value()) == LIMIT + 1500
    one.field.fill("x" * LIMIT)
    expect(one.counter).to_have_text("0 characters left")
    one.field.press("Enter")
    expect(one.questions.locator(".bubble")).to_have_text(["x" * LIMIT])


def test_it_counts_as_the_server_does(one: Visitor) -> None:
    """UTF-16 units of composed characters, without the blanks at both ends."""
    one.field.fill("  " + "🚲" * 500 + "e\u0301" * 950 + "\n")
    expect(one.counter).to_have_text("50 characters left")


def test_the_counter_is_spoken_at_a_few_marks(one: Visitor) -> None:
    heard = []
    for left in (201, 199, 120, 49, 40, 9, 8, -1, -2):
        one.field.fill("x" * (LIMIT - left))
        heard.append(one.spoken_counter.inner_text())
    left = [f"{n} characters left" for n in (199, 199, 49, 49, 9, 9)]
    assert heard == ["", *left, "1 character too many", "1 character too many"]
    one.field.press("Enter")
    expect(one.spoken_counter).to_have_text("2 characters too many")


# --- The draft ----------------------------------------------------------------------------------


def test_a_draft_outlives_the_page(one: Visitor) -> None:
    one.field.fill("Half a thou")
    one.page.reload()
    expect(one.field).to_have_value("Half a thou")


def test_what_was_sent_is_no_draft(one: Visitor) -> None:
    one.ask("/say Gone.")
    one.page.reload()
    expect(one.questions).to_have_count(1)
    expect(one.field).to_have_value("")


def test_a_second_tab_begins_with_the_draft_and_lets_go_of_it(
    one: Visitor, visitor: MakeVisitor, sqlite_server: Server
) -> None:
    one.field.fill("/say Once.")
    other = visitor(like=one).visit(sqlite_server.url).open_chat()
    expect(other.field).to_have_value("/say Once.")
    one.field.press("Enter")
    expect(other.field).to_have_value("")


def test_two_tabs_that_write_leave_each_other_alone(
    one: Visitor, visitor: MakeVisitor, sqlite_server: Server
) -> None:
    other = visitor(like=one).visit(sqlite_server.url).open_chat()
    one.field.fill("/say First.")
    expect(other.field).to_have_value("/say First.")
    other.field.fill("Something else")
    one.field.press("Enter")
    one.sees_reply("First.")
    expect(other.questions).to_have_count(1)
    expect(other.field).to_have_value("Something else")
    other.page.reload()
    expect(other.field).to_have_value("Something else")


# --- Stop ---------------------------------------------------------------------------------------


def test_stop_stands_where_send_was_until_there_are_words(one: Visitor) -> None:
    one.say("/words 60 50")
    expect(one.button("Stop this answer")).to_be_visible()
    one.field.fill("And")
    expect(one.button("Send")).to_be_enabled()
    one.field.fill("")
    one.button("Stop this answer").click()
    expect(one.last_reply).to_have_attribute("data-state", "interrupted")
    expect(one.field).to_be_focused()
