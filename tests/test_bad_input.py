"""What clients send by mistake or malice: a clear answer, nothing lost, no traceback."""

import json
import os
import random
import uuid

import aiohttp
import pytest
from websockets.asyncio.client import connect

from tests.client import Client, get

SAY = {"type": "message", "text": "hello"}


@pytest.fixture
async def visitor(sqlite_server):
    async with await Client.open(sqlite_server) as client:
        yield client
        assert "Traceback" not in sqlite_server.log


def strange(n: int) -> str | bytes:
    """One of many broken frames, the same each run."""
    rng = random.Random(n)
    kinds = [
        lambda: "{" * rng.randint(1, 50),
        lambda: "[" * 9000,
        lambda: json.dumps({"type": "message", "client_id": str(uuid.uuid4()), "text": [1]}),
        lambda: rng.randbytes(rng.randint(0, 200)),
        lambda: json.dumps({"type": rng.choice(["stop", "x", 5, None, "status"])}),
        lambda: json.dumps({**SAY, "client_id": str(uuid.uuid4()), "text": "\x00"}),
        lambda: json.dumps({**SAY, "client_id": str(uuid.uuid4()), "text": "\ud800"}),
        lambda: '{"type":"status","rev":' + "9" * rng.randint(18, 6000) + "}",
        lambda: '{"type":"typing","on":true,"x":' + '{"a":' * 40 + "1" + "}" * 40 + "}",
        lambda: "a" * 17000,
        lambda: "",
        lambda: "null",
    ]
    return rng.choice(kinds)()


@pytest.mark.parametrize("seed", range(24))
async def test_three_broken_frames_close_the_socket(visitor, seed):
    for n in range(2):
        await visitor.send(strange(seed * 3 + n))
        error = await visitor.until("error")
        assert (error["code"], error["final"]) == ("bad_frame", True)
    await visitor.send(strange(seed * 3 + 2))
    assert await visitor.closed() == 4400


async def test_two_broken_frames_lose_nothing(visitor):
    await visitor.send(b"\x00\x01")
    await visitor.until("error")
    await visitor.send("{")
    await visitor.until("error")
    await visitor.say("/say still here")
    assert (await visitor.reply())["text"] == "still here"


async def test_blank_and_too_long_texts_are_refused_by_name_and_close_nothing(visitor):
    for text, code in ((" \n ", "bad_frame"), ("a" * 2001, "too_long"), ("😀" * 1001, "too_long")):
        for _ in range(3):
            id = await visitor.say(text)
            error = await visitor.until("error")
            assert (error["code"], error["client_id"], error["final"]) == (code, id, True)
    await visitor.say("/say fine")
    assert (await visitor.reply())["text"] == "fine"


async def test_text_comes_back_cleaned(visitor):
    id = await visitor.say("  /say a\r\nb \u202eevil\u2066 e\u0301 👩‍👩‍👧\x07 ")
    assert (await visitor.acknowledged(id))["text"] == "/say a\nb evil é 👩‍👩‍👧"


async def test_frame_of_100_kb_closes_with_1009(visitor):
    await visitor.send("a" * 100_000)
    assert await visitor.closed() == 1009


async def test_fragments_and_pings_are_no_trouble(sqlite_server):
    async with await Client.open(sqlite_server) as visitor:
        text = json.dumps({**SAY, "client_id": str(uuid.uuid4()), "text": "/say pieces"})

        async def pieces():
            for character in text:
                yield character

        await visitor._socket.ping()
        await visitor._socket.send(pieces())
        assert (await visitor.reply())["text"] == "pieces"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("{", 4400),
        (b"x", 4400),
        ({**SAY, "client_id": str(uuid.uuid4())}, 4400),
        ({"type": "status", "rev": 0}, 4400),
        ({"type": "connect", "token": "x", "rev": 0, "v": 2}, 4400),
        ({"type": "connect", "token": "x", "rev": 0}, 4400),
        ({"type": "connect", "token": "x", "rev": -1, "v": 1}, 4400),
        ({"type": "connect", "token": "x", "rev": 0, "v": 1}, 4401),
        ({"type": "connect", "token": "é" * 500, "rev": 0, "v": 1}, 4401),
    ],
)
async def test_first_frame_must_be_a_sound_connect(sqlite_server, first, code):
    visitor = await Client.socket(sqlite_server)
    await visitor.send(first)
    assert await visitor.closed() == code
    assert visitor.frames == []


async def test_token_is_judged_before_the_origin(sqlite_server):
    visitor = await Client.socket(sqlite_server, origin="https://evil.example")
    await visitor.send({"type": "connect", "token": "x", "rev": 0, "v": 1})
    assert await visitor.closed() == 4401


async def test_second_connect_is_a_bad_frame(visitor):
    await visitor.send({"type": "connect", "token": visitor.token, "rev": 0, "v": 1})
    assert (await visitor.until("error"))["code"] == "bad_frame"


async def test_other_paths_are_refused(sqlite_server):
    with pytest.raises(Exception, match="403"):
        async with connect(sqlite_server.ws_url + "/more", proxy=None):
            pass


@pytest.mark.parametrize("path", ["/%00", "/api/voice/%00/%ff", "/chat/%00", "/api/..%2f", "/\\"])
async def test_odd_paths_are_not_found(sqlite_server, path):
    async with (
        aiohttp.ClientSession() as session,
        session.get(sqlite_server.url + path) as response,
    ):
        assert response.status in (301, 400, 401, 404)
    assert "Traceback" not in sqlite_server.log


async def test_no_word_of_a_visitor_is_logged(stack):
    """Neither in the ordinary course nor where things go wrong."""
    made = stack(fast=True)
    canary = f"canary-{os.urandom(6).hex()}"
    async with await Client.open(
        made.server, page={"url": f"https://x.example/{canary}"}
    ) as visitor:
        for text in (
            f"/say {canary}",
            f"/fail {canary}",
            f"/fail-after 2 {canary}",
            f'/tool save_lead {{"email": "{canary}@example.com"}}',
            f"{canary} what do you sell?",
        ):
            await visitor.say(text)
            await visitor.reply()
        await visitor.send(canary)
        await visitor.until("error")
        await get(made.server, f"/api/voice/{canary}", visitor.token)
        await get(made.server, "/api/chat/messages", canary)
    assert canary not in made.log
    assert visitor.token not in made.log


async def test_persona_without_a_version_and_empty_knowledge_still_answer(stack):
    made = stack(env={"CHAT_BACKEND": "guided"})
    made.manage(
        "shell",
        "-c",
        "from chat.models import Persona; from knowledge.models import Entry;"
        "Persona.objects.update(published=None); Entry.objects.all().delete()",
    )
    async with await Client.open(made.server) as visitor:
        assert visitor.init["site"]["agent"]["name"]
        await visitor.say("What does the smallest model cost?")
        reply = await visitor.reply()
        assert reply["state"] == "complete"
        assert reply["text"]
        assert "sources" not in reply
