"""Signing in over the wire: init with an identity, on one server and on two; greeting by itself."""

import json
from typing import Any

import aiohttp
import pytest

from chat import identity
from tests.client import Client, get, post
from tests.servers import Server, Stack

INIT = "/api/chat/init"
GREETING = "/api/chat/greeting"


def ask(stack: Stack, code: str) -> str:
    return stack.manage("shell", "-v", "0", "-c", f"from chat.models import *; {code}").strip()


def key_of(stack: Stack) -> str:
    return ask(stack, "print(Site.objects.get(key='demo').identity_key)")


def signed(key: str, id: str, **parts: str) -> dict[str, str]:
    return {"id": id, **parts, "hash": identity.sign(key, id, **parts)}


@pytest.fixture(scope="session")
def shop(session_stack: Any) -> Stack:
    stack: Stack = session_stack("postgres", servers=2, redis=True, fast=True)
    return stack


@pytest.fixture(scope="session")
def key(shop: Stack) -> str:
    return key_of(shop)


async def init(server: Server, **body: Any) -> tuple[int, dict[str, Any]]:
    status, answer, _ = await post(server, INIT, {"site": "demo", **body})
    return status, answer


async def test_a_wrong_hash_is_refused_in_words(shop: Stack, key: str) -> None:
    right = signed(key, "42", name="Ada")
    for wrong in ({**right, "name": "Eve"}, {**right, "hash": ""}, {"id": "42"}):
        status, answer = await init(shop.server, identity=wrong)
        assert (status, answer["error"]["code"]) == (403, "bad_identity")
        assert answer["error"]["message"]


@pytest.mark.parametrize("told", ["42", {"id": ""}, {"id": "a\nb"}, {"id": "42", "email": "x"}])
async def test_a_broken_identity_is_refused_in_words(shop: Stack, told: Any) -> None:
    status, answer = await init(shop.server, identity=told)
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    assert "identity" in answer["error"]["message"]


async def test_the_same_id_opens_the_same_conversation_on_another_device(
    shop: Stack, key: str
) -> None:
    here, there = shop.servers
    ada = signed(key, "same-on-both", email="ada@visitor.example", name="Ada Byron")
    async with (
        await Client.open(here, identity=ada) as desk,
        await Client.open(there, identity=ada) as phone,
    ):
        assert desk.init["visitor"] == phone.init["visitor"]
        assert desk.init["conversation"] == phone.init["conversation"]
        mine = await desk.say("From the desk")
        assert (await phone.acknowledged(mine))["text"] == "From the desk"
        theirs = await phone.say("From the phone")
        assert (await desk.acknowledged(theirs))["text"] == "From the phone"
    answer = (await init(there, identity=ada))[1]
    assert {m["text"] for m in answer["messages"]} >= {"From the desk", "From the phone"}
    # A token of somebody signed in stays theirs without being told again.
    assert (await init(here, token=answer["token"]))[1]["visitor"] == answer["visitor"]


async def test_an_open_conversation_goes_along_and_old_tabs_lose_it(shop: Stack, key: str) -> None:
    here, there = shop.servers
    async with (
        await Client.open(here) as visitor,
        await visitor.again(server=there) as old_tab,
    ):
        await visitor.say("Not signed in yet")
        await visitor.reply()
        told = signed(key, "goes-along")
        status, answer = await init(here, token=visitor.token, identity=told)
        assert status == 200
        assert answer["conversation"]["id"] == visitor.init["conversation"]["id"]
        assert "Not signed in yet" in {m["text"] for m in answer["messages"]}
        status_frame = await old_tab.until(lambda f: f["type"] == "status" and f["full"])
        assert status_frame["messages"] == []
        assert status_frame["conversation"]["id"] != answer["conversation"]["id"]
        # What the signed-in visitor says now is nothing for a tab with the old token.
        async with await Client.open(there, token=answer["token"]) as tab:
            mine = await tab.say("A secret")
            await tab.acknowledged(mine)
            await tab.reply()
        left = await old_tab.say("I stayed")
        await old_tab.acknowledged(left)
        assert "A secret" not in json.dumps(old_tab.frames)


async def test_signing_in_as_somebody_else_shows_their_conversation(shop: Stack, key: str) -> None:
    adas = (await init(shop.server, identity=signed(key, "first")))[1]
    eves = (await init(shop.server, token=adas["token"], identity=signed(key, "second")))[1]
    assert adas["visitor"] != eves["visitor"]
    assert adas["conversation"]["id"] != eves["conversation"]["id"]


async def test_a_new_key_ends_what_the_old_one_signed(stack: Any) -> None:
    made = stack()
    old = key_of(made)
    answer = (await init(made.server, identity=signed(old, "42")))[1]
    anonymous = (await init(made.server))[1]
    ask(made, "Site.objects.update(identity_key='n' * 64)")
    status, refused = await init(made.server, token=answer["token"])
    assert (status, refused["error"]["code"]) == (401, "bad_token")
    assert (await get(made.server, "/api/chat/messages", answer["token"]))[0] == 401
    async with await Client.socket(made.server) as socket:
        await socket.send({"type": "connect", "v": 1, "token": answer["token"], "rev": 0})
        assert await socket.closed() == 4401
    assert (await init(made.server, identity=signed(old, "42")))[0] == 403
    assert (await init(made.server, token=anonymous["token"]))[0] == 200
    assert (await init(made.server, identity=signed("n" * 64, "42")))[0] == 200
    assert old not in made.log
    assert "n" * 64 not in made.log


# --- Greeting by itself -------------------------------------------------------------------------


async def test_a_site_greets_by_its_rules(stack: Any) -> None:
    made = stack()
    rules = {"on": True, "text": "Hello!", "after": 5, "pages": ["/pricing*"], "daily": True}
    ask(made, f"Site.objects.update(greets={rules!r}, avatar='https://www.example.com/a.png')")
    status, answer, headers = await get(made.server, f"{GREETING}?site=demo")
    assert status == 200
    assert answer == {
        "text": "Hello!",
        "agent": {"name": "Mira", "avatar": "https://www.example.com/a.png"},
        "after": 5,
        "pages": ["/pricing*"],
        "daily": True,
    }
    assert headers["Cache-Control"] == "public, max-age=300"
    assert "Origin" in headers["Vary"]


async def test_a_site_that_does_not_greet_and_one_that_is_none(sqlite_server: Server) -> None:
    asked = (("?site=demo", "no_greeting"), ("?site=x", "unknown_site"), ("", "unknown_site"))
    for query, code in asked:
        status, answer, headers = await get(sqlite_server, GREETING + query)
        assert (status, answer["error"]["code"]) == (404, code)
        assert headers["Cache-Control"] == "no-store"


async def test_a_greeting_is_for_listed_origins_only(sqlite_server: Server) -> None:
    url = f"{sqlite_server.url}{GREETING}?site=demo"
    async with aiohttp.ClientSession() as session:
        for origin, status in (("https://evil.example", 403), (sqlite_server.url, 404)):
            async with session.get(url, headers={"Origin": origin}) as response:
                assert response.status == status
                allowed = response.headers.get("Access-Control-Allow-Origin")
                assert allowed == (origin if status == 404 else None)
