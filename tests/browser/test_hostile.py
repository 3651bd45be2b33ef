"""What strangers write is text, wherever it is shown: in Chromium, in the widget and the admin.

Nothing of it runs, fetches anything, breaks a policy, turns the page around or covers what stands
beside it. `tests/hostile.json` holds the texts, `strangers.py` puts them into every field.
"""

from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, expect

from tests.browser.hosts import Host, Shop
from tests.browser.strangers import Watch, all_come, apart, says_all
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.hostile import EVIL, KINDS, messages
from tests.servers import STAFF_PASSWORD, Server, Stack

# Each opens a browser on some twenty pages: a minute at most, and more on a machine under load.
pytestmark = pytest.mark.timeout(400)


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


# --- The watch sees what it is there for ----------------------------------------------------------

BAD = """<p class=one>one</p><p class=heap>heap</p><script>hostile()</script>
<img src=https://evil.example/p.gif><a href="javascript:hostile()">a</a>
<style>.heap { margin: -45px 0; font-size: 60px }</style><p class=two>two</p>"""


def test_a_page_that_runs_and_fetches_and_covers_is_seen(
    context: BrowserContext, host: Host
) -> None:
    watch = Watch(context, host.url)
    page = context.new_page()
    page.goto(host.shows(BAD).url)
    page.evaluate("alert(1)")
    assert any("ran hostile" in fault for fault in watch.faults)
    assert any("ran alert" in fault for fault in watch.faults)
    assert any(f"https://{EVIL}/p.gif" in fault for fault in watch.faults)
    assert len(page.evaluate(FOREIGN)) == 3
    with pytest.raises(AssertionError, match="covers"):
        covers_nothing(page.locator(".heap"), [page.locator(".one"), page.locator(".two")])
    watch.faults.clear()
    page.goto(host.shows(BAD, csp="default-src 'none'").url)
    page.wait_for_function("document.images[0].complete")
    assert any("policy: script-src" in fault for fault in watch.faults)
    assert not any("ran" in fault for fault in watch.faults)


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
        earlier.evaluate("it => it.hidden || it.click()")
        expect(one.questions.nth(before)).to_be_attached()  # those that come are drawn by and by
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


@pytest.mark.parametrize("path", ["/", "/chat/demo", "/demo"])
def test_a_page_of_ours_lives_within_its_policy(
    context: BrowserContext, made: Stack, path: str
) -> None:
    """With the chat open on it, a reply, an icon, a table, and its worker."""
    watch = Watch(context, made.server.url)
    one = Visitor(context.new_page()).visit(made.server.url + path)
    if path != "/chat/demo":
        one.open_chat()
    one.ask("/say | a | b |\\n|---|---|\\n| 1 | <img src=x onerror=hostile()> |")
    expect(one.last_reply.locator("table")).to_be_visible()
    if path != "/demo":
        registered = "navigator.serviceWorker.ready.then(({ active }) => active.scriptURL)"
        assert one.page.evaluate(registered) == f"{made.server.url}/worker.js"
    assert watch.faults == []
    assert [text for text in one.console if "Refused" in text or "violates" in text] == []


def lines_up(rows: Locator, side: str) -> bool:
    """Whether all begin (or end) at the same place, as they do where nothing turned them."""
    boxes = "(all, side) => all.map((it) => Math.round(it.getBoundingClientRect()[side]))"
    return len(set(rows.evaluate_all(boxes, side))) == 1


INK = 16  # of 255; edges are drawn with differences of one or two
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


def inside(box: FloatRect) -> FloatRect:
    """Without its edge, where both may have a part of one pixel."""
    return {
        "x": box["x"] + 2,
        "y": box["y"] + 2,
        "width": box["width"] - 4,
        "height": box["height"] - 4,
    }


def covers_nothing(heap: Locator, neighbours: list[Locator]) -> None:
    page = heap.page
    page.mouse.move(1, 1)
    heap.evaluate("it => it.scrollIntoView({ block: 'center', behavior: 'instant' })")
    boxes = [inside(box) for it in neighbours if (box := it.bounding_box())]
    pictures = []
    for ink in ("", "transparent"):
        heap.evaluate("(it, ink) => (it.style.webkitTextFillColor = ink)", ink)
        pictures.append([page.screenshot(clip=box, animations="disabled") for box in boxes])
    heap.evaluate("it => (it.style.webkitTextFillColor = '')")
    reach = [differ(*pair) for pair in zip(*pictures, strict=True)]
    assert max(reach) < INK, f"covers what stands beside it: {heap.text_content()}"


def differ(one: bytes, other: bytes) -> int:
    """By how much the two pictures differ where they differ most, of 255."""
    first, second = (Image.open(BytesIO(it)).convert("RGB") for it in (one, other))
    bands = ImageChops.difference(first, second).getextrema()
    return max(high for _, high in bands)


# --- The admin ------------------------------------------------------------------------------------

# What a page of ours may hold; a text that became markup would add to it.
FOREIGN = """() => [...document.querySelectorAll(
    "iframe, object, embed, base, audio, video, script:not([src]):not([type='application/json']),"
    + " [onerror], [onload], [onclick], [onfocus], meta[http-equiv], marquee, math,"
    + " a[href^='javascript' i], form[action*='evil'], img:not([src^='/']), link[href*='evil']")]
    .map((it) => it.outerHTML)"""
