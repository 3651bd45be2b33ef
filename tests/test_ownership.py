"""Nobody reads or changes what is another's, by any route or frame.

The routes come from the URLconf and the frames from `chat/wire.py`. A new one fails here until it
has its line in `ROUTES` or `FRAMES`, which says how it is tried.
"""

import dataclasses
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from chat import tokens, wire
from tests.client import Client, get, post
from tests.servers import Server, Stack

SHOP = "https://shop.example.com"  # listed by the demo's site, and by no other


@dataclass(frozen=True)
class Open:
    """A route that holds nothing of any visitor."""

    why: str


@dataclass(frozen=True)
class Staff:
    """A route of the staff's; `tests/admin/test_doors.py` tries these."""


@dataclass(frozen=True)
class Bearer:
    """A route for the holder of a token. In `path` and `body`, `{message}` and the like are ids."""

    method: str
    path: str
    body: Any = None
    own: int = 200  # what the visitor whose ids these are is answered


STATUS = {"type": "status", "rev": 0, "conversation": "{conversation}"}
STOP = {"type": "stop", "message": "{message}"}

ROUTES: Mapping[str, Open | Staff | Bearer] = {
    "widget.js": Open("the same script for all"),
    "chat/<slug:key>": Open("a page around the widget"),
    "demo": Open("a page around the widget"),
    "api/chat": Bearer("DELETE", "/api/chat"),
    "api/chat/export": Bearer("GET", "/api/chat/export"),
    "api/chat/init": Open("its token is in the body: see the tests of tokens below"),
    "api/chat/greeting": Open("the same for every visitor of a site"),
    "api/chat/messages": Bearer("GET", "/api/chat/messages?before=9999"),
    "api/chat/events": Bearer("GET", "/api/chat/events?rev=0&conversation={conversation}"),
    "api/chat/frames": Bearer("POST", "/api/chat/frames", {"frames": [STATUS, STOP]}),
    "api/voice/transcribe": Bearer("POST", "/api/voice/transcribe", own=404),
    "api/voice/<str:message>": Bearer("GET", "/api/voice/{message}"),
    "api/voice/<str:message>/<str:n>": Bearer("GET", "/api/voice/{message}/0", own=404),
    "api/health": Open("says how the server is"),
    "metrics": Open("for whoever holds its own token: see test_metrics"),
    "^api/": Open("not found, whatever it is"),
    "": Open("the landing page"),
    "favicon.ico": Open("a picture"),
    "offline": Open("a page"),
    "worker.js": Open("a script"),
    "robots.txt": Open("for crawlers"),
    "sitemap.xml": Open("for crawlers"),
    "site.webmanifest": Open("what a phone shows"),
    "i18n/setlang/": Open("sets the reader's own language"),
    "admin/": Staff(),
}
BEARERS = [name for name, how in ROUTES.items() if isinstance(how, Bearer)]

# A frame of each type with all its fields; ids are another visitor's.
FRAMES: Mapping[str, dict[str, Any]] = {
    "connect": {"token": "{own}", "rev": 0, "v": 1, "epoch": "1", "page": {}, "locale": "en"},
    "message": {"client_id": "{client_id}", "text": "/say mine", "voice": False, "consent": "x"},
    "typing": {"on": True},
    "stop": {"message": "{message}"},
    "regenerate": {"message": "{message}", "attempt": 1},
    "feedback": {"message": "{message}", "value": -1, "comment": "not mine"},
    "sound": {"on": True},
    "restart": {},
    "status": {"rev": 0, "conversation": "{conversation}", "epoch": "1", "open": "{message}"},
}


# --- The tables are whole -----------------------------------------------------------------------


def routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for each in patterns:
        name = f"{prefix}{each.pattern}"
        if isinstance(each, URLPattern) or (
            isinstance(each, URLResolver) and each.app_name == "admin"
        ):
            yield name
        else:
            yield from routes(each.url_patterns, name)


def test_every_route_is_listed() -> None:
    assert set(routes(get_resolver().url_patterns)) == set(ROUTES)


def test_one_socket_is_the_visitors_and_one_the_staffs() -> None:
    """The second is tried in `tests/test_staff_socket.py`."""
    from salesagent.asgi import application

    sockets = application.app.application_mapping["websocket"].routes
    assert [str(each.pattern) for each in sockets] == ["socket", "staff/socket", ""]


