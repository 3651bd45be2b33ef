"""What stands beside the landing page: for crawlers, for link previews, for home screens."""

import json
import re
import struct
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, override_settings
from django.views.defaults import server_error

from landing import content
from tests.base import make_site
from tests.servers import ROOT, Server
from tests.test_pages import fetch

CARD = ROOT / "static" / "landing" / "card.png"


def meta(page: str, name: str) -> str:
    found = re.search(rf'<meta (?:name|property)="{name}" content="([^"]*)">', page)
    assert found, name
    return found[1]


def test_crawlers_find_the_sitemap_and_the_landing_page_in_it(client: Client) -> None:
    robots = client.get("/robots.txt").content.decode()
    found = re.search(r"^Sitemap: http://testserver(/.+)$", robots, re.MULTILINE)
    assert found
    tree = ElementTree.fromstring(client.get(found[1]).content)  # noqa: S314
    assert [it.text for it in tree.iter() if it.tag.endswith("loc")] == ["http://testserver/"]


def test_crawlers_stay_out_of_the_admin_and_the_interface(client: Client) -> None:
    rules = client.get("/robots.txt").content.decode().splitlines()
    assert {"User-agent: *", "Disallow: /admin/", "Disallow: /api/"} <= set(rules)


@pytest.mark.parametrize("path", ["/", "/robots.txt", "/sitemap.xml"])
@override_settings(PUBLIC_URL="https://sales.example")
def test_addresses_start_with_the_public_one(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    assert "https://sales.example/" in page
    assert "testserver" not in page


def test_a_link_to_the_page_shows_its_card(sqlite_server: Server) -> None:
    page = fetch(sqlite_server, "/")[1].decode()
    card = meta(page, "og:image")
    assert card.startswith(f"{sqlite_server.url}/static/")
    headers, body = fetch(sqlite_server, card.removeprefix(sqlite_server.url))
    assert (headers["content-type"], body) == ("image/png", CARD.read_bytes())
    assert meta(page, "og:title") == content.TITLE
    assert meta(page, "twitter:card") == "summary_large_image"


def test_the_card_has_the_size_that_networks_ask_for() -> None:
    card = CARD.read_bytes()
    assert struct.unpack(">II", card[16:24]) == (1200, 630)
    assert len(card) < 150_000


def test_the_page_names_its_own_address(client: Client) -> None:
    page = client.get("/?utm_source=mail").content.decode()
    assert '<link rel="canonical" href="http://testserver/">' in page


def test_every_icon_of_the_manifest_is_there(sqlite_server: Server) -> None:
    headers, body = fetch(sqlite_server, "/site.webmanifest")
    assert headers["content-type"] == "application/manifest+json"
    for icon in json.loads(body)["icons"]:
        picture = fetch(sqlite_server, icon["src"])[1]
        width, height = struct.unpack(">II", picture[16:24])
        assert icon["sizes"] == f"{width}x{height}"


def test_every_link_within_the_page_leads_somewhere(client: Client) -> None:
    page = client.get("/").content.decode()
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert len(targets) > len(content.MENU)
    assert targets <= set(re.findall(r' id="([^"]+)"', page))


def test_headings_go_down_one_step_at_a_time(client: Client) -> None:
    levels = [int(it) for it in re.findall(r"<h([1-6])\b", client.get("/").content.decode())]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels))


def test_words_are_text_and_backticks_are_code(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = content.Question("Is 1 < 2?", "Ask `<make>` & see.")
    monkeypatch.setattr(content, "QUESTIONS", [asked])
    page = client.get("/").content.decode()
    assert "Is 1 &lt; 2?" in page
    assert "Ask <code>&lt;make&gt;</code> &amp; see." in page


@pytest.mark.django_db
def test_a_chat_page_carries_the_name_and_colour_of_its_site(client: Client) -> None:
    make_site(name="Bolt & Nut", theme={"accent": "#7c3aed"})
    page = client.get("/chat/acme").content.decode()
    assert "<h1>Bolt &amp; Nut</h1>" in page
    assert meta(page, "og:title") == "Bolt &amp; Nut"
    assert meta(page, "theme-color") == "#7c3aed"


@pytest.mark.django_db
def test_a_chat_page_is_not_for_search_engines(client: Client) -> None:
    make_site()
    assert meta(client.get("/chat/acme").content.decode(), "robots") == "noindex"


def test_the_error_page_needs_no_database() -> None:
    """Without the mark for it, a test that touches the database fails."""
    response = server_error(HttpRequest())
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()


@pytest.mark.parametrize("name", ["404.html", "500.html"])
def test_pages_for_what_went_wrong_look_like_the_others(name: str) -> None:
    page = render_to_string(name)
    assert f"{settings.STATIC_URL}landing/landing.css" in page
    assert content.LICENCE in page
