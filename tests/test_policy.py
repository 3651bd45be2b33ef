"""What a browser is told beside each answer, by route: a new one fails until it is listed.

The policy in full is stated once a kind, below; a route names its kind and how it may be kept.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.urls import get_resolver
from pytest_django import Settings

from chat import looks, tokens
from chat.models import Lead, Site
from tests.admin.addresses import MODELS, addresses
from tests.admin.desk import talk
from tests.base import make_site
from tests.servers import Server
from tests.test_ownership import ROUTES, routes
from tests.test_pages import fetch

pytestmark = pytest.mark.django_db

Policy = Mapping[str, str]
PICTURES = "https://pictures.example:8443"

NOTHING: Policy = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
BARE: Policy = {
    **NOTHING,
    "script-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "media-src": "'self' blob:",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "worker",
}
LANDING: Policy = {
    **BARE,
    "script-src": "'nonce-N' 'strict-dynamic'",
    "connect-src": "'self' wss://chat.example.com",
}
CHAT: Policy = {**LANDING, "img-src": f"'self' data: {PICTURES}"}
DEMO: Policy = {**LANDING, "img-src": "'self' data:"}
ADMIN: Policy = {
    **NOTHING,
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self'",
    "style-src-attr": "'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "media-src": "blob:",
    "manifest-src": "'self'",
    "form-action": "'self'",
}

# The interface reads the database in threads of its own, which see only what is committed.
COMMITTED = pytest.mark.django_db(transaction=True)
PRIVATE = "private, no-cache"
HOUR = "public, max-age=3600"


@dataclass(frozen=True)
class Answer:
    """A request, and what its answer says beside what all say."""

    path: str
    policy: Policy
    cache: str | None
    status: int = 200
    corp: str = "same-origin"
    method: str = "GET"
    sent: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


JSON = "application/json"
OPEN = {"cache": "no-store", "corp": "cross-origin"}

ANSWERS: Mapping[str, tuple[Answer, ...]] = {
    "": (Answer("/", LANDING, PRIVATE), Answer("/?utm_source=x", LANDING, PRIVATE)),
    "chat/<slug:key>": (
        Answer("/chat/acme", CHAT, PRIVATE),
        Answer("/chat/nobody", BARE, None, 404),
        Answer("/chat/acme", BARE, None, 405, method="POST"),
    ),
    "demo": (Answer("/demo", DEMO, PRIVATE),),
    "offline": (Answer("/offline", {**BARE, "script-src": "'self'"}, "no-cache"),),
    "worker.js": (Answer("/worker.js", {**NOTHING, "connect-src": "'self'"}, "no-cache"),),
    "widget.js": (
        Answer(
            "/widget.js",
            NOTHING,
            "public, max-age=300, stale-while-revalidate=86400",
            corp="cross-origin",
        ),
    ),
    "favicon.ico": (Answer("/favicon.ico", BARE, "public, max-age=86400", 301),),
    "robots.txt": (Answer("/robots.txt", NOTHING, HOUR),),
    "sitemap.xml": (Answer("/sitemap.xml", NOTHING, HOUR),),
    "site.webmanifest": (Answer("/site.webmanifest", NOTHING, HOUR),),
    "api/chat": (
        Answer("/api/chat", NOTHING, method="DELETE", sent={"Authorization": "{bearer}"}, **OPEN),
        Answer("/api/chat", NOTHING, status=401, method="DELETE", **OPEN),
        Answer("/api/chat", NOTHING, status=405, **OPEN),
    ),
    "api/chat/export": (
        Answer("/api/chat/export", NOTHING, sent={"Authorization": "{bearer}"}, **OPEN),
        Answer("/api/chat/export", NOTHING, status=401, **OPEN),
    ),
    "api/chat/init": (
        Answer("/api/chat/init", NOTHING, method="POST", body='{"site": "acme"}', **OPEN),
        Answer("/api/chat/init", NOTHING, status=404, method="POST", body='{"site": ""}', **OPEN),
        Answer("/api/chat/init", NOTHING, status=405, **OPEN),
        Answer(
            "/api/chat/init",
            NOTHING,
            status=403,
            method="POST",
            sent={"Origin": "https://evil.example"},
            **OPEN,
        ),
    ),
    "api/chat/greeting": (
        Answer("/api/chat/greeting?site=acme", NOTHING, "public, max-age=300", corp="cross-origin"),
        Answer("/api/chat/greeting?site=x", NOTHING, status=404, **OPEN),
    ),
    "api/chat/messages": (
        Answer("/api/chat/messages", NOTHING, sent={"Authorization": "{bearer}"}, **OPEN),
        Answer("/api/chat/messages", NOTHING, status=401, **OPEN),
    ),
    "api/chat/events": (Answer("/api/chat/events", NOTHING, status=401, **OPEN),),
    "api/chat/frames": (
        Answer(
            "/api/chat/frames",
            NOTHING,
            method="POST",
            sent={"Authorization": "{bearer}"},
            body='{"frames": [{"type": "stop", "message": "x"}]}',
            **OPEN,
        ),
        Answer("/api/chat/frames", NOTHING, status=401, method="POST", body="{}", **OPEN),
    ),
    "api/voice/transcribe": (
        Answer("/api/voice/transcribe", NOTHING, status=401, method="POST", body="x", **OPEN),
    ),
    "api/voice/<str:message>": (
        Answer("/api/voice/x", NOTHING, status=404, sent={"Authorization": "{bearer}"}, **OPEN),
    ),
    "api/voice/<str:message>/<str:n>": (Answer("/api/voice/x/0", NOTHING, status=401, **OPEN),),
    "api/health": (Answer("/api/health", NOTHING, "no-store"),),
    "metrics": (
        Answer("/metrics", NOTHING, "no-store", 404),
        Answer("/metrics", NOTHING, "no-store", sent={"Authorization": "Bearer a-long-token"}),
    ),
    "^api/": (Answer("/api/nothing", NOTHING, "no-store", 404),),
    "i18n/setlang/": (Answer("/i18n/setlang/", BARE, None, 302),),
    "admin/": (),  # each of its pages, below
}
# What no route answers.
STRAYS = (
    Answer("/nowhere", BARE, None, 404),
    Answer("/nowhere", BARE, None, 404, method="POST", body="{}"),
    Answer("/%00", BARE, None, 404),
    Answer("/", BARE, None, 400, sent={"Host": "evil.example"}),
)


@pytest.fixture(autouse=True)
def product(settings: Settings) -> Site:
    """A site with a picture from elsewhere and one without, as a deployment has them."""
    settings.PUBLIC_URL = "https://chat.example.com"
    settings.ALLOWED_HOSTS = ["chat.example.com", "testserver"]
    settings.CHAT_METRICS_TOKEN = "a-long-token"
    looks.forget()
    make_site("demo")
    greets = {"on": True, "after": 5}
    return make_site(avatar=f"{PICTURES}/ada.png", greets=greets)


def asked(client: Client, answer: Answer) -> Any:
    bearer = f"Bearer {tokens.issue(tokens.fresh('acme'))}"
    headers = {name: value.replace("{bearer}", bearer) for name, value in answer.sent.items()}
    data = {"data": answer.body, "content_type": JSON} if answer.method == "POST" else {}
    response = client.generic(answer.method, answer.path, headers=headers, **data)
    assert response.status_code == answer.status, response.content[:200]
    return response


def policy(response: Any) -> Policy:
    parts = (part.partition(" ") for part in response["Content-Security-Policy"].split("; "))
    stated = [
        (name, re.sub(r"'nonce-[\w+/=]{24}'", "'nonce-N'", value)) for name, _, value in parts
    ]
    assert len(dict(stated)) == len(stated)
    return dict(stated)


def says_what_all_say(response: Any) -> None:
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]
    assert response.get("X-Frame-Options", "DENY") == "DENY"  # frame-ancestors says it anyway
    assert response.get("Content-Type", "text/html").startswith(("text/", "application/"))


def test_every_route_is_listed() -> None:
    assert set(routes(get_resolver().url_patterns)) == set(ANSWERS) == set(ROUTES)


def cases() -> Iterator[Any]:
    for route, answers in {**ANSWERS, "(no route)": STRAYS}.items():
        for answer in answers:
            name = f"{route or '/'} {answer.method} {answer.status}"
            yield pytest.param(answer, id=name, marks=[COMMITTED] if "/api/" in answer.path else [])


@pytest.mark.parametrize("answer", list(cases()))
def test_each_answer_has_its_policy_and_says_how_long_it_keeps(
    client: Client, answer: Answer
) -> None:
    response = asked(client, answer)
    assert policy(response) == answer.policy
    assert response.get("Cache-Control") == answer.cache
    assert response["Cross-Origin-Resource-Policy"] == answer.corp
    says_what_all_say(response)


def test_every_page_of_the_admin_has_the_admins(root: Client, product: Site) -> None:
    row = talk(product, "hello")
    Lead.objects.create(conversation=row, site=product, name="Ada")
    from django.apps import apps

    first = {label: apps.get_model(label).objects.first() for label in MODELS}
    pages = addresses({label: row.pk if row else 1 for label, row in first.items()})
    assert len(pages) > 60
    for who in (Client(), root):
        for route, path in pages.items():
            if who is root and route == "logout/":
                continue
            response = who.get(path)
            assert policy(response) == ADMIN, path
            says_what_all_say(response)
            kept = response.get("Cache-Control", "").split(", ")
            assert route == "jsi18n/" or {"no-store", "private"} <= {*kept}, (path, kept)


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("path", ["/", "/admin/login/"])
def test_a_page_that_broke_has_one_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("landing.views.render", broken)
    monkeypatch.setattr("django.contrib.auth.views.LoginView.get_context_data", broken)
    response = Client(raise_request_exception=False).get(path)
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
    assert policy(response) == (BARE if path == "/" else ADMIN)
    says_what_all_say(response)


# --- Nonces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/chat/acme", "/demo"])
def test_every_script_bears_the_nonce_of_this_answer_alone(client: Client, path: str) -> None:
    seen = set()
    for _ in range(3):
        response = client.get(path)
        (nonce,) = set(re.findall(r"'nonce-(.+?)'", response["Content-Security-Policy"]))
        page = response.content.decode()
        scripts = re.findall(r"<script\b[^>]*>", page)
        assert scripts
        assert all(f'nonce="{nonce}"' in script for script in scripts)
        assert page.count(nonce) == len(scripts)
        seen.add(nonce)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("avatar", "allowed"),
    [
        ("https://cdn.example/ada.png", "'self' data: https://cdn.example"),
        ("https://CDN.example:443/ada.png?x=;y", "'self' data: https://cdn.example"),
        ("http://user:secret@cdn.example/a", "'self' data: http://cdn.example"),
        ("https://bücher.example/a", "'self' data: https://xn--bcher-kva.example"),
        ("https://cdn.example;script-src *", "'self' data:"),
        ("https://cdn.example, *", "'self' data:"),
        ("https://*/a", "'self' data:"),
        ("https://[::1", "'self' data:"),
        ("//cdn.example/a", "'self' data:"),
        ("data:image/png,x", "'self' data:"),
        ("", "'self' data:"),
    ],
)
def test_a_picture_adds_its_origin_and_nothing_else(
    client: Client, product: Site, avatar: str, allowed: str
) -> None:
    product.avatar = avatar
    product.save()
    assert policy(client.get("/chat/acme")) == {**CHAT, "img-src": allowed}


def test_the_personas_picture_counts_from_its_publishing(client: Client) -> None:
    demo = Site.objects.get(key="demo")
    version = demo.persona.published
    assert version
    assert policy(client.get("/"))["img-src"] == "'self'"
    version.avatar = "https://faces.example/robin.png"
    version.save()
    demo.persona.save()  # as publishing does
    assert policy(client.get("/"))["img-src"] == "'self' https://faces.example"
    assert policy(client.get("/chat/acme")) == CHAT


def test_the_landing_page_stands_while_the_database_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away() -> None:
        asked.append(1)
        raise DatabaseError

    monkeypatch.setattr(looks, "_kept", looks._Kept({}, {}))
    monkeypatch.setattr(looks, "_read", away)
    looks.forget()
    assert policy(client.get("/")) == LANDING
    assert policy(client.get("/")) == LANDING
    assert len(asked) == 1  # for it may take seconds to fail


# --- Caches and forged names ----------------------------------------------------------------------

FORGED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Original-Host": "evil.example",
    "X-Host": "evil.example",
    "Forwarded": "host=evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Port": "666",
    "X-Original-URL": "/admin/",
    "X-Rewrite-URL": "/admin/",
    "X-HTTP-Method-Override": "DELETE",
}
KEPT = [
    *("/widget.js", "/robots.txt", "/sitemap.xml", "/site.webmanifest", "/favicon.ico"),
    pytest.param("/api/chat/greeting?site=acme", marks=COMMITTED),
]


def told(response: Any) -> tuple[Any, ...]:
    assert not response.cookies
    headers = {**dict(response.items()), "Vary": response.get("Vary", "").replace(", Cookie", "")}
    return response.status_code, headers, response.content


@pytest.mark.parametrize("path", KEPT)
def test_what_caches_keep_is_the_same_whatever_is_sent(client: Client, path: str) -> None:
    plain = told(client.get(path))
    more = "&" if "?" in path else "?"
    for noise in ("", f"{more}utm_source=x", f"{more}callback=alert(1)", f"{more}<script>"):
        for headers in (
            {},
            FORGED,
            {"Cookie": "sessionid=x; theme=evil", "Referer": "http://evil"},
        ):
            assert told(client.get(path + noise, headers=headers)) == plain
    assert b"evil" not in plain[2]


@pytest.mark.parametrize("path", KEPT)
def test_what_caches_keep_says_what_it_varies_by(client: Client, path: str) -> None:
    vary = {it.lower() for it in client.get(path).get("Vary", "").split(", ") if it}
    assert "cookie" not in vary
    if path == "/widget.js":
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert packed["Content-Encoding"] == "gzip"
        assert "accept-encoding" in vary
    if path.startswith("/api/"):
        assert "origin" in vary


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "chat.example.com.evil.example",
        "chat.example.com:x",
        "[",
        "a b",
        "chat.example.com@evil.example",
    ],
)
@pytest.mark.parametrize(
    "path", ["/", "/chat/acme", "/widget.js", "/admin/", "/api/chat/init", "/nowhere"]
)
def test_a_name_that_is_not_ours_is_never_repeated(host: str, path: str) -> None:
    response = Client(raise_request_exception=False).get(path, headers={"Host": host})
    everything = f"{dict(response.items())} {response.content.decode()}"
    assert "evil" not in everything
    assert response.status_code in ((400, 200) if path == "/widget.js" else (400, 503))


def test_without_a_public_address_a_page_names_only_hosts_that_are_allowed(
    client: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = ""
    assert "http://testserver/" in client.get("/", headers=FORGED).content.decode()
    assert "evil" not in client.get("/", headers=FORGED).content.decode()
    assert policy(client.get("/"))["connect-src"] == "'self'"


def test_plain_http_is_sent_to_the_same_host_alone(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    fresh = Client(raise_request_exception=False)
    for path in ("/", "//evil.example/", "/\\evil.example", "/@evil.example"):
        location = fresh.get(path, headers=FORGED).get("Location", "")
        assert location.startswith("https://testserver/"), location
    assert fresh.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_secure_answers_bind_the_browser_to_https(client: Client) -> None:
    for path in ("/", "/widget.js", "/api/health", "/admin/login/", "/nowhere"):
        found = client.get(path, secure=True)["Strict-Transport-Security"]
        assert found == "max-age=31536000; includeSubDomains; preload"


# --- Over a socket --------------------------------------------------------------------------------


def test_a_file_says_what_it_is_and_any_page_may_use_the_widgets(sqlite_server: Server) -> None:
    for path in re.findall(
        r'(?:href|src)="(/static/[^"]+)"', fetch(sqlite_server, "/")[1].decode()
    ):
        headers, _ = fetch(sqlite_server, path)
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin"
        assert headers["access-control-allow-origin"] == "*"
        assert "immutable" in headers["cache-control"]
        assert "set-cookie" not in headers


def test_no_answer_names_what_serves_it(sqlite_server: Server) -> None:
    for path in ("/", "/api/health", "/static/nothing.js", "/admin/login/"):
        try:
            headers, body = fetch(sqlite_server, path)
        except OSError as refused:
            headers, body = dict(refused.headers.items()), refused.read()  # type: ignore[attr-defined]
        assert not re.search(r"django|uvicorn/|python/\d", f"{headers}", re.IGNORECASE)
        assert b"Traceback" not in body
