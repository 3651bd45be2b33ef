"""For everyone: no state of the chat breaks a rule that a program can check, and keys do all."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.desk import Staff
from tests.browser.hosts import Shop
from tests.browser.words import Visitor
from tests.servers import ROOT, Server

AXE = ROOT / "tests/widget/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
TABLE = (
    r"/say | Model | Price |\n|---|---|\n| Hauler | €2,490 |\n\nSome `code`, https://example.com/"
)
DESKTOP = {"width": 1280, "height": 800}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
State = tuple[str, Callable[[Visitor], object]]


def violations(one: Visitor | Staff, whole: bool = False, sight: bool = False) -> list[str]:
    """What axe finds wrong: with the chat, or with all of the page; `sight`: its colours alone."""
    if not one.page.evaluate("'axe' in window"):
        assert AXE.exists(), "axe-core is missing: make test installs it (npm ci in tests/widget)"
        one.page.evaluate(AXE.read_text())
    where = "document" if whole else "{ include: [['sales-chat']] }"
    run = f"axe.run({where}, {{ runOnly: {COLOURS if sight else RULES} }})"
    found = one.page.evaluate(f"{run}.then(({{ violations }}) => violations)")
    return [f"{it['id']}: {node['html'][:120]}" for it in found for node in it["nodes"]]


def settle(one: Visitor) -> None:
    """Nothing fades any more: axe would measure the colours of a moment."""
    one.page.evaluate(
        "Promise.allSettled(document.querySelector('sales-chat').shadowRoot.getAnimations()"
        ".filter((it) => it.effect.getTiming().iterations === 1).map((it) => it.finished))"
    )


def stopped(one: Visitor) -> None:
    one.button("Stop this answer").click()
    expect(one.last_reply).to_have_attribute("data-state", "interrupted")


def table(one: Visitor) -> None:
    one.ask(TABLE)
    for part in ("table", "code", "a"):
        expect(one.last_reply.locator(part)).to_be_visible()


def asked_why(one: Visitor) -> None:
    one.last_reply.get_by_role("button", name="Bad answer").click()
    expect(one.why).to_be_visible()


def failed(one: Visitor) -> None:
    one.say("/fail-after 2")
    expect(one.last_reply).to_have_attribute("data-state", "failed")


def offered(one: Visitor) -> None:
    one.ask("/offer Yes, please | No")
    expect(one.suggestions).to_have_count(2)


def menu(one: Visitor) -> None:
    one.field.fill("")
    one.button("More").click()
    expect(one.button("New conversation")).to_be_visible()


def closed_with_news(one: Visitor) -> None:
    one.page.keyboard.press("Escape")
    one.answered_while_closed()
    expect(one.peek).to_be_visible()


STATES: list[State] = [
    ("closed", lambda one: None),
    ("greeting and suggestions", lambda one: one.open_chat()),
    ("a reply that grows", lambda one: one.say("/words 300 40")),
    ("a reply that was stopped", stopped),
    ("a table, code and a link", table),
    ("why it was a bad answer", asked_why),
    ("a reply that failed", failed),
    ("quick replies", offered),
    ("near the limit", lambda one: one.field.fill("x" * 1990)),
    ("over the limit", lambda one: one.field.fill("x" * 2010)),
    ("the menu", menu),
    ("news above the button", closed_with_news),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_breaks_a_rule(visitor: MakeVisitor, shop: Shop, scheme: str) -> None:
    one = visitor(viewport=DESKTOP, color_scheme=scheme).visit(shop.sells().url)
    wrong: dict[str, list[str]] = {}
    for name, reach in STATES:
        reach(one)
        settle(one)
        wrong[name] = violations(one)
    assert {name: found for name, found in wrong.items() if found} == {}


def test_no_state_of_the_sheet_on_a_phone_breaks_a_rule(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(**PHONE).visit(shop.sells().url)
    for _, reach in STATES[1:6]:
        reach(one)
        settle(one)
        assert violations(one) == []


def test_arabic_from_right_to_left_breaks_no_rule(visitor: MakeVisitor, shop: Shop) -> None:
    shop.sells(html="lang=ar dir=rtl")
    one = visitor(viewport=DESKTOP).visit(shop.url).open_chat()
    one.ask("/say مرحبا، السعر 2490 يورو.")
    settle(one)
    assert violations(one) == []


def test_without_a_connection_it_breaks_no_rule(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP).visit(shop.sells().url).open_chat().ask("Hello")
    one.page.context.set_offline(True)
    one.say("Are you there?")
    expect(one.line).to_contain_text("No connection.")
    settle(one)
    assert violations(one) == []
    one.page.context.set_offline(False)


@pytest.mark.parametrize("path", ["/", "/demo", "/chat/demo", "/nothing-here", "/offline"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule(
    visitor: MakeVisitor, sqlite_server: Server, path: str, scheme: str
) -> None:
    one = visitor(viewport=DESKTOP, color_scheme=scheme).visit(sqlite_server.url + path)
    if path == "/chat/demo":
        expect(one.panel).to_be_visible()
    assert violations(one, whole=True) == []


# --- Keys ---------------------------------------------------------------------------------------

FOCUSED = """() => {
    const { activeElement: it } = document.querySelector("sales-chat").shadowRoot;
    if (!it) return null;
    const { width, height } = it.getBoundingClientRect();
    const style = getComputedStyle(it.matches("textarea") ? it.parentElement : it);
    const seen = style.outlineStyle !== "none" || it.matches("textarea, .panel");
    return { name: it.ariaLabel || it.textContent.trim() || it.className, width, height, seen };
}"""


def tabbed(one: Visitor) -> Iterator[dict[str, Any]]:
    """What the keyboard comes to, one after the other, until it leaves the chat."""
    for _ in range(40):
        one.page.keyboard.press("Tab")
        focused = one.page.evaluate(FOCUSED)
        if focused is None:
            return
        yield focused


def test_the_tab_key_comes_to_all_in_order_and_leaves(visitor: MakeVisitor, shop: Shop) -> None:
    shop.sells('<a href="#before">Before</a>')
    one = visitor(viewport=DESKTOP).visit(shop.url).open_chat().ask("/say Hi.")
    one.page.evaluate("document.querySelector('sales-chat').shadowRoot.activeElement.blur()")
    one.panel.focus()
    reached = list(tabbed(one))
    names = [it["name"] for it in reached]
    wanted = ["More", "Close chat", "Good answer", "Bad answer", "Copy", "Answer again"]
    wanted += ["Your message"]
    places = [names.index(name) for name in wanted]
    assert places == sorted(places), names
    assert [it["name"] for it in reached if not it["seen"]] == []


def test_what_can_be_pressed_is_large_enough(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP).visit(shop.sells().url).open_chat().ask(TABLE)
    offered(one)
    sizes = one.panel.get_by_role("button").evaluate_all(
        "all => all.map((it) => it.getBoundingClientRect()).map((it) => [it.width, it.height])"
    )
    assert len(sizes) > 6
    assert all(min(size) >= 24 for size in sizes if max(size) > 0), sizes


def test_a_screen_reader_hears_whole_replies_and_no_pieces(
    visitor: MakeVisitor, shop: Shop
) -> None:
    one = visitor(viewport=DESKTOP).visit(shop.sells().url).open_chat()
    one.panel.evaluate(
        """panel => { window.heard = [];
            for (const region of panel.querySelectorAll("[aria-live=polite], [role=status]")) {
                new MutationObserver(() => heard.push(region.textContent.trim()))
                    .observe(region, { childList: true, subtree: true, characterData: true });
            } }"""
    )
    one.ask("/words 60 20")
    one.page.wait_for_function("heard.some((text) => text.includes('w60'))")
    heard = [text for text in one.page.evaluate("heard") if re.search(r"\bw\d", text)]
    assert len(heard) == 1
    assert heard[0].startswith("Mira: w1 w2")


# --- Sight --------------------------------------------------------------------------------------


def test_at_400_percent_nothing_is_cut_off(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport={"width": 320, "height": 256}).visit(shop.sells().url).open_chat()
    one.ask(TABLE)
    wide = one.panel.evaluate("it => it.scrollWidth - it.clientWidth")
    assert wide <= 0
    expect(one.field).to_be_in_viewport()
    expect(one.button("Close chat")).to_be_in_viewport()


def test_who_wants_no_motion_gets_none(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP, reduced_motion="reduce").visit(shop.sells().url)
    one.launcher.click()
    one.say("/words 100 50")
    expect(one.last_reply).to_contain_text("w3")
    moving = one.page.evaluate(
        "document.querySelector('sales-chat').shadowRoot.getAnimations()"
        ".filter((it) => it.effect.getComputedTiming().duration > 10).length"
    )
    assert moving == 0


def test_the_systems_own_colours_draw_every_edge(visitor: MakeVisitor, shop: Shop) -> None:
    one = visitor(viewport=DESKTOP, forced_colors="active").visit(shop.sells().url)
    # Before the rest is loaded, and with nothing pointing at it.
    edge = one.launcher.evaluate("it => getComputedStyle(it).outline")
    assert re.search(r"rgb\(\d+, \d+, \d+\) solid 1px", edge), edge
    one.open_chat().ask("/say Hi.")
    for part in (one.panel, one.last_reply.locator(".bubble")):
        width = part.evaluate("it => parseFloat(getComputedStyle(it).borderTopWidth)")
        assert width >= 1
