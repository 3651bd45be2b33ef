"""What stands beside the landing page: for crawlers, for link previews, for home screens."""

import json
import re
import struct
from itertools import pairwise
from urllib.parse import unquote
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

# Whose picture the chat on it shows is asked of the database; see test_policy for when it is away.
pytestmark = pytest.mark.django_db

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


PICTURES = ["chat", "chat-dark", "chat-still", "chat-still-dark"]


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_chat_keep_their_place(client: Client, name: str) -> None:
    """They are as wide to high as the page says, so nothing jumps when they come; and light."""
    page = client.get("/").content.decode()
    said = re.search(r'alt="[^"]{40,}" width="(\d+)" height="(\d+)"', page)
    assert said
    picture = (CARD.parent / f"{name}.avif").read_bytes()
    at = picture.index(b"ispe")  # the box that holds an AVIF's size
    width, height = struct.unpack(">II", picture[at + 8 : at + 16])
    assert (width, height) == (2 * int(said[1]), 2 * int(said[2]))
    assert len(picture) < (40_000 if "still" in name else 250_000)


def test_the_film_of_the_readme_is_light() -> None:
    assert "docs/pictures/talk.webp" in (ROOT / "README.md").read_text()
    assert (ROOT / "docs" / "pictures" / "talk.webp").stat().st_size < 1_500_000


# --- Without a line ------------------------------------------------------------------------------


def test_the_worker_is_asked_for_anew_and_stands_at_the_root(sqlite_server: Server) -> None:
    headers, _ = fetch(sqlite_server, "/worker.js")
    assert headers["content-type"].startswith("text/javascript")
    assert headers["cache-control"] == "no-cache"
    policy = fetch(sqlite_server, "/")[0]["content-security-policy"]
    assert "worker-src 'self'" in policy


def kept(script: str) -> tuple[str, list[str]]:
    """The worker's version, and what it keeps."""
    found = re.search(r'"offline-" \+ "(\w+)"', script)
    listed = re.search(r"\[OFFLINE, \.\.\.FILES\] = (\[.*\]);", script)
    assert found
    assert listed
    return found[1], json.loads(listed[1])


def test_the_worker_keeps_the_offline_page_and_all_it_is_drawn_with(sqlite_server: Server) -> None:
    _, files = kept(fetch(sqlite_server, "/worker.js")[1].decode())
    page = fetch(sqlite_server, "/offline")[1].decode()
    assert files == ["/offline", *re.findall(r'(?:href|src)="(/static/[^"]+)"', page)]
    assert len(files) > 3
    for file in files:
        assert fetch(sqlite_server, file)[1]


def test_another_offline_page_makes_another_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(client.get("/worker.js").content.decode())
    assert kept(client.get("/worker.js").content.decode()) == before
    monkeypatch.setattr(content, "LICENCE", "All of it is yours.")
    assert kept(client.get("/worker.js").content.decode())[0] != before[0]


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
def test_a_chat_page_reads_as_its_language_does(client: Client) -> None:
    make_site(language="he-IL")
    assert '<html lang="he-IL" dir="rtl">' in client.get("/chat/acme").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("listed", "home"),
    [
        ("https://www.acme.example\nhttps://shop.acme.example", "https://www.acme.example"),
        ("javascript:alert(1)\nhttps://shop.acme.example", "https://shop.acme.example"),
    ],
)
def test_a_chat_page_leads_to_its_companys_website(client: Client, listed: str, home: str) -> None:
    make_site(allowed_origins=listed)
    page = client.get("/chat/acme").content.decode()
    assert re.findall(r'<a href="([^"]*)"', page) == [home]


@pytest.mark.django_db
def test_a_chat_page_of_no_website_leads_nowhere(client: Client) -> None:
    make_site(allowed_origins="")
    assert "<a " not in client.get("/chat/acme").content.decode()


@pytest.mark.django_db
def test_a_chat_page_has_an_icon_of_its_own(client: Client) -> None:
    make_site(name="<Bolt>", theme={"accent": "#7c3aed"})
    page = client.get("/chat/acme").content.decode()
    found = re.search(r'<link rel="icon" href="data:image/svg\+xml,([^"]+)"', page)
    assert found
    icon = ElementTree.fromstring(unquote(found[1]))  # noqa: S314
    assert "".join(icon.itertext()) == "<"
    assert 'fill="#7c3aed"' in unquote(found[1])


@pytest.mark.django_db
def test_a_chat_page_is_not_for_search_engines(client: Client) -> None:
    make_site()
    assert meta(client.get("/chat/acme").content.decode(), "robots") == "noindex"


def test_the_error_page_needs_no_database() -> None:
    """Without the mark for it, a test that touches the database fails."""
    response = server_error(HttpRequest())
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()


@pytest.mark.parametrize("name", ["404.html", "500.html", "landing/offline.html"])
def test_pages_for_what_went_wrong_look_like_the_others(name: str) -> None:
    page = render_to_string(name)
    assert f"{settings.STATIC_URL}landing/landing.css" in page
    assert content.LICENCE in page
