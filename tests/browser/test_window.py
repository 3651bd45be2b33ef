"""The launcher and the panel as a window on somebody's page: what waits, how it stands."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.words import Visitor, words

DESKTOP = {"width": 1280, "height": 800}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.fixture
def mira(visitor: MakeVisitor, shop: Shop) -> Visitor:
    """A visitor of the shop at a desk, with the chat open."""
    return visitor(viewport=DESKTOP).visit(shop.sells().url).open_chat()


@pytest.fixture
def phone(visitor: MakeVisitor, shop: Shop) -> Visitor:
    """A visitor of the shop with a phone in their hand; the chat is closed."""
    shop.sells("<p>Lamp</p>" * 200)
    return visitor(**PHONE).visit(shop.url)


def site_says(page: Page, **facts: Any) -> None:
    """From now on the server tells these facts of the site."""

    def answer(route: Route) -> None:
        response = route.fetch()
        told = response.json()
        told["site"].update(facts)
        route.fulfill(response=response, json=told)

    page.route("**/api/chat/init", answer)


# --- Unread -------------------------------------------------------------------------------------


def test_words_that_come_while_it_is_closed_are_counted_and_peek(mira: Visitor) -> None:
    mira.answered_while_closed()
    expect(mira.launcher).to_have_accessible_name("Chat, 1 new message")
    expect(mira.peek).to_contain_text("Mira")
    peeked = mira.peek.get_by_role("button").first.inner_text().partition("\n")[2]
    assert peeked.endswith("…")
    assert words(60).startswith(peeked.removesuffix("…"))
    assert 100 < len(peeked) <= 140
    assert mira.page.title() == ""


def test_the_peek_opens_the_chat_and_all_is_read(mira: Visitor) -> None:
    mira.answered_while_closed()
    mira.peek.get_by_role("button").first.click()
    expect(mira.panel).to_be_visible()
    expect(mira.field).to_be_focused()
    expect(mira.peek).to_have_count(0)
    expect(mira.badge).to_be_hidden()
    expect(mira.launcher).to_have_accessible_name("Chat")


def test_a_peek_put_away_stays_away_and_the_count_stays(mira: Visitor) -> None:
    mira.answered_while_closed()
    mira.peek.get_by_role("button", name="Dismiss").click()
    expect(mira.peek).to_have_count(0)
    expect(mira.launcher).to_be_focused()
    mira.page.reload()
    expect(mira.badge).to_have_text("1")
    expect(mira.peek).to_have_count(0)


def test_the_next_page_hears_of_words_without_being_asked(mira: Visitor, shop: Shop) -> None:
    mira.say("/words 40 40")
    expect(mira.last_reply).to_contain_text("w2")
    mira.close_chat().visit(f"{shop.url}/next")
    expect(mira.badge).to_have_text("1")
    expect(mira.peek).to_contain_text("w1 w2")
    expect(mira.panel).to_be_hidden()


def test_what_one_tab_shows_is_read_in_all(mira: Visitor, visitor: MakeVisitor, shop: Shop) -> None:
    mira.ask("/say Hi.")
    other = visitor(like=mira).visit(shop.url)
    mira.answered_while_closed()
    expect(other.badge).to_have_text("1")
    mira.open_chat()
    expect(other.badge).to_be_hidden()
    expect(other.peek).to_have_count(0)


def test_words_before_the_visitors_eyes_are_not_news(mira: Visitor) -> None:
    mira.ask("/say Seen.").close_chat()
    expect(mira.badge).to_be_hidden()


# --- Window and focus ---------------------------------------------------------------------------


def test_a_window_leaves_the_page_alone(mira: Visitor) -> None:
    mira.page.evaluate("document.querySelector('h1').onclick = () => window.clicked = true")
    mira.page.get_by_role("heading", name="Shop").click()
    assert mira.page.evaluate("window.clicked")
    assert mira.page.evaluate("history.length") == mira.page.evaluate("history.length")
    assert mira.page.evaluate("document.documentElement.getAttribute('style')") is None
    expect(mira.panel).to_be_visible()


def test_escape_closes_the_menu_and_then_the_panel(mira: Visitor) -> None:
    mira.button("More").click()
    expect(mira.button("New conversation")).to_be_focused()
    mira.page.keyboard.press("Escape")
    expect(mira.button("New conversation")).to_be_hidden()
    expect(mira.button("More")).to_be_focused()
    mira.page.keyboard.press("Escape")
    expect(mira.panel).to_be_hidden()
    expect(mira.launcher).to_be_focused()


def test_the_focus_returns_to_what_opened_it(visitor: MakeVisitor, shop: Shop) -> None:
    shop.sells('<button id="own" data-sales-chat="open">Questions?</button>')
    one = visitor(viewport=DESKTOP).visit(shop.url)
    own = one.page.locator("#own")
    own.focus()
    one.page.keyboard.press("Enter")
    expect(one.field).to_be_focused()
    one.page.keyboard.press("Escape")
    expect(own).to_be_focused()


def test_its_size_by_mouse_and_by_keyboard_and_kept(mira: Visitor) -> None:
    mira.handle.hover()
    expect(mira.handle).to_have_attribute("aria-valuetext", "400 × 684")
    mira.page.mouse.down()
    mira.page.mouse.move(760, 120)
    mira.page.mouse.up()
    wide = mira.panel.bounding_box()
    assert wide is not None
    assert (wide["x"] + wide["width"], wide["y"] + wide["height"]) == (1260, 704)
    assert wide["width"] > 480
    assert wide["height"] < 600
    mira.handle.press("ArrowLeft")
    mira.handle.press("ArrowDown")
    wider = mira.panel.bounding_box()
    assert wider is not None
    assert (wider["width"] - wide["width"], wider["height"] - wide["height"]) == (20, -20)
    mira.page.reload()
    expect(mira.panel).to_be_visible()
    mira.panel.evaluate("it => Promise.all(it.getAnimations().map(({ finished }) => finished))")
    assert mira.panel.bounding_box() == wider


def test_it_never_grows_out_of_the_window(mira: Visitor) -> None:
    mira.handle.hover()
    expect(mira.handle).to_have_attribute("aria-valuemin", "300")
    mira.page.mouse.down()
    mira.page.mouse.move(0, 0)
    mira.page.mouse.up()
    box = mira.panel.bounding_box()
    assert box is not None
    assert (box["x"], box["y"]) == (20, 20)
    mira.page.set_viewport_size({"width": 700, "height": 500})
    box = mira.panel.bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"]) == (20, 20, 660)


def test_on_the_other_side_the_handle_is_too(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    site_says(one.page, theme={"side": "left"})
    one.visit(shop.sells().url).open_chat()
    expect(one.panel).to_have_js_property("offsetLeft", 0)
    expect(one.title).to_have_text("Mira")
    before, handle = one.panel.bounding_box(), one.handle.bounding_box()
    assert before is not None
    assert handle is not None
    assert before["x"] == 20
    assert handle["x"] + handle["width"] == before["x"] + before["width"]
    one.handle.focus()
    expect(one.handle).to_have_attribute("aria-valuemin", "300")
    one.handle.press("ArrowRight")
    after = one.panel.bounding_box()
    assert after is not None
    assert (after["x"], after["width"]) == (20, before["width"] + 20)


# --- Sheet on a phone ---------------------------------------------------------------------------


def test_a_sheet_is_modal_and_holds_the_page_still(phone: Visitor) -> None:
    phone.open_chat()
    assert phone.panel.evaluate("panel => panel.matches(':modal')")
    assert phone.page.evaluate("document.documentElement.style.overflow") == "hidden"
    expect(phone.field).not_to_be_focused()  # no keyboard over the greeting
    for _ in range(12):
        phone.page.keyboard.press("Tab")
        within = "() => document.activeElement.matches('sales-chat, body')"
        assert phone.page.evaluate(within)
    phone.close_chat()
    assert phone.page.evaluate("document.documentElement.style.overflow") == ""


def test_back_closes_the_sheet_and_a_router_stays_where_it_is(phone: Visitor, shop: Shop) -> None:
    phone.page.evaluate("""() => {
        window.popped = [];
        history.replaceState({ idx: 1 }, "", "/first");
        history.pushState({ idx: 2 }, "", "/second");
        addEventListener("popstate", ({ state }) => popped.push(state.idx));
    }""")
    phone.open_chat().page.go_back()
    expect(phone.panel).to_be_hidden()
    assert phone.page.url == f"{shop.url}/second"
    assert phone.page.evaluate("popped") == [2]
    phone.page.go_forward()
    expect(phone.panel).to_be_visible()
    phone.page.go_back()
    expect(phone.panel).to_be_hidden()
    phone.page.go_back()
    phone.page.wait_for_url("**/first")
    assert phone.page.evaluate("popped") == [2, 2, 2, 1]


def test_closing_by_hand_takes_the_step_back(phone: Visitor) -> None:
    phone.page.evaluate("history.replaceState({ idx: 7 }, '')")
    for _ in range(2):
        phone.open_chat().close_chat()
        phone.page.wait_for_function("() => !('salesChat' in history.state)")
    assert phone.page.evaluate("history.state") == {"idx": 7}
    assert phone.page.evaluate("history.length") <= 3


def test_a_page_that_goes_on_under_the_sheet_keeps_its_place(phone: Visitor) -> None:
    phone.open_chat()
    phone.page.evaluate("history.pushState({ idx: 9 }, '', '/elsewhere')")
    phone.close_chat()
    assert phone.page.evaluate("[location.pathname, history.state.idx]") == ["/elsewhere", 9]


def test_the_sheet_is_as_high_as_the_keyboard_leaves(phone: Visitor) -> None:
    phone.open_chat()
    phone.page.evaluate("""() => {
        Object.defineProperty(visualViewport, "height", { value: 500 });
        Object.defineProperty(visualViewport, "offsetTop", { value: 60 });
        visualViewport.dispatchEvent(new Event("resize"));
    }""")
    assert phone.panel.bounding_box() == {"x": 0, "y": 60, "width": 390, "height": 500}


def test_no_page_opens_as_a_sheet_by_itself(phone: Visitor, shop: Shop) -> None:
    phone.open_chat().visit(f"{shop.url}/next")
    expect(phone.launcher).to_have_attribute("aria-label", "Chat")
    expect(phone.panel).to_be_hidden()


def test_a_phone_turned_round_and_back(phone: Visitor) -> None:
    phone.open_chat().page.set_viewport_size({"width": 900, "height": 800})
    expect(phone.panel).to_have_css("inline-size", "400px")
    assert not phone.panel.evaluate("panel => panel.matches(':modal')")
    phone.page.set_viewport_size({"width": 390, "height": 800})
    expect(phone.panel).to_have_css("inline-size", "390px")
    assert phone.panel.evaluate("panel => panel.matches(':modal')")


# --- Look and words of the site -----------------------------------------------------------------


def test_the_sites_words_faces_and_look(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    texts = {"title": "Lamp desk", "subtitle": "Open late", "placeholder": "Ask!", "hint": "By AI."}
    agent = {"name": "Lux", "avatar": f"{shop.server.url}/no-such-picture.png"}
    theme = {"accent": "#ffd400", "radius": 4, "scheme": "dark"}
    site_says(one.page, texts=texts, agent=agent, theme=theme)
    one.visit(shop.sells().url).open_chat()
    expect(one.title).to_have_text("Lamp desk")
    expect(one.subtitle).to_have_text("Open late")
    expect(one.hint).to_have_text("By AI.")
    expect(one.field).to_have_attribute("placeholder", "Ask!")
    expect(one.avatar).to_have_text("L")  # the picture is not there
    expect(one.panel).to_have_css("border-radius", "4px")
    expect(one.panel).to_have_css("background-color", "rgb(23, 25, 26)")


def test_the_page_has_the_last_word_on_its_look(visitor: MakeVisitor, shop: Shop) -> None:
    style = "sales-chat { color-scheme: dark; --sales-chat-corner: 3px }"
    one = visitor(viewport=DESKTOP)
    site_says(one.page, theme={"scheme": "light", "radius": 9})
    one.visit(shop.sells(head=f"<style>{style}</style>").url).open_chat()
    expect(one.panel).to_have_css("border-radius", "3px")
    expect(one.panel).to_have_css("background-color", "rgb(23, 25, 26)")


CONTRAST = """node => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    const luminance = color => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(part => {
            part /= 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const { color, backgroundColor } = getComputedStyle(node);
    const [low, high] = [luminance(color), luminance(backgroundColor)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("accent", ["#ffd400", "#0b6b50", "#7c7c7c", "#ff2d55", "#2f6bff"])
def test_words_on_any_accent_can_be_read(
    visitor: MakeVisitor, shop: Shop, accent: str, scheme: str
) -> None:
    style = f"<style>sales-chat {{ --sales-chat-accent: {accent} }}</style>"
    one = visitor(viewport=DESKTOP, color_scheme=scheme).visit(shop.sells(head=style).url)
    one.open_chat()
    for part in (one.avatar, one.launcher):
        assert part.evaluate(CONTRAST) >= 4.5


def test_quick_replies_are_said_by_a_press(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP)
    one.page.route_web_socket("**/socket", with_replies)
    one.visit(shop.sells().url).open_chat().ask("Hello")
    expect(one.suggestions).to_have_text(["/say Yes.", "Not now"])
    one.suggestions.first.focus()
    one.page.keyboard.press("Enter")
    expect(one.questions.last.locator(".bubble")).to_have_text("/say Yes.")
    expect(one.field).to_be_focused()
    expect(one.suggestions).to_have_text(["/say Yes.", "Not now"])  # of the next answer


def with_replies(socket: Any) -> None:
    """Passes all frames on, and offers quick replies with every finished answer."""
    server = socket.connect_to_server()

    def down(text: str) -> None:
        frame = json.loads(text)
        message = frame.get("message")
        if frame["type"] == "message" and message["role"] == "agent" and message["seq"] > 1:
            message["replies"] = ["/say Yes.", "Not now"]
        socket.send(json.dumps(frame))

    server.on_message(down)


# --- A conversation that staff end --------------------------------------------------------------


def test_a_conversation_that_ends_keeps_its_words_until_the_next_ones(
    visitor: MakeVisitor, shop: Shop
) -> None:
    one = visitor(viewport=DESKTOP).visit(shop.sells().url).open_chat().ask("/say One.")
    other = visitor(like=one).visit(shop.url).open_chat()  # as staff would end it
    expect(other.rows).to_have_count(3)
    other.button("More").click()
    other.button("New conversation").click()
    expect(one.line).to_have_text("This conversation has ended. What you write begins a new one.")
    expect(one.rows).to_have_count(3)
    one.say("/say Two.").sees_reply("Two.")
    expect(one.line).to_be_hidden()
    expect(one.questions).to_have_count(1)