@pytest.mark.parametrize("kind", wire.UPWARDS)
def test_every_frame_is_listed_with_all_its_fields(kind: str) -> None:
    ids = {"own": "x", "client_id": str(uuid.uuid4()), "message": "m", "conversation": "c"}
    frame = wire.parse(json.dumps(filled({"type": kind, **FRAMES[kind]}, ids)))
    assert {field.name for field in dataclasses.fields(frame)} == set(FRAMES[kind])


# --- Who is who ---------------------------------------------------------------------------------


@dataclass
class Somebody:
    """A visitor who has said something that nobody else may read."""

    client: Client
    secret: str
    client_id: str
    reply: str

    @classmethod
    async def comes(cls, server: Server, site: str = "demo") -> "Somebody":
        client = await Client.open(server, site)
        secret = f"secret-{uuid.uuid4().hex}"
        client_id = await client.say(f"/say {secret}")
        return cls(client, secret, client_id, (await client.reply())["id"])

    @property
    def ids(self) -> dict[str, str]:
        return {
            "conversation": self.client.init["conversation"]["id"],
            "message": self.reply,
            "client_id": self.client_id,
        }

    async def transcript(self) -> Any:
        await self.client.send({"type": "status", "rev": 0})
        status = await self.client.until("status")
        return status["conversation"], status["messages"]


NOBODY = {name: str(uuid.uuid4()) for name in ("conversation", "message", "client_id")}


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """`value` with each `{name}` in it replaced."""
    text = json.dumps(value)
    for name, id in ids.items():
        text = text.replace(f"{{{name}}}", id)
    return json.loads(text)


@pytest.fixture(scope="session")
def shops(session_stack: Any) -> Stack:
    """A server with two sites; the demo's lists `SHOP`."""
    made: Stack = session_stack()
    made.manage("seed_demo", "--origin", SHOP)
    code = "from chat.models import Site; s = Site.objects.get(key='demo'); s.pk = None; "
    made.manage(
        "shell",
        "-c",
        f"{code} s.key, s.allowed_origins = 'other', 'https://other.example'; s.save()",
    )
    return made


@pytest.fixture
async def visitors(shops: Stack) -> AsyncIterator[tuple[Somebody, list[Somebody]]]:
    """The one whose words these are, and two strangers: of the same site, and of another."""
    one = await Somebody.comes(shops.server)
    strangers = [await Somebody.comes(shops.server), await Somebody.comes(shops.server, "other")]
    yield one, strangers
    for each in (one, *strangers):
        await each.client.close()


async def call(server: Server, how: Bearer, ids: Mapping[str, str], **headers: str) -> Any:
    """Status and body; of an answer that does not end the first frame."""
    path, body = filled([how.path, how.body], ids)
    given = {"headers": headers, "json": body} if body is not None else {"headers": headers}
    async with (
        aiohttp.ClientSession() as session,
        session.request(how.method, server.url + path, **given) as response,
    ):
        if response.content_type != "text/event-stream":
            return response.status, await response.text()
        async for line in response.content:
            if line.startswith(b"data:"):
                return response.status, line.decode()
    raise AssertionError("the answer ended")


def plain(answer: Any, *ids: Mapping[str, str]) -> Any:
    """An answer without the ids that were asked for, so that two can be compared."""
    text = json.dumps(answer)
    for one in ids:
        for id in one.values():
            text = text.replace(id, "ID")
    return text


# --- Routes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BEARERS)
async def test_without_a_sound_token_a_route_answers_401(
    shops: Stack, visitors: Any, name: str
) -> None:
    one, how = visitors[0], ROUTES[name]
    token = one.client.token
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer forged"},
        {"Authorization": f"Basic {token}"},
        {"Authorization": f"Bearer {token}x"},
        {"Authorization": f"Bearer {token} {token}"},
        {"Cookie": f"token={token}; Authorization=Bearer {token}"},
    ):
        status, text = await call(shops.server, how, one.ids, **headers)
        assert (status, json.loads(text)["error"]["code"]) == (401, "bad_token")
    joint = "&" if "?" in how.path else "?"
    in_url = dataclasses.replace(how, path=f"{how.path}{joint}token={token}")
    assert (await call(shops.server, in_url, one.ids))[0] == 401


