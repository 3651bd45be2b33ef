"""The landing page by hand: keyboard, small windows, large text, and the chat on it."""

import pytest
from playwright.sync_api import Error, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.servers import Server

WIDTHS = [1280, 820, 390, 320]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(
    visitor: MakeVisitor, sqlite_server: Server, width: int
) -> None:
    one = visitor(viewport={"width": width, "height": 800}).visit(sqlite_server.url)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width


def test_text_of_twice_the_size_stays_in_the_window(
    visitor: MakeVisitor, sqlite_server: Server
) -> None:
    one = visitor(viewport={"width": 1280, "height": 800}).visit(sqlite_server.url)
    one.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_first_tab_skips_to_the_content(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor().visit(sqlite_server.url)
    one.page.keyboard.press("Tab")
    expect(one.page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    one.page.keyboard.press("Enter")
    expect(one.page.get_by_role("main")).to_be_focused()


def test_the_page_opens_its_chat(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor().visit(sqlite_server.url)
    expect(one.launcher).to_be_visible()
    one.page.get_by_role("button", name="Talk to it").first.click()
    expect(one.panel).to_be_visible()


def test_a_question_unfolds_by_keyboard(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor().visit(sqlite_server.url)
    folded = one.page.locator("details:not([open])").first.element_handle()
    folded.query_selector("summary").focus()  # type: ignore[union-attr]
    one.page.keyboard.press("Enter")
    assert folded.evaluate("it => it.open")


def test_a_chat_page_wears_its_sites_colour(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor().visit(f"{sqlite_server.url}/chat/demo")
    expect(one.panel).to_be_visible()
    named = one.page.locator('meta[name="theme-color"]').get_attribute("content")
    worn = "getComputedStyle(document.querySelector('sales-chat')).getPropertyValue(name)"
    one.page.wait_for_function(
        f"([name, value]) => {worn}.trim() === value", arg=["--sales-chat-accent", named]
    )


# --- The picture of the chat ---------------------------------------------------------------------


def test_the_picture_moves_until_it_is_stopped(visitor: MakeVisitor, sqlite_server: Server) -> None:
    one = visitor(viewport={"width": 1280, "height": 800}).visit(sqlite_server.url)
    one.sees_picture("chat")
    one.page.get_by_role("button", name="Stop the picture").click()
    one.sees_picture("chat-still")
    one.page.get_by_role("button", name="Let the picture move").click()
    one.sees_picture("chat")


def test_the_picture_is_still_for_those_who_want_no_motion(
    visitor: MakeVisitor, sqlite_server: Server
) -> None:
    one = visitor(reduced_motion="reduce").visit(sqlite_server.url)
    expect(one.page.get_by_role("button", name="Let the picture move")).to_be_visible()
    assert not [url for url in one.requested if "chat." in url and url.endswith(".avif")]


# The share of a picture that has the pale grey of the agent's bubbles.
GREY = """it => {
    const canvas = new OffscreenCanvas(it.naturalWidth, it.naturalHeight).getContext("2d");
    canvas.drawImage(it, 0, 0);
    const { data } = canvas.getImageData(0, 0, it.naturalWidth, it.naturalHeight);
    let grey = 0;
    for (let at = 0; at < data.length; at += 4) {
        grey += [0, 1, 2].every((part) => data[at + part] > 238 && data[at + part] < 249);
    }
    return grey / (data.length / 4);
}"""


def test_the_picture_that_moves_has_the_colours_of_the_chat(
    visitor: MakeVisitor, sqlite_server: Server
) -> None:
    """A browser may take a film's colours for others, and show the palest as white."""
    one = visitor(viewport={"width": 1280, "height": 800}).visit(sqlite_server.url)
    one.sees_picture("chat")
    assert one.page.locator("[data-stage] img").evaluate(GREY) > 0.05


# --- Without a line ------------------------------------------------------------------------------
OFFLINE = "There is no connection"


def prepared(one: Visitor, url: str) -> Visitor:
    """On a page, with the worker behind it."""
    one.visit(url)
    one.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return one


@pytest.mark.parametrize("path", ["/", "/chat/demo"])
def test_a_page_without_a_line_comes_back_by_itself(
    visitor: MakeVisitor, sqlite_server: Server, path: str
) -> None:
    one = prepared(visitor(), sqlite_server.url + path)
    one.page.context.set_offline(True)
    one.page.reload()
    expect(one.page.get_by_role("heading", name=OFFLINE)).to_be_visible()
    assert one.page.url == sqlite_server.url + path
    radius = "it => getComputedStyle(it).borderRadius"
    assert one.page.get_by_role("link", name="Try again now").evaluate(radius) == "99px"
    one.page.context.set_offline(False)
    expect(one.launcher.or_(one.panel)).to_be_visible()


def test_a_page_waits_for_a_server_that_was_away(visitor: MakeVisitor, stack: MakeStack) -> None:
    server = stack().server
    one = prepared(visitor(), server.url)
    server.kill()
    one.page.reload()
    expect(one.page.get_by_role("heading", name=OFFLINE)).to_be_visible()
    server.start()
    expect(one.launcher).to_be_visible()


def test_the_worker_leaves_all_else_to_the_browser(
    visitor: MakeVisitor, sqlite_server: Server
) -> None:
    one = prepared(visitor(), sqlite_server.url)
    one.page.context.set_offline(True)
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        one.page.goto(f"{sqlite_server.url}/admin/")
    other = one.page.context.new_page()  # that one is still on its way to the browser's own page
    other.goto(sqlite_server.url)  # the offline page, which the worker controls
    asked = "fetch('/api/health').then(() => 'an answer', () => 'none')"
    assert other.evaluate(asked) == "none"


def test_a_new_worker_throws_away_what_the_old_one_kept(
    visitor: MakeVisitor, sqlite_server: Server
) -> None:
    one = visitor().visit(f"{sqlite_server.url}/offline")
    one.page.evaluate("Promise.all(['offline-old', 'another'].map((it) => caches.open(it)))")
    prepared(one, sqlite_server.url)
    one.page.wait_for_function("caches.keys().then((all) => !all.includes('offline-old'))")
    left = one.page.evaluate("caches.keys()")
    assert len(left) == 2
    assert "another" in left
