"""The chat over HTTP: init, history, CORS, errors, health."""

import asyncio
import json

import aiohttp
import pytest

from chat import tokens
from tests.client import Client, get, post

INIT = "/api/chat/init"


@pytest.fixture(scope="session")
def shop(session_stack):
    """A server whose demo site lists one origin of a shop."""
    made = session_stack()
    made.manage("seed_demo", "--origin", "https://shop.example.com")
    return made.server


async def call(server, method, path, headers=None, body=None):
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, server.url + path, headers=headers, data=body) as response,
    ):
        return response.status, await response.text(), response.headers


def error_of(body) -> str:
    assert body["error"]["message"]
    return body["error"]["code"]


async def test_init_says_all_a_widget_needs(sqlite_server):
    status, body, headers = await post(sqlite_server, INIT, {"site": "demo", "locale": "en-GB"})
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert body["conversation"] == {
        "id": body["conversation"]["id"],
        "epoch": 1,
        "rev": 0,
        "state": "open",
    }
    assert body["messages"] == []
    assert body["earlier"] is False
    assert body["site"]["agent"]["name"]
    assert body["site"]["greeting"]
    assert len(body["site"]["suggestions"]) >= 3
    assert body["site"]["consent"] is None
    assert body["voice"] == {"input": "off", "output": "off"}
    assert body["limits"] == {"text": 2000, "frame": 16384}
    assert body["socket"] == sqlite_server.ws_url
    assert body["heartbeat"] == 20


async def test_two_inits_are_two_visitors(sqlite_server):
    first = (await post(sqlite_server, INIT, {"site": "demo"}))[1]
    second = (await post(sqlite_server, INIT, {"site": "demo"}))[1]
    assert first["visitor"] != second["visitor"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"site": "nobody"}, 404, "unknown_site"),
        ({"site": "a\x00b"}, 404, "unknown_site"),
        ({"site": "\ud800"}, 404, "unknown_site"),
        ({"site": 5}, 400, "bad_request"),
        ({}, 400, "bad_request"),
        ({"site": "demo", "token": 5}, 400, "bad_request"),
        ({"site": "demo", "page": "x"}, 400, "bad_request"),
        ({"site": "demo", "token": "forged"}, 401, "bad_token"),
        ({"site": "demo", "token": "\ud800"}, 401, "bad_token"),
        ({"site": "demo", "token": ""}, 401, "bad_token"),
        (b"{broken", 400, "bad_request"),
        (b"[1]", 400, "bad_request"),
        (b"\xff\xfe", 400, "bad_request"),
        (b"[" * 10000, 400, "bad_request"),
        (b" " * 20000, 413, "too_large"),
    ],
)
async def test_bad_init_gets_a_clear_answer(sqlite_server, body, status, code):
    answered, error, _ = await post(sqlite_server, INIT, body)
    assert (answered, error_of(error)) == (status, code)


async def test_wrong_method_and_type(sqlite_server):
    assert (await get(sqlite_server, INIT))[0] == 405
    headers = {"Content-Type": "text/plain"}
    assert (await post(sqlite_server, INIT, {"site": "demo"}, headers))[0] == 415
    assert (await post(sqlite_server, "/api/chat/messages", {}))[0] == 405
    assert (await get(sqlite_server, "/api/nothing"))[0] == 404


@pytest.mark.parametrize(
    "path", ["/api/chat/init/", "/api/nope", "/api/health", "/api/voice/x/y/z"]
)
async def test_errors_are_json_whatever_the_method(sqlite_server, path):
    for method in ("POST", "PUT", "DELETE"):
        status, text, _ = await call(sqlite_server, method, path)
        assert status in (404, 405)
        assert json.loads(text)["error"]["message"]


async def test_token_of_another_site_or_too_old_is_bad(sqlite_server, monkeypatch):
    token = (await post(sqlite_server, INIT, {"site": "demo"}))[1]["token"]
    for wrong in (token[:-1], token + "x", token.swapcase(), tokens.issue(tokens.fresh("other"))):
        status, body, _ = await post(sqlite_server, INIT, {"site": "demo", "token": wrong})
        assert (status, error_of(body)) == (401, "bad_token")
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    old = tokens.issue(tokens.fresh("demo"))
    assert (await post(sqlite_server, INIT, {"site": "demo", "token": old}))[0] == 401


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://shop.example.com",
        "https://shop.example.com.evil.example",
        "https://shop.example.com:8443",
        "null",
        "",
        "http://a:99999",
        "http://[",
        "https://shop.example.com/path",
        "javascript:alert(1)",
    ],
)
async def test_foreign_origins_are_refused_everywhere(shop, origin):
    headers = {"Origin": origin}
    status, body, answered = await post(shop, INIT, {"site": "demo"}, headers)
    assert (status, error_of(body)) == (403, "origin_refused")
    assert "Access-Control-Allow-Origin" not in answered
    assert (await call(shop, "OPTIONS", INIT, headers))[0] == 403
    token = (await post(shop, INIT, {"site": "demo"}))[1]["token"]
    assert (await get(shop, "/api/chat/messages", token, headers))[0] == 403
    socket = await Client.socket(shop, origin=origin)
    await socket.send({"type": "connect", "v": 1, "token": token, "rev": 0})
    assert await socket.closed() == 4403