@pytest.mark.parametrize("name", BEARERS)
async def test_a_strangers_token_opens_nothing_of_anothers(
    shops: Stack, visitors: Any, name: str
) -> None:
    one, how = visitors[0], ROUTES[name]
    before = await one.transcript()
    for stranger in visitors[1]:
        bearer = {"Authorization": f"Bearer {stranger.client.token}"}
        known = await call(shops.server, how, one.ids, **bearer)
        unknown = await call(shops.server, how, NOBODY, **bearer)
        assert one.secret not in known[1]
        assert plain(known, one.ids) == plain(unknown, NOBODY)
    assert await one.transcript() == before


@pytest.mark.parametrize("name", BEARERS)
async def test_a_token_holds_only_on_pages_of_its_site(
    shops: Stack, visitors: Any, name: str
) -> None:
    one, how = visitors[0], ROUTES[name]
    bearer = {"Authorization": f"Bearer {one.client.token}"}
    status, text = await call(shops.server, how, one.ids, **bearer, Origin="https://other.example")
    assert (status, json.loads(text)["error"]["code"]) == (403, "origin_refused")
    assert one.secret not in text
    assert (await call(shops.server, how, one.ids, **bearer, Origin=SHOP))[0] == how.own


async def test_the_owner_reads_their_own(shops: Stack, visitors: Any) -> None:
    """Or the tests above would prove nothing."""
    one = visitors[0]
    bearer = {"Authorization": f"Bearer {one.client.token}"}
    for name in (
        "api/chat/messages",
        "api/chat/events",
        "api/chat/export",
        "api/voice/<str:message>",
    ):
        assert one.secret in (await call(shops.server, ROUTES[name], one.ids, **bearer))[1]


async def test_staff_who_are_logged_in_are_nobody_to_these_routes(shops: Stack) -> None:
    cookies = await staff_cookies(shops.server)
    for name in BEARERS:
        assert (await call(shops.server, ROUTES[name], NOBODY, Cookie=cookies))[0] == 401


# --- Frames -------------------------------------------------------------------------------------


async def heard(client: Client, frame: Any) -> list[Any]:
    """What a frame brings, up to the answer to a question that is asked behind it."""
    seen = len(client.frames)
    await client.send(frame)
    rev = 2**52 + seen  # another each time, and above any there is: all is told
    await client.send({"type": "status", "rev": rev})
    for _ in range(1 + (frame["type"] == "status")):  # which is answered by one itself
        await client.until(lambda found: found["type"] == "status" and found["full"])
    return client.frames[seen:]


@pytest.mark.parametrize("kind", [kind for kind in wire.UPWARDS if kind != "message"])
async def test_a_strangers_frame_finds_nothing_of_anothers(
    shops: Stack, visitors: Any, kind: str
) -> None:
    one, strangers = visitors
    before, told = await one.transcript(), len(one.client.frames)
    for stranger in strangers:
        own = {"own": stranger.client.token}
        frame = {"type": kind, **FRAMES[kind]}
        known = await heard(stranger.client, filled(frame, {**own, **one.ids}))
        unknown = await heard(stranger.client, filled(frame, {**own, **NOBODY}))
        assert one.secret not in json.dumps(known)
        if kind != "restart":  # after which the stranger's own is another
            assert plain(known, one.ids) == plain(unknown, NOBODY)
        if {"message"} & FRAMES[kind].keys():
            assert [f["code"] for f in known if f["type"] == "error"] == ["not_found"]
    assert len(one.client.frames) == told
    assert await one.transcript() == before


async def test_a_client_id_of_anothers_is_an_ordinary_one(shops: Stack, visitors: Any) -> None:
    one, strangers = visitors
    before = await one.transcript()
    for stranger in strangers:
        await stranger.client.say("/say mine", client_id=one.client_id)
        stored = await stranger.client.acknowledged(one.client_id)
        assert stored["text"] == "/say mine"
        assert (await stranger.client.reply())["text"] == "mine"
        assert one.secret not in json.dumps(stranger.client.frames)
    assert await one.transcript() == before


