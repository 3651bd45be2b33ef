"""The landing page, the chat's own page, and what the widget's tag fetches."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import Request

import pytest
from django.test import Client

from tests.base import make_site
from tests.servers import DIRECT, ROOT, Server

STATIC = ROOT / "static"


def fetch(server: Server, path: str, **headers: str) -> tuple[dict[str, str], bytes]:
    request = Request(server.url + path, headers=headers)  # noqa: S310
    with DIRECT.open(request, timeout=20) as response:
        return dict(response.headers.items()), response.read()


def loader(server: Server) -> str:
    return fetch(server, "/widget.js")[1].decode()


def parts(server: Server) -> list[str]:
    """The addresses that the loader names."""
    return re.findall(r'"(/static/widget/[^"]+)"', loader(server))


# --- The tag's script ---------------------------------------------------------------------------


def test_the_loader_may_be_used_by_any_page(sqlite_server: Server) -> None:
    headers, _ = fetch(sqlite_server, "/widget.js")
    assert headers["content-type"] == "text/javascript"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["cache-control"] == "public, max-age=300, stale-while-revalidate=86400"


def test_the_loader_is_the_same_for_every_host(client: Client) -> None:
    one = client.get("/widget.js", headers={"host": "one.example"})
    other = client.get("/widget.js?site=other", headers={"host": "other.example"})
    assert (one.content, one["ETag"]) == (other.content, other["ETag"])


def test_an_unchanged_loader_is_not_sent_again(client: Client) -> None:
    etag = client.get("/widget.js")["ETag"]
    assert client.get("/widget.js", headers={"if-none-match": etag}).status_code == 304


def test_the_loader_names_no_host(sqlite_server: Server) -> None:
    assert not re.search(r"https?://(?!www\.w3\.org/)", loader(sqlite_server))


def test_every_part_is_there_for_ever(sqlite_server: Server) -> None:
    for path in parts(sqlite_server):
        headers, body = fetch(sqlite_server, path)
        assert re.search(r"\.[0-9a-f]{12}\.(js|css)$", path), path
        assert "immutable" in headers["cache-control"], path
        assert headers["access-control-allow-origin"] == "*", path
        assert body, path


def test_modules_import_only_what_the_loader_names(sqlite_server: Server) -> None:
    named = parts(sqlite_server)
    for path in named:
        source = fetch(sqlite_server, path)[1].decode()
        for name in re.findall(r'^import .* from "\./(.+)";$', source, re.MULTILINE):
            assert f"/static/widget/{name}" in named, (path, name)


def test_every_import_stands_on_one_line() -> None:
    for path in (STATIC / "widget").glob("*.js"):
        imports = re.findall(r"^import\b.*$", path.read_text(), re.MULTILINE)
        assert all(re.fullmatch(r'import \{ .+ \} from "\./[a-z-]+\.js";', it) for it in imports)


def test_the_widget_is_small_in_every_language(sqlite_server: Server) -> None:
    sizes = {path: packed(sqlite_server, path) for path in parts(sqlite_server)}
    languages = [packed(sqlite_server, path) for path in language_files(sqlite_server)]
    assert sum(sizes.values()) + max(languages) <= 20_000, sizes
    assert packed(sqlite_server, "/widget.js") <= 2_000


def language_files(server: Server) -> list[str]:
    """The addresses of the language files, as the widget asks for them."""
    chooser = next(path for path in parts(server) if "/widget/strings." in path)
    names = re.findall(r'import\("\./(.+?)"\)', fetch(server, chooser)[1].decode())
    return [f"/static/widget/{name}" for name in names]


def test_every_language_is_there_for_ever(sqlite_server: Server) -> None:
    files = language_files(sqlite_server)
    assert [re.sub(r"\.[0-9a-f]{12}\.js$", "", path)[-2:] for path in files] == LANGUAGES
    for path in files:
        assert "immutable" in fetch(sqlite_server, path)[0]["cache-control"], path


def packed(server: Server, path: str) -> int:
    headers, body = fetch(server, path, **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip", path
    assert gzip.decompress(body)
    return len(body)


def test_no_module_is_too_long_or_writes_markup() -> None:
    for path in (STATIC / "widget").glob("*.js"):
        text = path.read_text()
        assert len(text.splitlines()) < 250, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(", text), path.name


LANGUAGES = sorted(path.stem for path in (STATIC / "widget/strings").glob("*.js"))


def strings(language: str) -> dict[str, str]:
    """The words of a language file, which is one table of `name: "text"` and nothing else."""
    text = (STATIC / f"widget/strings/{language}.js").read_text()
    table = re.fullmatch(r"export const words = \{\n((?:  \w+: \".+\",\n)+)\};\n", text)
    assert table, language
    return dict(re.findall(r'^  (\w+): "(.+)",$', table[1], re.MULTILINE))


def test_the_widget_speaks_fifteen_languages() -> None:
    assert " ".join(LANGUAGES) == "ar de en es fr he hi it ja ko nl pl pt tr zh"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_all_words_and_no_other(language: str) -> None:
    assert list(strings(language)) == list(strings("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_same_gaps_to_fill(language: str) -> None:
    english = strings("en")
    for name, text in strings(language).items():
        assert re.findall(r"\{.*?\}", text) == re.findall(r"\{.*?\}", english[name]), name


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_a_language_is_not_left_in_english(language: str) -> None:
    english = strings("en")
    same = {name for name, text in strings(language).items() if text == english[name]}
    assert same <= {"conversation", "sources", "suggestions"}, same  # French says it so too


def test_every_word_is_used() -> None:
    modules = "".join(path.read_text() for path in (STATIC / "widget").glob("*.js"))
    stages = {"reading", "searching"}  # by the name that the server sends
    unused = {name for name in strings("en") if not re.search(rf"words\.{name}\b", modules)}
    assert unused == stages


def test_the_style_knows_no_left_and_right() -> None:
    for path in (STATIC / "widget").glob("*.css"):
        text = re.sub(r"safe-area-inset-\w+", "", path.read_text())
        assert not re.search(r"\b(left|right)\b", text), path.name
        for name, value in re.findall(r"\b(margin|padding): (.+);", text):
            sides = re.sub(r"\([^()]*\)", "", value).split()
            assert len(sides) < 4 or sides[1] == sides[3], (path.name, name, value)


# --- Pages --------------------------------------------------------------------------------------


class Names(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


PAGES = ["/", "/chat/demo"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_what_it_is(sqlite_server: Server, path: str) -> None:
    page = fetch(sqlite_server, path)[1].decode()
    assert re.search(r'<html lang="en">', page)
    assert re.search(r"<title>[^<]+</title>", page)
    assert re.search(r'<meta name="description" content="[^"]{15,}">', page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_holds_no_inline_code(sqlite_server: Server, path: str) -> None:
    headers, page = fetch(sqlite_server, path)
    assert "unsafe" not in headers["content-security-policy"]
    for tag, attributes in Names(page.decode()).found:
        assert tag != "style"
        assert tag != "script" or "src" in attributes
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_names_is_there(sqlite_server: Server, path: str) -> None:
    for _, attributes in Names(fetch(sqlite_server, path)[1].decode()).found:
        address = attributes.get("src") or attributes.get("href") or ""
        if address.startswith("/") and not address.startswith("/admin"):
            assert fetch(sqlite_server, address)[1]


def test_the_tag_to_copy_works_elsewhere(sqlite_server: Server) -> None:
    page = fetch(sqlite_server, "/")[1].decode()
    tag = f'src="{sqlite_server.url}/widget.js" data-site="demo" async'
    assert tag.replace('"', "&quot;") in page or tag in page


def test_the_icon_is_where_browsers_look_for_it(sqlite_server: Server) -> None:
    assert fetch(sqlite_server, "/favicon.ico")[1][:4] == b"\0\0\1\0"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/chat/nobody", "/nothing-here"])
def test_a_wrong_address_gets_a_friendly_page(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "To the start page" in response.content.decode()


@pytest.mark.django_db
def test_a_site_that_is_off_has_no_page(client: Client) -> None:
    make_site(key="closed", enabled=False)
    assert client.get("/chat/closed").status_code == 404


def test_pages_and_widget_share_their_colours() -> None:
    widget = colours(STATIC / "widget" / "chat-widget.css")
    assert colours(STATIC / "landing" / "tokens.css").items() <= widget.items()


def colours(path: Path) -> dict[str, list[str]]:
    """Light and dark value of each token."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"(--sales-chat-[a-z-]+): ([^;]+);", path.read_text()):
        found.setdefault(name, []).append(value)
    return found
