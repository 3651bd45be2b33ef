"""The landing page, the chat's own page, and what the widget's tag fetches."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import Request

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from chat import demo
from salesagent.static import ENTRY, joined_modules
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


@pytest.mark.django_db
def test_the_loader_is_the_same_for_every_host(client: Client) -> None:
    one = client.get("/widget.js", headers={"host": "one.example"})
    other = client.get("/widget.js?site=other", headers={"host": "other.example"})
    assert (one.content, one["ETag"]) == (other.content, other["ETag"])


@pytest.mark.django_db
def test_an_unchanged_loader_is_not_sent_again(client: Client) -> None:
    etag = client.get("/widget.js")["ETag"]
    assert client.get("/widget.js", headers={"if-none-match": etag}).status_code == 304


def test_the_loader_names_no_host(sqlite_server: Server) -> None:
    assert not re.search(r"https?://(?!www\.w3\.org/)", loader(sqlite_server))


def test_every_part_is_there_for_ever(sqlite_server: Server) -> None:
    for path in parts(sqlite_server):
        headers, body = fetch(sqlite_server, path)
        assert re.search(r"\.[0-9a-f]{8}\.(js|css)$", path), path
        assert "immutable" in headers["cache-control"], path
        assert headers["access-control-allow-origin"] == "*", path
        assert body, path


def test_all_modules_travel_as_one(sqlite_server: Server) -> None:
    script, style = parts(sqlite_server)
    assert script.endswith(".js")
    assert style.endswith(".css")
    source = fetch(sqlite_server, script)[1].decode()
    assert "/extras." in source
    assert not re.search(r'\b(import|export) ?\{|\bfrom ?"', source)
    assert "class Panel" not in source  # names are for who reads the source
    everything = "".join(joined_modules(STATIC / "widget" / it) for it in (ENTRY, "extras.js"))
    for path in (STATIC / "widget").glob("*.js"):
        for name in re.findall(r"^export (?:async )?\w+ (\w+)", path.read_text(), re.MULTILINE):
            assert re.search(rf"\b{name}\b", everything) or path.stem in ("loader", "frame"), name


def test_modules_that_share_a_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text('import { other } from "./two.js";\nconst SLOW = other;\n')
    (tmp_path / "two.js").write_text("export const other = 1;\nconst SLOW = 2;\n")
    with pytest.raises(ImproperlyConfigured, match="SLOW"):
        joined_modules(tmp_path / "one.js")


def test_a_module_comes_after_what_it_imports(tmp_path: Path) -> None:
    needs = 'import { b } from "./b.js";\nimport { c } from "./c.js";\n'
    (tmp_path / "a.js").write_text(needs + "b(c);\n")
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport function b() {\n}\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    assert joined_modules(tmp_path / "a.js") == "const c = 1;\nfunction b() {\n}\nb(c);\n"


def test_every_import_stands_on_one_line() -> None:
    for path in (STATIC / "widget").rglob("*.js"):
        imports = re.findall(r"^import\b.*$", path.read_text(), re.MULTILINE)
        assert all(re.fullmatch(r'import \{ .+ \} from "\./[a-z-]+\.js";', it) for it in imports)


def test_the_widget_is_small_in_every_language(sqlite_server: Server) -> None:
    sizes = {path: packed(sqlite_server, path) for path in parts(sqlite_server)}
    languages = [packed(sqlite_server, path) for path in language_files(sqlite_server)]
    assert sum(sizes.values()) + max(languages) <= 20_000, sizes
    assert packed(sqlite_server, "/widget.js") <= 2_000


def test_voice_is_small_in_every_language(sqlite_server: Server) -> None:
    """The buttons come with the chat of a site that has a voice, the rest at their first tap; what
    records only where a browser cannot listen, what hears interruptions only hands-free, what
    streams only where the server speaks."""
    [buttons] = later(sqlite_server, parts(sqlite_server)[0], "voice/buttons")
    [voice] = later(sqlite_server, buttons, "voice")
    words = later(sqlite_server, buttons, "words/..")
    assert len(words) == len(LANGUAGES)
    assert packed(sqlite_server, voice) <= 6_000
    most = max(packed(sqlite_server, path) for path in words)
    assert packed(sqlite_server, buttons) + most <= 2_000
    [recorder] = later(sqlite_server, voice, "recorder")
    assert packed(sqlite_server, recorder) <= 1_000
    [guard] = later(sqlite_server, voice, "guard")
    assert packed(sqlite_server, guard) <= 750
    [stream] = later(sqlite_server, voice, "stream")
    assert packed(sqlite_server, stream) <= 500


def language_files(server: Server) -> list[str]:
    """The addresses of the language files, as the widget asks for them."""
    return later(server, parts(server)[0], "strings/..")


def later(server: Server, script: str, name: str) -> list[str]:
    """The addresses of what a script loads when there is need, by their names."""
    found = re.findall(rf'import\("\./({name}\.\w+\.js)"\)', fetch(server, script)[1].decode())
    return [f"{script.rpartition('/')[0]}/{it}" for it in found]


def test_every_language_is_there_for_ever(sqlite_server: Server) -> None:
    files = language_files(sqlite_server)
    assert sorted(re.sub(r"\.[0-9a-f]{8}\.js$", "", path)[-2:] for path in files) == LANGUAGES
    for path in files:
        assert "immutable" in fetch(sqlite_server, path)[0]["cache-control"], path


def packed(server: Server, path: str) -> int:
    headers, body = fetch(server, path, **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip", path
    assert gzip.decompress(body)
    return len(body)


def test_no_module_is_too_long_or_writes_markup() -> None:
    for path in (STATIC / "widget").rglob("*.js"):
        text = path.read_text()
        assert len(text.splitlines()) < 250, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(", text), path.name


LANGUAGES = sorted(path.stem for path in (STATIC / "widget/strings").glob("*.js"))


def strings(language: str, folder: str = "strings") -> dict[str, str]:
    """The words of a language file, which is one table of `name: "text"` and nothing else."""
    text = (STATIC / f"widget/{folder}/{language}.js").read_text()
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
        assert {*re.findall(r"\{.*?\}", text)} == {*re.findall(r"\{.*?\}", english[name])}, name


# The kinds of number that each language tells apart, as Intl.PluralRules names them. Nought falls
# to the last kind; what Romance languages do with millions does too.
KINDS = {"ar": "one two few many other", "he": "one two other", "pl": "one few many other"}
KINDS |= dict.fromkeys(("ja", "ko", "zh"), "other")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_counted_has_a_form_for_each_kind_of_number(language: str) -> None:
    counted = [name for name, text in strings("en").items() if text.startswith("one=")]
    assert counted == ["sourceCount", "left", "over", "unread"]
    for name in counted:
        forms = [form.partition("=")[0] for form in strings(language)[name].split("|")]
        assert " ".join(forms) == KINDS.get(language, "one other"), name


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_a_language_is_not_left_in_english(language: str) -> None:
    english = strings("en")
    same = {name for name, text in strings(language).items() if text == english[name]}
    assert same <= {"conversation", "sources", "suggestions", "chat", "sourceCount"}, same


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("folder", "modules"), [("rights", "own.js"), ("voice/words", "voice/*.js")]
)
def test_what_few_need_is_in_every_language(language: str, folder: str, modules: str) -> None:
    english, words = strings("en", folder), strings(language, folder)
    assert list(words) == list(english)
    same = {*words.values()} & {*english.values()}
    assert language == "en" or same <= {"Pause", "Volume"}
    used = "".join(path.read_text() for path in (STATIC / "widget").glob(modules))
    kinds = {"browser", "device", "server"} if "voice" in folder else set()  # by where sound goes
    assert {name for name in words if not re.search(rf"words\.{name}\b", used)} == kinds
    for name, text in words.items():
        assert {*re.findall(r"\{.*?\}", text)} == {*re.findall(r"\{.*?\}", english[name])}, name


def test_every_word_is_used() -> None:
    modules = "".join(path.read_text() for path in (STATIC / "widget").glob("*.js"))
    stages = {"reading", "searching"}  # by the name that the server sends
    unused = {name for name in strings("en") if not re.search(rf"words\.{name}\b", modules)}
    assert unused == stages


def test_the_style_knows_no_left_and_right() -> None:
    for path in (STATIC / "widget").rglob("*.css"):
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
    assert re.search(r'<html lang="en"[ >]', page)
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


@pytest.mark.django_db
def test_the_demo_s_website_says_what_its_agent_knows(client: Client) -> None:
    """Each price, and each figure of the bikes, stands in the demo's knowledge too."""
    assert client.get("/demo").status_code == 404  # where there is no demo
    demo.plant()
    page = client.get("/demo").content.decode()
    known = " ".join(entry["text"] for entry in demo.entries())
    said = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page.partition("<main")[2], flags=re.DOTALL)
    figures = set(re.findall(r"€?\d[\d,]*(?: kg| litres| working| days| km| minutes| test)?", said))
    assert {"€3,490", "€4,990", "€5,690", "€5,990", "320 litres"} <= figures
    loose = known + " 320 litres built in Münster since 2014 25 km/h"
    assert [figure for figure in figures if figure not in loose] == []
    assert '"/widget.js" data-site="demo"' in page


def test_pages_and_widget_share_their_colours() -> None:
    pages = colours(STATIC / "landing" / "tokens.css")
    del pages["--sales-chat-on-accent"]  # the widget works it out from the accent
    widget = colours(STATIC / "widget" / "launcher.css", STATIC / "widget" / "chat-widget.css")
    assert pages.items() <= widget.items()


def colours(*paths: Path) -> dict[str, list[str]]:
    """Light and dark value of each token."""
    found: dict[str, list[str]] = {}
    text = "".join(path.read_text() for path in paths).partition("@media (prefers-contrast")[0]
    for name, value in re.findall(r"(--sales-chat-[a-z-]+): ([^;]+);", text):
        pair = re.fullmatch(r"light-dark\((#\w+), (#\w+)\)", value)
        found.setdefault(name, []).extend(pair.groups() if pair else [value])
    return found