async def test_an_ids_owner_is_told_that_it_is_theirs(shops: Stack, visitors: Any) -> None:
    """Or the tests above would prove nothing."""
    one = visitors[0]
    await one.client.send(filled({"type": "feedback", **FRAMES["feedback"]}, one.ids))
    changed = await one.client.until(lambda f: f["type"] == "message")
    assert changed["message"]["feedback"] == -1


@pytest.mark.parametrize("origin", [SHOP, None])
async def test_a_token_of_another_site_connects_only_where_that_is_listed(
    shops: Stack, visitors: Any, origin: str | None
) -> None:
    other = visitors[1][1].client
    socket = await Client.socket(shops.server, origin=origin)
    await socket.send({"type": "connect", "v": 1, "token": other.token, "rev": 0})
    if origin is None:  # no browser
        await socket.until("status")
        await socket.close()
    else:
        assert await socket.closed() == wire.CLOSE_ORIGIN
        assert socket.frames == []


# --- Tokens at init -----------------------------------------------------------------------------


async def test_init_takes_a_token_of_this_site_alone(shops: Stack, visitors: Any) -> None:
    one, strangers = visitors
    answers = [
        await post(shops.server, "/api/chat/init", {"site": site, "token": token})
        for site, token in (
            ("other", one.client.token),
            ("demo", strangers[1].client.token),
            ("demo", tokens.issue(tokens.fresh("demo"))[:-2]),
        )
    ]
    assert [status for status, _, _ in answers] == [401, 401, 401]
    assert all(one.secret not in json.dumps(body) for _, body, _ in answers)


async def test_a_signed_token_of_anothers_conversation_and_ones_own_id_opens_ones_own(
    shops: Stack, visitors: Any
) -> None:
    """Ids are no proof: even signed by the server a conversation stays its visitor's."""
    one, stranger = visitors[0], visitors[1][0]
    mine = tokens.read(stranger.client.token)
    theirs = tokens.read(one.client.token)
    forged = tokens.issue(dataclasses.replace(mine, conversation=theirs.conversation))
    status, body, _ = await get(shops.server, "/api/chat/messages", forged)
    assert status == 200
    assert one.secret not in json.dumps(body)
    assert stranger.secret in json.dumps(body)


# --- Cookies ------------------------------------------------------------------------------------


async def staff_cookies(server: Server) -> str:
    """The cookies of staff who are logged in."""
    from tests.servers import STAFF_PASSWORD

    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        login = f"{server.url}/admin/login/"
        async with session.get(login) as page:
            text = await page.text()
        token = text.split('name="csrfmiddlewaretoken" value="', 1)[1].split('"', 1)[0]
        form = {"csrfmiddlewaretoken": token, "username": "staff", "password": STAFF_PASSWORD}
        async with session.post(login, data=form, allow_redirects=False) as response:
            assert response.status == 302
        return "; ".join(f"{cookie.key}={cookie.value}" for cookie in session.cookie_jar)


@pytest.mark.parametrize("origin", [None, "https://evil.example", SHOP])
async def test_a_socket_reads_no_cookie(shops: Stack, visitors: Any, origin: str | None) -> None:
    """A foreign page that opens one in the browser of staff gains nothing."""
    cookies = {"Cookie": await staff_cookies(shops.server)}
    for frame in (
        {"type": "status", "rev": 0},
        {"type": "connect", "v": 1, "rev": 0},
        {"type": "connect", "v": 1, "rev": 0, "token": ""},
    ):
        socket = await Client.socket(shops.server, origin=origin, headers=cookies)
        await socket.send(frame)
        assert await socket.closed() in (wire.CLOSE_PROTOCOL, wire.CLOSE_TOKEN)
        assert socket.frames == []
    stranger = visitors[1][0]
    socket = await Client.socket(shops.server, origin=origin, headers=cookies)
    frame = {"type": "connect", "v": 1, "rev": 0, "token": stranger.client.token}
    await socket.send(frame)
    if origin == "https://evil.example":
        assert await socket.closed() == wire.CLOSE_ORIGIN
        assert socket.frames == []
    else:
        found = await heard(socket, filled({"type": "status", **FRAMES["status"]}, visitors[0].ids))
        assert visitors[0].secret not in json.dumps(found)
        await socket.close()
