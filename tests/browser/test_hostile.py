"""What strangers write is text, wherever it is shown: in Chromium, in the widget and the admin.

Nothing of it runs, fetches anything, breaks a policy, turns the page around or covers what stands
beside it. `tests/hostile.json` holds the texts, `strangers.py` puts them into every field.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.browser.hosts import Shop
from tests.browser.strangers import Watch, apart, says_all
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.hostile import EVIL, KINDS, messages
from tests.servers import STAFF_PASSWORD, Stack


@pytest.fixture(scope="module")
def made(session_stack: MakeStack) -> Stack:
    made = session_stack()
    made.manage("shell", "-c", SUPERUSER)
    return made


SUPERUSER = (
    "from django.contrib.auth.models import User;"
    f"User.objects.create_superuser('root', password={STAFF_PASSWORD!r})"
)


@pytest.fixture
def shop(made: Stack) -> Iterator[Shop]:
    with Shop(made.server) as site:
        made.manage("seed_demo", "--origin", site.url)
        yield site


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(30_000)
    yield made
    made.close()


# --- The widget -----------------------------------------------------------------------------------

TOKEN = "JSON.parse(localStorage['sales-chat:demo:token'])"

# What the widget makes of a text, and nothing else: no picture, no frame, no handler.
STRANGE = """() => {
    const root = document.querySelector("sales-chat").shadowRoot;
    const allowed = new Set(("a b br button code div em i input label li ol p path pre span strong"
        + " svg table tbody td th thead time tr ul").split(" "));
    const strange = /^(on|src|style|srcdoc|action|formaction|xlink)/;
    const found = [];
    for (const it of root.querySelectorAll(".row *")) {
        if (!allowed.has(it.localName)) found.push(it.outerHTML);
        if ([...it.attributes].some(({ name }) => strange.test(name))) found.push(it.outerHTML);
        if (it.localName !== "a") continue;
        if (!/^(https?:|mailto:|tel:)$/.test(it.protocol)) found.push(it.outerHTML);
        if (it.target !== "_blank" || !/noopener noreferrer/.test(it.rel)) found.push(it.outerHTML);
    }
    return found;
}"""
# Whose words reach out of their bubble to the side.
WIDE = """(list) => [...list.querySelectorAll(".bubble")]
    .filter((it) => it.scrollWidth > it.clientWidth && getComputedStyle(it).overflowX === "visible")
    .map((it) => it.textContent)"""


def test_the_widget_shows_hostile_words_as_words(
    context: BrowserContext, shop: Shop, made: Stack
) -> None:
    """On a page with no policy that would help: live, and after a reload from the history."""
    watch = Watch(context, shop.url, made.server.url)
    one = Visitor(context.new_page())
    shop.sells("<h1>Shop</h1>")
    one.visit(shop.url).open_chat().ask("/say Neighbour.")
    token = one.page.evaluate(TOKEN)
    answers = apart(says_all(made.server, token, messages()))
    assert len(answers) == len(messages())
    expect(one.questions).to_have_count(1 + len(messages()))
    expect(one.last_reply).to_have_attribute("data-state", "complete")
    assert one.page.evaluate(STRANGE) == []
    one.page.reload()
    expect(one.panel).to_be_visible()
    expect(one.questions.first).to_be_attached()
    earlier = one.panel.locator("button.earlier")
    while one.questions.count() <= len(messages()):
        before = one.questions.count()
        earlier.click()
        expect(one.questions.nth(before)).to_be_attached()
    assert one.page.evaluate(STRANGE) == []
    asked, answered = (
        it.locator(".bubble").all_text_contents() for it in (one.questions, one.replies)
    )
    for text in KINDS["html"]:  # letter for letter
        assert any(text in words for words in asked), text
        assert any(text in words for words in answered), text
    assert lines_up(one.panel.locator('.row[data-role="agent"] .bubble'), "left")
    assert lines_up(one.panel.locator('.row[data-role="visitor"] .bubble'), "right")
    assert one.scroller.evaluate(WIDE) == []
    assert one.scroller.evaluate("it => it.scrollWidth - it.clientWidth") == 0
    piled(one)
    assert watch.faults == []
    assert EVIL not in " ".join(one.requested)


def lines_up(rows: Locator, side: str) -> bool:
    """Whether all begin (or end) at the same place, as they do where nothing turned them."""
    boxes = "(all, side) => all.map((it) => Math.round(it.getBoundingClientRect()[side]))"
    return len(set(rows.evaluate_all(boxes, side))) == 1


COVERS = """(rows) => rows.flatMap((row, at) => {
    if (!/[\\u0300-\\u036f\\u0e31-\\u0e4e\\u20d0-\\u20ff]{5}/.test(row.textContent)) return [];
    return [at];
})"""


def piled(one: Visitor) -> None:
    """Piles of marks stay in their own bubble: the neighbours look the same without them."""
    bubbles = one.panel.locator(".row .bubble")
    heaps = bubbles.evaluate_all(COVERS)
    assert len(heaps) >= 8
    for at in heaps[1::3]:
        covers_nothing(bubbles.nth(at), [bubbles.nth(at - 1), bubbles.nth(at + 1)])


def covers_nothing(heap: Locator, neighbours: list[Locator]) -> None:
    page = heap.page
    page.mouse.move(1, 1)
    heap.evaluate("it => it.scrollIntoView({ block: 'center', behavior: 'instant' })")
    boxes = [box for it in neighbours if (box := it.bounding_box())]
    pictures = []
    for shown in ("visible", "hidden"):
        heap.evaluate("(it, shown) => (it.style.visibility = shown)", shown)
        pictures.append([page.screenshot(clip=box, animations="disabled") for box in boxes])
    heap.evaluate("it => (it.style.visibility = '')")
    assert pictures[0] == pictures[1], f"covers what stands beside it: {heap.text_content()}"
