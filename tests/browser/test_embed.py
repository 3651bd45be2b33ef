"""The widget on a customer's page: another origin, strange styles, strict policies."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Host, Shop
from tests.servers import Server

HOSTILE = """<style>
  :root { font-size: 40px !important; direction: rtl }
  * { all: unset !important; color: red !important; font: 40px serif !important }
  div, section, button, textarea, dialog { display: none !important; position: static !important }
  body { transform: rotate(3deg) scale(0.5) !important; filter: blur(2px) !important }
  body > * { opacity: 0.1 !important; transform: scale(0.5) !important }
  main { position: fixed !important; inset: 0 !important; z-index: 2147483647 !important;
         display: block !important; background: tan !important }
</style>"""
POLLUTED = """<script>
  for (const name of ["last", "flatten", "remove"]) Array.prototype[name] = () => "mine";
  Array.prototype.open = Object.prototype.extended = function () { return "mine" };
</script>"""


@pytest.fixture
def host(shop: Shop) -> Shop:
    return shop


@pytest.fixture
def server(shop: Shop) -> Server:
    """A server whose demo site lists the host's origin."""
    return shop.server


def tag(server: Server, more: str = "async") -> str:
    return f'<script src="{server.url}/widget.js" data-site="demo" {more}></script>'


@pytest.mark.parametrize("more", ["", "async", "defer"])
def test_from_the_head(visitor: MakeVisitor, server: Server, host: Host, more: str) -> None:
    host.shows("<h1>Shop</h1>", head=tag(server, more))
    visitor().visit(host.url).open_chat().ask("/say Hi.").sees_reply("Hi.")


