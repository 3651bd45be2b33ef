"""The widget on a customer's page: another origin, strange styles, strict policies."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Host
from tests.conftest import MakeStack
from tests.servers import Server

HOSTILE = """<style>
  * { all: unset !important; color: red !important; font: 40px serif !important }
  div, section, button, textarea { display: none !important; position: static !important }
  body > * { opacity: 0.1; transform: scale(0.5) }
</style>"""


@pytest.fixture
def server(stack: MakeStack, host: Host) -> Server:
    """A server whose demo site lists the host's origin."""
    made = stack()
    made.manage("seed_demo", "--origin", host.url)
    return made.server


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
    host.shows("<p>Shop</p>" + tag(server), head=HOSTILE)
    one = visitor(viewport={"width": 1280, "height": 800}).visit(host.url).open_chat()
    one.ask("/say Untouched.").sees_reply("Untouched.")
    box = one.panel.bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["x"] + box["width"])) == (400, 1260)
    style = one.last_reply.locator(".bubble").evaluate("node => getComputedStyle(node).fontSize")
    assert style == "15px"


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


def test_nothing_but_the_loader_until_somebody_means_it(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    expect(one.launcher).to_be_visible()
    assert [url for url in one.requested if server.url in url] == [f"{server.url}/widget.js"]


def test_all_modules_are_asked_for_at_once(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    one.launcher.hover()
    one.page.wait_for_function("() => document.querySelectorAll('link[href$=\".js\"]').length > 9")
    one.open_chat()
    scripts = [url for url in one.requested if url.endswith(".js") and "/static/" in url]
    assert len(scripts) == len(set(scripts))


def test_a_failed_load_takes_itself_away(visitor: MakeVisitor, server: Server, host: Host) -> None:
    host.shows(tag(server))
    one = visitor().visit(host.url)
    one.page.route("**/static/widget/**", lambda route: route.abort())
    one.launcher.click()
    expect(one.page.locator("sales-chat")).to_have_count(0)
    ours = [text for text in one.console if text.startswith("Sales chat")]
    assert ours == [f"Sales chat: could not be loaded from {server.url}."]


def test_a_page_that_the_site_does_not_list(
    visitor: MakeVisitor, stack: MakeStack, host: Host
) -> None:
    host.shows(tag(stack().server))
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
