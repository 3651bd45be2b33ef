"""A whole conversation without a WebSocket: frames up by requests, down by one long answer."""

import asyncio
import json
import os
import uuid
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp
import pytest

from tests.client import Client, Frame, get, post
from tests.servers import Server

WORDS = " ".join(f"w{n}" for n in range(1, 31))


class Line(Client):
    """A `Client` whose frames go over HTTP."""

    @classmethod
    async def open(
        cls, server: Server, site: str = "demo", token: str | None = None, **at: Any
    ) -> Self:  # type: ignore[override]
        body = {"site": site, **({"token": token} if token else {})}
        status, init, _ = await post(server, "/api/chat/init", body)
        assert status == 200
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        answer = await session.get(
            f"{server.url}/api/chat/events",
            params={"rev": str(at.get("rev", 0))},
            headers={"Authorization": f"Bearer {init['token']}"},
        )
        assert answer.status == 200, await answer.text()
        line = cls(server, init, answer)  # type: ignore[arg-type]
        line.session, line.answer = session, answer
        await line.until("status")
        return line

    async def _read(self) -> None:
        named = ""
        async for raw in self._socket.content:  # type: ignore[attr-defined]
            text = raw.decode().rstrip("\n")
            name, _, value = text.partition(": ")
            if name == "event":
                named = value
            elif name == "data" and named == "close":
                data = json.loads(value)
                self.close_code, self.close_reason = data["code"], data["reason"]
            elif name == "data":
                self.frames.append(json.loads(value))
            self._news.set()

    async def send(self, frame: Any) -> None:
        self.answers = await self.post([frame])

    async def ask(self, body: Any) -> tuple[int, Frame]:
        """Status and body of one request with frames."""
        headers = {"Authorization": f"Bearer {self.token}"}
        status, answer, _ = await post(self.server, "/api/chat/frames", body, headers)
        return status, answer

    async def post(self, frames: list[Any]) -> list[Frame]:
        status, body = await self.ask({"frames": frames})
        assert status == 200, body
        return list(body["frames"])

    async def close(self) -> None:
        self._reader.cancel()
        self.answer.close()
        await self.session.close()


@pytest.fixture
async def line(sqlite_server):
    async with await Line.open(sqlite_server) as opened:
        yield opened


async def test_the_answer_may_not_be_buffered_or_kept(line):
    headers = line.answer.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"


async def test_a_reply_streams_in_the_order_of_the_socket(line):
    client_id = await line.say("/words 30 10")
    reply = await line.reply()
    assert (reply["text"], reply["state"]) == (WORDS, "complete")
    kinds = [frame["type"] for frame in line.frames]
    assert kinds.count("delta") > 3
    own = next(f for f in line.frames if f["type"] == "message" and f["message"].get("client_id"))
    assert own["message"]["client_id"] == client_id
    assert line.answers == []  # what everybody sees comes by the other line
    revs = [frame["message"]["rev"] for frame in line.frames if frame["type"] == "message"]
    assert revs == list(range(1, len(revs) + 1))


async def test_what_a_frame_asks_for_comes_with_its_request(line):
    await line.say("/say hello")
    await line.reply()
    status, broken, missing = await line.post(
        [
            {"type": "status", "rev": 0},
            {"type": "nothing"},
            {"type": "stop", "message": str(uuid.uuid4())},
        ]
    )
    assert status["type"] == "status"
    assert [message["seq"] for message in status["messages"]] == [1, 2, 3]
    assert broken["code"] == "bad_frame"
    assert missing["code"] == "not_found"


async def test_sent_twice_it_is_stored_once(line):
    client_id = await line.say("/say once")
    await line.reply()
    await line.say("/say once", client_id)
    assert line.answers[0]["message"]["client_id"] == client_id
    _, body, _ = await get(line.server, "/api/chat/messages", line.token)
    assert len(body["messages"]) == 3