async def test_listed_and_own_origins_get_cors(shop):
    for origin in ("https://shop.example.com", shop.url):
        headers = {"Origin": origin}
        status, body, answered = await post(shop, INIT, {"site": "demo"}, headers)
        assert status == 200
        assert answered["Access-Control-Allow-Origin"] == origin
        assert "Access-Control-Allow-Credentials" not in answered
        assert "Origin" in answered["Vary"]
        preflight = await call(shop, "OPTIONS", "/api/chat/messages", headers)
        assert preflight[0] == 204
        assert "Authorization" in preflight[2]["Access-Control-Allow-Headers"]
        bad = await get(shop, "/api/chat/messages", "forged", headers)
        assert (bad[0], bad[2]["Access-Control-Allow-Origin"]) == (401, origin)
        async with await Client.open(shop, token=body["token"], origin=origin) as visitor:
            assert visitor.frames[0]["type"] == "status"


async def test_rates_say_when_to_come_back_also_to_another_origin(stack):
    made = stack(env={"CHAT_RATES": "on", "CHAT_RATE_INIT": "2/minute"})
    made.manage("seed_demo", "--origin", "https://shop.example.com")
    headers = {"Origin": "https://shop.example.com"}
    for _ in range(2):
        assert (await post(made.server, INIT, {"site": "demo"}, headers))[0] == 200
    status, body, answered = await post(made.server, INIT, {"site": "demo"}, headers)
    assert (status, error_of(body)) == (429, "rate_limited")
    assert int(answered["Retry-After"]) == body["error"]["retry_after"] > 0
    assert answered["Access-Control-Allow-Origin"] == "https://shop.example.com"


async def test_too_fast_is_told_and_may_be_sent_again(stack):
    made = stack(env={"CHAT_RATES": "on", "CHAT_RATE_VISITOR": "3/minute"})
    async with await Client.open(made.server) as visitor:
        ids = [await visitor.say(f"/say {n}") for n in range(4)]
        error = await visitor.until("error")
        assert (error["code"], error["final"], error["client_id"]) == (
            "rate_limited",
            False,
            ids[3],
        )
        assert error["retry_after"] > 0


async def test_disabled_site_is_unknown(stack):
    made = stack()
    async with await Client.open(made.server) as visitor:
        made.manage(
            "shell", "-c", "from chat.models import Site; Site.objects.update(enabled=False)"
        )
        status, body, _ = await post(made.server, INIT, {"site": "demo"})
        assert (status, error_of(body)) == (404, "unknown_site")
        await visitor.say("/say anybody there?")
        assert (await visitor.until("error"))["code"] == "not_allowed"
        again = await Client.socket(made.server)
        await again.send({"type": "connect", "v": 1, "token": visitor.token, "rev": 0})
        assert await again.closed() == 4403


async def test_earlier_messages_page_by_page(sqlite_server):
    async with await Client.open(sqlite_server) as visitor:
        for n in range(30):
            await visitor.say(f"/say {n}")
            await visitor.reply()
        _, init, _ = await post(sqlite_server, INIT, {"site": "demo", "token": visitor.token})
        assert [m["seq"] for m in init["messages"]] == list(range(12, 62))
        assert init["earlier"]
        _, page, headers = await get(sqlite_server, "/api/chat/messages?before=12", visitor.token)
        assert ([m["seq"] for m in page["messages"]], page["earlier"]) == (
            list(range(1, 12)),
            False,
        )
        assert headers["Cache-Control"] == "no-store"
        for before in ("x", "-1", "1.5", "9" * 40, "²"):
            status, body, _ = await get(
                sqlite_server, f"/api/chat/messages?before={before}", visitor.token
            )
            assert (status, error_of(body)) == (400, "bad_request")


async def test_locale_of_init_holds_where_connect_names_none(sqlite_server):
    async with await Client.open(sqlite_server, locale="de-AT") as visitor:
        await visitor.send({"type": "stop", "message": "nothing"})
        german = (await visitor.until("error"))["message"]
    async with await Client.open(sqlite_server) as visitor:
        await visitor.send({"type": "stop", "message": "nothing"})
        assert (await visitor.until("error"))["message"] != german


@pytest.mark.parametrize("path", ["/api/chat/messages", "/api/voice/x", "/api/voice/x/0"])
async def test_without_a_token_there_is_nothing(sqlite_server, path):
    status, body, _ = await get(sqlite_server, path)
    assert (status, error_of(body)) == (401, "bad_token")
    status, _, _ = await call(sqlite_server, "GET", path, {"Authorization": "Basic abc"})
    assert status == 401


async def test_socket_address_follows_public_url(stack):
    made = stack(env={"PUBLIC_URL": "https://chat.example.com"})
    _, body, _ = await post(made.server, INIT, {"site": "demo"})
    assert body["socket"] == "wss://chat.example.com/socket"


async def test_health_names_no_secret_and_goes_down_without_a_database(stack):
    made = stack("postgres")
    status, body, _ = await get(made.server, "/api/health")
    assert (status, body["status"]) == (200, "ok")
    assert set(body["checks"]) == {
        *("database", "channel_layer", "llm", "voice", "load", "memory", "budget")
    }
    made.drop_database()
    async with asyncio.timeout(2.5):
        status, body, _ = await get(made.server, "/api/health")
    assert (status, body["status"]) == (503, "down")
    assert "postgres" not in json.dumps(body)
