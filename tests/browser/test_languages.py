"""The widget in the languages it speaks: which one, and how it lies on the page."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.hosts import Host
from tests.browser.words import Visitor
from tests.conftest import MakeStack
from tests.servers import Server

GREETED = {"en": "Write a message…", "de": "Nachricht schreiben…", "ar": "اكتبوا رسالة…"}

SAYS_NONE = "from chat.models import Site; Site.objects.update(language='')"


@pytest.fixture
def server(stack: MakeStack, host: Host) -> Server:
    """A server whose demo site lists the host's origin, and says no language."""
    made = stack()
    made.manage("seed_demo", "--origin", host.url)
    made.manage("shell", "-c", SAYS_NONE)
    return made.server


def tag(server: Server) -> str:
    return f'<script src="{server.url}/widget.js" data-site="demo" async></script>'


def in_language(host: Host, server: Server, attributes: str) -> None:
    """The host's page with the tag, its `<html>` with these attributes."""
    host.shows(tag(server))
    host.page = host.page.replace("lang=en", attributes)


def site_speaks(page: Page, language: str) -> None:
    """From now on the site's language is this one."""

    def answer(route: Route) -> None:
        response = route.fetch()
        facts = response.json()
        facts["site"]["locale"] = language
        route.fulfill(response=response, json=facts)

    page.route("**/api/chat/init", answer)


def fetched(one: Visitor) -> list[str]:
    """The languages whose files the browser asked for."""
    return re.findall(r"/strings/(\w+)\.", " ".join(one.requested))


def speaks(one: Visitor, language: str) -> None:
    expect(one.panel).to_have_attribute("lang", language)
    expect(one.field).to_have_attribute("placeholder", GREETED[language])


@pytest.mark.parametrize(
    ("page", "browsing", "language"),
    [
        ("de-AT", "ar", "de"),
        ("AR_eg", "de", "ar"),
        ("", "de-DE", "de"),
        ("sv", "de", "de"),
        ("", "sv", "en"),
    ],
)
def test_the_page_says_the_language_or_else_the_browser(
    visitor: MakeVisitor, server: Server, host: Host, page: str, browsing: str, language: str
) -> None:
    in_language(host, server, f'lang="{page}"')
    one = visitor(locale=browsing).visit(host.url).open_chat().ask("/say Hi.")
    speaks(one, language)
    assert fetched(one) == [language]


def test_the_site_says_it_where_the_page_does_not(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    in_language(host, server, 'lang=""')
    one = visitor()
    site_speaks(one.page, "de-DE")
    one.visit(host.url).launcher.click()
    speaks(one, "de")
    expect(one.field).to_be_focused()
    expect(one.panel).to_have_count(1)
    one.ask("/say Hi.").sees_reply("Hi.")


def test_the_site_is_remembered(visitor: MakeVisitor, server: Server, host: Host) -> None:
    in_language(host, server, 'lang=""')
    one = visitor()
    site_speaks(one.page, "de")
    one.visit(host.url).launcher.click()
    speaks(one, "de")
    again = visitor(like=one)
    site_speaks(again.page, "de")
    speaks(again.visit(host.url).open_chat().ask("/say Hi."), "de")
    assert fetched(again) == ["de"]


def test_the_page_goes_before_the_site(visitor: MakeVisitor, server: Server, host: Host) -> None:
    in_language(host, server, "lang=de")
    one = visitor(locale="en")
    site_speaks(one.page, "ar")
    speaks(one.visit(host.url).open_chat().ask("/say Hi."), "de")
    assert fetched(one) == ["de"]


def test_a_language_that_does_not_load_is_english(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    in_language(host, server, "lang=de")
    one = visitor()
    one.page.route("**/strings/de.*", lambda route: route.abort())
    speaks(one.visit(host.url).open_chat().ask("/say Hi."), "en")
    assert [text for text in one.console if "Sales chat" in text] == []


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("language", ["ar", "de"])
def test_the_panel_reads_its_way_and_stays_with_the_launcher(
    visitor: MakeVisitor, server: Server, host: Host, language: str, direction: str
) -> None:
    in_language(host, server, f"lang={language} dir={direction}")
    one = visitor(viewport={"width": 1000, "height": 800}).visit(host.url).open_chat()
    expect(one.panel).to_have_css("direction", {"ar": "rtl", "de": "ltr"}[language])
    one.page.mouse.move(500, 10)  # the launcher grows under the mouse
    sides = {"ltr": (580, 920), "rtl": (20, 20)}
    expect(one.launcher).to_have_css("scale", "none")
    launcher, panel = one.launcher.bounding_box(), one.panel.bounding_box()
    assert launcher is not None
    assert panel is not None
    assert (panel["x"], launcher["x"]) == sides[direction]


def test_a_reply_that_failed_says_so_in_the_language_of_the_chat(
    visitor: MakeVisitor, server: Server, host: Host
) -> None:
    """Also in those that the server does not speak; to who sees it and to who hears it."""
    in_language(host, server, "lang=pl")
    one = visitor().visit(host.url).open_chat().say("/fail-after 2")
    one.sees_reply("w1 w2", "failed")
    words = "Coś poszło nie tak. Proszę spróbować ponownie."
    expect(one.note).to_have_text(words)
    expect(one.announced).to_have_text(f"Mira: w1 w2 {words}")