async def test_stop_and_a_socket_in_another_tab(line):
    async with await Client.open(line.server, token=line.token) as socket:
        await line.say("/words 200 20")
        begun = await line.until("delta")
        await socket.until("delta")
        await line.send({"type": "stop", "message": begun["message"]})
        assert (await line.reply())["state"] == (await socket.reply())["state"] == "interrupted"


async def test_who_has_no_sound_token_hears_nothing(sqlite_server):
    for path in ("/api/chat/events", "/api/chat/events?rev=0"):
        assert (await get(sqlite_server, path))[0] == 401
        assert (await get(sqlite_server, path, "nonsense"))[0] == 401
    assert (await post(sqlite_server, "/api/chat/frames", {"frames": []}))[0] == 401


@pytest.mark.parametrize("rev", ["-1", "x", "1e3", "9" * 30, "²"])
async def test_a_place_that_is_none_is_refused(sqlite_server, line, rev):
    status, body, _ = await get(sqlite_server, f"/api/chat/events?rev={rev}", line.token)
    assert (status, body["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("frames", [None, [], {}, "x", [{}] * 21])
async def test_frames_that_are_none_are_refused(line, frames):
    headers = {"Authorization": f"Bearer {line.token}"}
    status, body, _ = await post(line.server, "/api/chat/frames", {"frames": frames}, headers)
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_line_and_requests_may_reach_different_processes(postgres_pair):
    one, other = postgres_pair.servers
    async with await Line.open(one) as line:
        line.server = other
        await line.say("/words 30 20")
        reply = await line.reply()
        assert reply["text"] == WORDS
        assert sum(frame["type"] == "delta" for frame in line.frames) > 2


async def test_a_process_that_ends_says_so_and_waits_for_no_line(stack):
    server = stack(fast=True).server
    line = await Line.open(server)
    await line.say("/words 200 20")
    await line.until("delta")
    started = asyncio.get_running_loop().time()
    await asyncio.to_thread(server.stop)
    assert asyncio.get_running_loop().time() - started < 5
    assert line.close_code == 1012
    assert [f["state"] for f in line.frames if f["type"] == "status"][-1] == "closing"
    await line.close()


async def test_lines_that_are_gone_are_not_counted(stack):
    server = stack(env={"CHAT_SOCKETS_PER_ADDRESS": "2", "CHAT_RATES": "on"}).server
    for _ in range(5):
        line = await Line.open(server)
        await line.close()
        await asyncio.sleep(0.2)
    one, two = await Line.open(server), await Line.open(server)
    third = await post(server, "/api/chat/init", {"site": "demo"})
    headers = {"Authorization": f"Bearer {third[1]['token']}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/api/chat/events", headers=headers) as answer,
    ):
        assert '"code": 4429' in await answer.text()
    await one.close()
    await two.close()


def threads(server: Server) -> int:
    assert server.process is not None
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


async def test_open_lines_hold_no_thread(stack):
    server = stack(env={"CHAT_HEARTBEAT": "1"}).server
    async with AsyncExitStack() as opened:
        first = await opened.enter_async_context(await Line.open(server))
        await first.say("/say warm")  # whatever a process starts once is there now
        await first.reply()
        before = threads(server)
        lines = [await opened.enter_async_context(await Line.open(server)) for _ in range(100)]
        await asyncio.sleep(1.5)  # over a sign of life
        assert threads(server) - before <= 5
        await asyncio.gather(*(line.say("/words 3 10") for line in lines))
        replies = await asyncio.gather(*(line.reply() for line in lines))
        assert {reply["text"] for reply in replies} == {"w1 w2 w3"}


# --- The rules of a socket ----------------------------------------------------------------------


async def test_a_new_conversation_is_the_one_that_frames_mean(line):
    """The token names the old one for as long as it lasts."""
    await line.say("/say the first")
    await line.reply()
    await line.send({"type": "restart"})
    new = await line.until(lambda f: f["type"] == "status" and f["full"])
    assert new["conversation"]["id"] != line.init["conversation"]["id"]
    await line.say("/words 200 20")
    begun = await line.until("delta")
    await line.send({"type": "stop", "message": begun["message"]})
    assert line.answers == []
    reply = await line.reply()
    assert (reply["id"], reply["state"]) == (begun["message"], "interrupted")
    await line.send({"type": "feedback", "message": reply["id"], "value": 1})
    rated = await line.until("message")
    assert rated["message"]["feedback"] == 1
    await line.send({"type": "regenerate", "message": reply["id"], "attempt": reply["attempt"]})
    assert (line.answers, (await line.reply())["attempt"]) == ([], reply["attempt"] + 1)
    (status,) = await line.post([{"type": "status", "rev": line.rev}])
    assert (status["full"], status["messages"]) == (False, [])


async def test_a_line_learns_that_another_conversation_began(stack):
    """By a request to another process, where nobody had said that the old one was over."""
    made = stack("postgres", servers=2, redis=True)
    async with await Line.open(made.server) as line:
        await line.say("/say before a long silence")
        old = (await line.reply())["id"]
        made.manage(
            "shell", "-v0", "-c",
            "from chat.models import Conversation; from datetime import datetime, UTC;"
            "Conversation.objects.update(updated=datetime(2020, 1, 1, tzinfo=UTC))",
        )  # fmt: skip
        line.server = made.servers[1]
        await line.say("/words 30 20")
        new = await line.until(lambda f: f["type"] == "status" and f["full"])
        assert new["conversation"]["id"] != line.init["conversation"]["id"]
        reply = await line.reply()
        assert (reply["text"], reply["id"] != old) == (WORDS, True)


async def test_silence_closes_a_line_and_a_frame_by_any_process_does_not(stack):
    made = stack("postgres", servers=2, redis=True, env={"CHAT_SILENCE_TIMEOUT": "2"})
    async with await Line.open(made.server) as talks, await Line.open(made.server) as silent:
        talks.server = made.servers[1]
        for _ in range(16):
            await talks.send({"type": "status", "rev": 0})
            await asyncio.sleep(0.25)
        assert (silent.close_code, silent.close_reason) == (4408, "silent")
        assert talks.close_code is None
        await asyncio.sleep(3)
        assert talks.close_code == 4408


BROKEN = {"type": "nothing"}


async def test_the_third_broken_frame_closes_whichever_process_it_reaches(postgres_pair):
    one, other = postgres_pair.servers
    async with await Line.open(one) as line, await Line.open(one) as elsewhere:
        status = {"type": "status", "rev": 0}
        assert [f["type"] for f in await line.post([BROKEN, status])] == ["error", "status"]
        blank = {"type": "message", "client_id": str(uuid.uuid4()), "text": " "}
        assert [f["code"] for f in await line.post([blank, blank])] == ["bad_frame", "bad_frame"]
        line.server = other
        assert (await line.ask(["no frames"]))[0] == 400
        assert line.close_code is None
        _, answer = await line.ask({"frames": [BROKEN, status]})
        assert [f["type"] for f in answer["frames"]] == ["error"]  # and nothing after it
        assert answer["close"] == {"code": 4400, "reason": "too many broken frames"}
        assert await line.closed() == 4400
        # As with a socket, the next one begins anew; and nobody else's was closed.
        assert [f["type"] for f in await line.post([BROKEN, status])] == ["error", "status"]
        assert elsewhere.close_code is None


async def test_each_frame_counts_as_one(stack):
    env = {"CHAT_RATES": "on", "CHAT_RATE_FRAMES": "30/3 seconds"}
    async with await Line.open(stack(env=env).server) as line:
        typing = [{"type": "typing", "on": True}]
        assert (await line.ask({"frames": typing * 20}))[0] == 200
        status, body = await line.ask({"frames": typing * 11})
        assert (status, body["error"]["code"]) == (429, "rate_limited")
        assert body["error"]["retry_after"] >= 1
