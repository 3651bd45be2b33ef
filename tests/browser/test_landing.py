"""The landing page by hand: keyboard, small windows, large text, and the chat on it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
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
