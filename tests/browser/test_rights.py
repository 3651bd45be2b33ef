"""The visitor's rights in the widget: to be told first, to take the chat along, to have it gone."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Shop
from tests.browser.test_accessibility import settle, violations
from tests.browser.words import Visitor
from tests.conftest import MakeStack

DESKTOP = {"width": 1280, "height": 800}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
TEXT = "We keep what you write\nfor a year."


@pytest.fixture
def mira(visitor: MakeVisitor, shop: Shop) -> Visitor:
    return visitor(viewport=DESKTOP).visit(shop.sells().url).open_chat()


def box(one: Visitor, kind: str = "asked") -> Locator:
    return one.panel.locator(f".box.{kind}")


def menu(one: Visitor, item: str) -> None:
    one.button("More").click()
    one.button(item).click()


def kept(one: Visitor) -> dict[str, str]:
    """What the browser keeps of the chat."""
    return dict(one.page.evaluate("({ ...localStorage })"))


def messages(one: Visitor) -> list[dict[str, object]]:
    return [frame for frame in one.sent if frame["type"] == "message"]


# --- To take it along ---------------------------------------------------------------------------


def test_the_chat_comes_as_a_file(mira: Visitor) -> None:
    mira.ask("/say an answer to take along")
    with mira.page.expect_download() as download:
        menu(mira, "Download my chat")
    assert download.value.suggested_filename == "chat.json"
    told = json.loads(Path(download.value.path()).read_text())
    (talk,) = told["conversations"]
    assert [line["text"] for line in talk["messages"]][1:] == [
        "/say an answer to take along",
        "an answer to take along",
    ]
    expect(box(mira)).to_have_count(0)


def test_a_download_that_fails_says_so(mira: Visitor) -> None:
    mira.page.route("**/api/chat/export", lambda route: route.abort())
    menu(mira, "Download my chat")
    expect(box(mira).get_by_role("status")).to_have_text("That did not work. Please try again.")


# --- To have it gone ----------------------------------------------------------------------------


def test_it_is_asked_once_more_and_keys_do_all(mira: Visitor) -> None:
    mira.ask("/say Still here.")
    mira.button("More").focus()
    for key in ("Enter", "Tab", "Tab", "Enter"):
        mira.page.keyboard.press(key)
        if key == "Enter":
            expect(mira.panel.locator(".menu, .box").last).to_be_attached()
    expect(box(mira)).to_contain_text("for good?")
    expect(mira.button("Cancel")).to_be_focused()
    mira.page.keyboard.press("Escape")
    expect(box(mira)).to_have_count(0)
    expect(mira.panel).to_be_visible()
    expect(mira.field).to_be_focused()
    expect(mira.last_reply).to_contain_text("Still here.")


def test_deleted_in_one_tab_it_is_gone_in_all(
    mira: Visitor, visitor: MakeVisitor, shop: Shop
) -> None:
    mira.ask("/say Soon gone.")
    other = visitor(like=mira).visit(shop.url).open_chat()
    expect(other.last_reply).to_contain_text("Soon gone.")
    token = kept(mira)["sales-chat:demo:token"]
    menu(mira, "Delete my chat")
    box(mira).get_by_role("button", name="Delete", exact=True).click()
    expect(box(mira).get_by_role("status")).to_have_text("Your chat is deleted.")
    expect(mira.field).to_be_focused()
    for tab in (mira, other):
        expect(tab.questions).to_have_count(0)
        expect(tab.replies).to_have_count(1)  # the greeting
        expect(tab.panel).not_to_contain_text("Soon gone.")
    mira.page.wait_for_function(
        "(old) => ![null, old].includes(localStorage['sales-chat:demo:token'] ?? null)", arg=token
    )
    assert "Soon gone" not in json.dumps(kept(mira))
    mira.ask("/say A new beginning.")
    expect(other.last_reply).to_contain_text("A new beginning.")
    expect(box(mira)).to_have_count(0)  # it goes by itself


def test_what_waits_to_be_sent_goes_too(mira: Visitor) -> None:
    mira.ask("/say Hi.")
    mira.page.evaluate(
        """localStorage["sales-chat:demo:outbox:x"] = JSON.stringify(
            { client_id: "x", text: "unsent", n: 1, at: Date.now(), state: "failed" })"""
    )
    menu(mira, "Delete my chat")
    box(mira).get_by_role("button", name="Delete", exact=True).click()
    expect(mira.questions).to_have_count(0)
    assert not [name for name in kept(mira) if ":outbox:" in name]


def test_where_it_fails_the_chat_stays_and_it_can_be_tried_again(mira: Visitor) -> None:
    mira.ask("/say Still here.")

    def refuse(route: Route) -> None:
        if route.request.method == "DELETE":
            route.abort()
        else:
            route.continue_()

    mira.page.route("**/api/chat", refuse)
    menu(mira, "Delete my chat")
    delete = box(mira).get_by_role("button", name="Delete", exact=True)
    delete.click()
    expect(box(mira)).to_contain_text("That did not work. Please try again.")
    expect(mira.last_reply).to_contain_text("Still here.")
    mira.page.unroute("**/api/chat")
    delete.click()
    expect(mira.questions).to_have_count(0)


@pytest.mark.parametrize("device", [{"viewport": DESKTOP}, PHONE], ids=["desk", "phone"])
def test_the_question_is_accessible(
    visitor: MakeVisitor, shop: Shop, device: dict[str, Any]
) -> None:
    one = visitor(**device).visit(shop.sells().url).open_chat()
    one.ask("/say Hi.")
    menu(one, "Delete my chat")
    expect(box(one)).to_be_visible()
    settle(one)
    assert violations(one) == []


def test_every_language_has_the_words(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP).visit(shop.sells(html="lang=de").url).open_chat()
    one.button("Mehr").click()
    expect(one.button("Meinen Chat löschen")).to_be_visible()


# --- To be told first ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def asking(session_stack: MakeStack) -> Any:
    """A shop whose site says something before the first message: `asking(kind)`."""
    made = session_stack()

    def set_kind(kind: str) -> None:
        code = (
            "from chat.models import Site; s = Site.objects.get(key='demo'); "
            f"s.consent, s.consent_text = {kind!r}, {TEXT!r}; "
            "s.consent_link = 'https://shop.example/privacy'; s.save()"
        )
        made.manage("shell", "-c", code)

    with Shop(made.server) as site:
        made.manage("seed_demo", "--origin", site.url)
        site.sells()

        def shop_that(kind: str) -> Shop:
            set_kind(kind)
            return site

        yield shop_that


def test_a_notice_stands_there_before_the_first_message(visitor: MakeVisitor, asking: Any) -> None:
    one = visitor(viewport=DESKTOP).visit(asking("notice").url).open_chat()
    told = box(one, "told")
    expect(told).to_contain_text("for a year.")
    expect(told.get_by_role("link", name="Privacy policy")).to_have_attribute(
        "href", "https://shop.example/privacy"
    )
    settle(one)
    assert violations(one) == []
    one.ask("/say Hi.")
    expect(told).to_have_count(0)
    assert messages(one)[0]["consent"]
    one.page.reload()
    expect(one.last_reply).to_contain_text("Hi.")
    expect(told).to_have_count(0)


def test_where_the_site_asks_nothing_goes_before_the_visitor_agrees(
    visitor: MakeVisitor, asking: Any
) -> None:
    one = visitor(viewport=DESKTOP).visit(asking("ask").url).open_chat()
    told = box(one, "told")
    expect(told).to_be_visible()
    settle(one)
    assert violations(one) == []
    one.field.fill("/say Hi.")
    one.page.keyboard.press("Enter")
    expect(one.button("I agree")).to_be_focused()
    expect(one.field).to_have_value("/say Hi.")
    expect(one.questions).to_have_count(0)
    assert messages(one) == []
    one.page.keyboard.press("Enter")
    expect(told).to_have_count(0)
    expect(one.field).to_be_focused()
    one.page.reload()  # agreed and said nothing yet: that holds
    expect(one.field).to_have_value("/say Hi.")
    one.field.press("Enter")
    expect(one.last_reply).to_contain_text("Hi.")
    one.page.reload()
    expect(one.last_reply).to_contain_text("Hi.")
    expect(told).to_have_count(0)


def test_who_deleted_their_chat_is_asked_again(visitor: MakeVisitor, asking: Any) -> None:
    one = visitor(viewport=DESKTOP).visit(asking("ask").url).open_chat()
    one.button("I agree").click()
    one.ask("/say Hi.")
    menu(one, "Delete my chat")
    box(one).get_by_role("button", name="Delete", exact=True).click()
    expect(one.questions).to_have_count(0)
    expect(one.button("I agree")).to_be_visible()


def test_a_suggestion_waits_in_the_input_for_the_agreement(
    visitor: MakeVisitor, asking: Any
) -> None:
    one = visitor(viewport=DESKTOP).visit(asking("ask").url).open_chat()
    expect(one.button("I agree")).to_be_visible()
    words = one.suggestions.first.inner_text()
    one.suggestions.first.click()
    expect(one.field).to_have_value(words)
    assert messages(one) == []