def test_twice_by_mistake(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows(tag(server), head=tag(server, ""))
    one = visitor().visit(host.url).open_chat().ask("/say Hi.")
    one.sees_reply("Hi.")
    expect(one.page.locator("sales-chat")).to_have_count(1)


def test_open_from_the_start(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows(tag(server, "data-open"))
    expect(visitor().visit(host.url).panel).to_be_visible()


def test_a_page_with_hostile_styles(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows("<main>Shop</main>" + tag(server), head=HOSTILE)
    one = visitor(viewport={"width": 1280, "height": 800}).visit(host.url).open_chat()
    one.ask("/say Untouched.").sees_reply("Untouched.")
    # At the end of the page's lines, which run from the right here.
    assert one.panel.bounding_box() == {"x": 20, "y": 20, "width": 400, "height": 684}
    style = one.last_reply.locator(".bubble").evaluate("node => getComputedStyle(node).fontSize")
    assert style == "15px"
    expect(one.button("Close chat")).to_be_in_viewport()
    one.close_chat()  # which a click cannot do through something that lies above


def test_a_page_that_changes_what_arrays_are(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    host.shows(tag(server), head=POLLUTED)
    visitor().visit(host.url).open_chat().ask("/say Hi.").sees_reply("Hi.")


def test_a_page_with_a_strict_policy(visitor: MakeVisitor, server: Server, host: Host) -> None:
    csp = (
        f"default-src 'none'; script-src {server.url}; "
        f"connect-src {server.url} {server.url.replace('http', 'ws')}; "
        "require-trusted-types-for 'script'"
    )
    host.shows(tag(server), csp=csp)
    one = visitor().visit(host.url).open_chat().ask("/say Allowed.")
    one.sees_reply("Allowed.")
    assert [text for text in one.console if "favicon" not in text] == []


STRICT = "default-src 'none'; script-src {0}; connect-src {0} {1}"
TRUSTED_TYPES = f"{STRICT}; require-trusted-types-for 'script'; trusted-types"
SANDBOX = f"{STRICT}; sandbox allow-scripts allow-same-origin"


@pytest.mark.parametrize(
    "policy",
    ["", STRICT, TRUSTED_TYPES, SANDBOX],
    ids=["none", "strict", "trusted types", "sandbox"],
)
def test_what_is_loaded_later_needs_no_more_than_the_policy_that_is_asked_for(
    visitor: MakeVisitor, server: Server, host: Host, policy: str
) -> None:
    """A language, the sheet of a phone, the menu, a thumb with its why, the host's interface."""
    csp = policy.format(server.url, server.url.replace("http", "ws"))
    viewport = '<meta name="viewport" content="width=device-width">'
    host.shows(tag(server), head=viewport, csp=csp, lang="de")
    phone = {"width": 390, "height": 844}
    one = visitor(viewport=phone, has_touch=True, is_mobile=True).visit(host.url)
    expect(one.launcher).to_be_visible()
    one.page.evaluate("SalesChat.push(['prefill', '/say Erlaubt.'])")
    expect(one.field).to_have_value("/say Erlaubt.")
    one.field.press("Enter")
    one.sees_reply("Erlaubt.")
    one.last_reply.get_by_role("button", name="Schlechte Antwort").click()
    expect(one.why).to_be_visible()
    one.button("Mehr").click()
    expect(one.button("Neue Unterhaltung")).to_be_visible()
    assert [text for text in one.console if "favicon" not in text] == []


def test_nothing_but_the_loader_until_somebody_means_it(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    expect(one.launcher).to_be_visible()
    assert [url for url in one.requested if server.url in url] == [f"{server.url}/widget.js"]


def test_intent_fetches_each_file_once_and_asks_nothing_of_the_chat(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    host.shows(tag(server), lang="de")
    one = visitor().visit(host.url)
    one.launcher.hover()
    expect(one.panel).to_be_attached()  # with its style and its language
    files = [url for url in one.requested if "/static/" in url]
    assert any("/strings/de." in url for url in files)
    assert "/api/" not in " ".join(one.requested)
    one.open_chat().ask("/say Hi.")
    after = [url for url in one.requested if "/static/" in url]
    assert after == files
    assert len(files) == len(set(files))


def test_a_failed_load_takes_itself_away(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    one.page.route("**/static/widget/**", lambda route: route.abort())
    one.launcher.click()
    expect(one.page.locator("sales-chat")).to_have_count(0)
    ours = [text for text in one.console if text.startswith("Sales chat")]
    assert ours == [f"Sales chat: could not be loaded from {server.url}."]


def test_a_page_that_the_site_does_not_list(
    visitor: MakeVisitor, sqlite_server: Server, host: Host
) -> None:
    host.shows(tag(sqlite_server))
    one = visitor().visit(host.url).open_chat()
    expect(one.line).to_have_text("This chat is not available here.")
    expect(one.field).to_be_disabled()


def test_on_a_phone_it_fills_the_screen(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows(tag(server), head='<meta name="viewport" content="width=device-width">')
    phone = {"width": 390, "height": 844}
    one = visitor(viewport=phone, has_touch=True, is_mobile=True).visit(host.url)
    box = one.open_chat().panel.bounding_box()
    assert box == {"x": 0, "y": 0, **phone}
    assert one.field.evaluate("node => getComputedStyle(node).fontSize") == "16px"


def test_it_can_be_taken_out_and_put_back(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url).open_chat().ask("Hello")
    one.page.evaluate("""() => {
        const chat = document.querySelector("sales-chat");
        chat.remove();
        document.body.append(chat);
    }""")
    expect(one.rows).to_have_count(3)
    one.ask("/say Still here.").sees_reply("Still here.")


@pytest.mark.parametrize("when", ["before it is loaded", "with the panel open"])
def test_a_page_drawn_anew_keeps_the_chat(
    visitor: MakeVisitor, server: Server, host: Host, when: str
) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    if when == "with the panel open":
        one.open_chat().ask("/say Hello.")
    else:
        expect(one.launcher).to_be_visible()
    one.page.evaluate(
        """tag => {
        document.body.replaceChildren();
        document.body.remove();
        document.documentElement.append(document.createElement("body"));
        const again = document.createElement("script");  // as Turbo and its like do
        Object.assign(again, { src: tag, async: true }).dataset.site = "demo";
        document.body.append(again);
    }""",
        f"{server.url}/widget.js",
    )
    expect(one.launcher).to_be_visible()
    if when == "before it is loaded":
        one.open_chat()
    else:
        expect(one.rows).to_have_count(3)
    one.ask("/say Still here.").sees_reply("Still here.")
    expect(one.page.locator("sales-chat")).to_have_count(1)


def test_the_page_it_tells_of_is_the_one_that_is_shown(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    one.page.evaluate("history.pushState({}, '', '/pricing'); document.title = 'Pricing'")
    with one.page.expect_request("**/api/chat/init") as asked:
        one.open_chat()
    page = asked.value.post_data_json["page"]
    assert (page["url"], page["title"]) == (f"{host.url}/pricing", "Pricing")


@pytest.mark.parametrize("part", ["define", "chat-widget.*css", "strings"])
def test_any_part_that_is_missing_takes_it_away(
    visitor: MakeVisitor, server: Server, host: Host, part: str
) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    missing = re.compile(rf"/static/widget/{part}")
    one.page.route(missing, lambda route: route.fulfill(status=404))
    one.launcher.click()
    expect(one.page.locator("sales-chat")).to_have_count(0)
    ours = [text for text in one.console if text.startswith("Sales chat")]
    assert ours == [f"Sales chat: could not be loaded from {server.url}."]


MEASURES = """
  window.measured = { shifts: [], long: [] };
  new PerformanceObserver(list => {
      for (const { hadRecentInput, value, sources } of list.getEntries()) {
          // Of the page itself; within the chat words may make room for words.
          const moved = sources.map(({ node }) => node).filter((node) => document.contains(node));
          const names = moved.map((node) => node.nodeName);
          if (!hadRecentInput && names.length) measured.shifts.push([value, ...names]);
      }
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) measured.long.push(duration);
  }).observe({ type: "longtask", buffered: true });
"""


def test_nothing_on_the_page_moves(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows("<h1>Shop</h1>" + "<p>Lamp</p>" * 50 + tag(server))
    one = visitor()
    one.page.add_init_script(MEASURES)
    one.visit(host.url).open_chat().answered_while_closed()
    expect(one.peek).to_be_visible()
    assert one.page.evaluate("measured.shifts") == []