# Cells that do not stand below their heading, and whose words reach out of them.
ASTRAY = """() => {
    const table = document.querySelector("#result_list");
    if (!table) return [];
    const begin = (it) => Math.round(it.getBoundingClientRect().left);
    const columns = [...table.tHead.rows[0].cells].map(begin);
    const rows = [...table.querySelectorAll("tbody tr")].filter((row) => row.cells.length > 1);
    if (!rows.length) return ["no rows"];
    return rows.filter((row) => [...row.cells].some((cell, at) => begin(cell) !== columns[at]))
        .map((row) => row.textContent.trim().slice(0, 90));
}"""
TURNED = """() => {
    const main = document.querySelector("main, #main, body");
    const turned = [main, document.body, document.documentElement]
        .filter((it) => getComputedStyle(it).direction !== "ltr");
    const wide = document.documentElement.scrollWidth - innerWidth;
    return [...turned.map((it) => it.localName), ...(wide > 0 ? [`${wide}px too wide`] : [])];
}"""
# What stands after a hostile name in its line: it must begin at or after the name's end.
PASSED = """() => [...document.querySelectorAll(".desk-signed")].flatMap((line) => {
    const rows = new Map();
    for (const it of line.children) {
        for (const { left, top } of it.getClientRects()) {
            if (!rows.has(top)) rows.set(top, []);
            rows.get(top).push(left);
        }
    }
    return [...rows.values()].filter((all) => all.some((x, at) => at && x < all[at - 1]))
        .map(() => line.textContent);
})"""


class Desk:
    """Somebody of the staff, who looks at pages in Chromium."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.opened = 0
        self.opens("/admin/login/")
        page.get_by_label("Username").fill("root")
        page.get_by_label("Password").fill(STAFF_PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{server.url}/admin/")

    def opens(self, path: str) -> None:
        """Nothing on the page is what it should not be."""
        response = self.page.goto(self.server.url + path)
        assert response
        assert response.status == 200, path
        self.opened += 1
        assert self.page.evaluate(FOREIGN) == [], path
        assert self.page.evaluate(ASTRAY) == [], path
        assert self.page.evaluate(TURNED) == [], path
        assert self.page.evaluate(PASSED) == [], path

    def links(self, selector: str) -> list[str]:
        """Where the links of the open page lead, within the admin."""
        every = self.page.locator(selector).evaluate_all("all => all.map((it) => it.pathname)")
        return list(dict.fromkeys(path for path in every if path.startswith("/admin/")))


def test_the_admin_shows_hostile_words_as_words(context: BrowserContext, made: Stack) -> None:
    server = made.server
    apart(all_come(server))
    watch = Watch(context, server.url)
    desk = Desk(context.new_page(), server)
    talks, leads = "/admin/chat/conversation/", "/admin/chat/lead/"
    found = two_pages(desk, leads)
    assert len(found) >= 40
    chosen = found[::12]
    for one in chosen:
        desk.opens(one)
    desk.opens(chosen[0].replace("change/", "delete/"))
    desk.opens(chosen[0].replace("change/", "history/"))
    desk.opens(f"{leads}?q=<script>hostile()</script>&period=7")
    desk.opens(f"{talks}?q=shop.example&failed=no")
    desk.opens(f"{talks}?q=%E0%B8%81%E0%B8%B9%E0%B8%B9%E0%B8%B9")
    desk.opens(desk.links("#result_list th a")[-1])
    bubble_covers_nothing(desk.page)
    found = two_pages(desk, talks)
    assert len(found) >= 40
    for one in found[:30:7]:
        desk.opens(one)
        others = desk.links("a[href*='/visitor/']")
    assert others
    desk.opens(others[0])
    desk.opens("/admin/chat/visitor/")
    for name in ("spend", "modelprice", "site"):
        desk.page.goto(f"{server.url}/admin/chat/{name}/")
    desk.page.goto(f"{server.url}/admin/")
    assert desk.page.evaluate(FOREIGN) == []
    assert watch.faults == []


def two_pages(desk: Desk, rows: str) -> list[str]:
    """The links to the rows of a list, on whose first two pages none covers another."""
    found: list[str] = []
    heaps = 0
    for number in (1, 2):
        desk.opens(f"{rows}?p={number}")
        heaps += rows_cover_nothing(desk.page)
        found += [it for it in desk.links("#result_list a") if rows in it and "change" in it]
    assert heaps
    return list(dict.fromkeys(found))


def rows_cover_nothing(page: Page) -> int:
    """A name that is a pile of marks stays within its row of the list; how many there are."""
    rows = page.locator("#result_list tbody tr")
    heaps = [at for at in rows.evaluate_all(COVERS) if 0 < at < rows.count() - 1]
    for at in heaps[:3]:
        covers_nothing(rows.nth(at), [rows.nth(at - 1), rows.nth(at + 1)])
    return len(heaps)


def bubble_covers_nothing(page: Page) -> None:
    """Nor does one in a transcript reach out of its bubble."""
    bubbles = page.locator(".desk-bubble")
    heaps = [at for at in bubbles.evaluate_all(COVERS) if at]
    assert heaps
    for at in heaps[:2]:
        covers_nothing(bubbles.nth(at), [bubbles.nth(at - 1)])
