"""Sound over real sockets: a server, a stand-in of the voice's service, and who listens."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.client import Client, get, post
from tests.servers import Server, wait_for
from tests.smallest import MP3_FRAME, Smallest

ENV = {"VOICE_BACKEND": "smallest", "VOICE_LISTENING": "smallest"}


@pytest.fixture(scope="module")
def said() -> Iterator[Smallest]:
    with Smallest() as service:
        yield service


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def server(session_stack: Any, said: Smallest, cache: Path) -> Server:
    env = {**ENV, "SMALLEST_BASE_URL": said.url, "VOICE_CACHE_DIR": str(cache)}
    return session_stack(env=env).server


@pytest.fixture
def service(said: Smallest) -> Iterator[Smallest]:
    """Forgets what was, and does no harm to the next."""
    said.requests.clear()
    said.go.clear()
    said.faults, said.always = [], ""
    yield said
    said.faults, said.always = [], ""
    said.go.set()


@pytest.fixture
async def visitor(server: Server, service: Smallest) -> AsyncIterator[Client]:
    async with await Client.open(server) as client:
        yield client


async def told(visitor: Client, text: str) -> str:
    """Has the agent say `text`, which nobody has said before; the message's id."""
    await visitor.say(f"/say {text}")
    return (await visitor.reply())["id"]


def fresh(text: str = "and one more sentence.") -> str:
    """Words that no cache holds."""
    return f"This is number {uuid.uuid4().hex[:8]}, {text}"


async def listen(visitor: Client, path: str) -> tuple[int, str, bytes]:
    headers = {"Authorization": f"Bearer {visitor.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{visitor.server.url}/api/voice/{path}", headers=headers) as response,
    ):
        return response.status, response.headers["Content-Type"], await response.read()


async def refused(visitor: Client, path: str) -> tuple[int, str, str]:
    status, body, _ = await get(visitor.server, f"/api/voice/{path}", visitor.token)
    return status, body["error"]["code"], body["error"]["message"]


async def until(what: str, ready: Any) -> None:
    await asyncio.to_thread(wait_for, what, ready, timeout=30)


async def test_init_and_health_say_that_the_server_speaks(visitor: Client) -> None:
    assert visitor.init["voice"] == {"input": "server", "output": "server"}
    health = (await get(visitor.server, "/api/health"))[1]
    assert health["checks"]["voice"] == {"status": "ok", "detail": "it speaks"}


async def test_a_segment_is_spoken_once_and_then_kept(visitor: Client, service: Smallest) -> None:
    reply = await told(visitor, fresh())
    for _ in range(3):
        status, kind, audio = await listen(visitor, f"{reply}/0")
        assert (status, kind) == (200, "audio/mpeg")
        assert audio == MP3_FRAME * (len(audio) // len(MP3_FRAME))
        assert len(audio) > 20_000
    listed = (await get(visitor.server, f"/api/voice/{reply}", visitor.token))[1]["segments"]
    assert service.texts == [each["text"] for each in listed]


async def test_all_who_listen_at_once_share_one_synthesis(
    visitor: Client, service: Smallest
) -> None:
    service.always = "drip 0.05"
    reply = await told(visitor, fresh())
    heard = await asyncio.gather(*(listen(visitor, f"{reply}/0") for _ in range(6)))
    assert len({audio for _, _, audio in heard}) == 1
    assert len(service.requests) == 1


async def test_the_first_sound_goes_out_before_the_last_is_spoken(
    visitor: Client, service: Smallest
) -> None:
    service.always = "drip 0.3"
    reply = await told(visitor, fresh())
    headers = {"Authorization": f"Bearer {visitor.token}"}
    url = f"{visitor.server.url}/api/voice/{reply}/0"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        await response.content.readany()
        assert not service.requests[0].answered
        await response.read()


async def test_who_leaves_ends_the_synthesis(visitor: Client, service: Smallest) -> None:
    service.always = "drip 0.3"
    reply = await told(visitor, fresh())
    headers = {"Authorization": f"Bearer {visitor.token}"}
    url = f"{visitor.server.url}/api/voice/{reply}/0"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        await response.content.readany()
        response.close()
    await until("the end", lambda: service.requests[0].closed_by_client)
    service.always = ""
    assert len((await listen(visitor, f"{reply}/0"))[2]) > 20_000  # and it can be had again


@pytest.mark.parametrize("fault", ["status 500", "status 429 60", "status 401", "tiny", "html"])
async def test_where_there_is_no_sound_a_sentence_says_so(
    visitor: Client, service: Smallest, fault: str
) -> None:
    reply = await told(visitor, fresh())
    service.always = fault
    assert await refused(visitor, f"{reply}/0") == (
        503, "voice_unavailable", "The agent's voice does not answer; your browser reads on.",
    )  # fmt: skip


async def test_what_breaks_off_does_not_look_whole(visitor: Client, service: Smallest) -> None:
    service.always = "truncate"
    reply = await told(visitor, fresh())
    with pytest.raises(aiohttp.ClientPayloadError):
        await listen(visitor, f"{reply}/0")
    service.always = ""
    assert len((await listen(visitor, f"{reply}/0"))[2]) > 20_000  # nothing of it was kept


async def test_nobody_hears_what_is_not_theirs(
    visitor: Client, server: Server, service: Smallest
) -> None:
    reply = await told(visitor, fresh())
    await listen(visitor, f"{reply}/0")
    async with await Client.open(server) as other:
        await told(other, "something")
        for path in (f"{reply}/0", f"{uuid.uuid4()}/0", "x/0"):
            assert (await refused(other, path))[:2] == (404, "not_found")
    question = next(
        f["message"]["id"] for f in visitor.frames
        if f["type"] == "message" and f["message"]["role"] == "visitor"
    )  # fmt: skip
    for path in (f"{question}/0", f"{reply}/1", f"{reply}/x", f"{reply}/-1", f"{reply}/99999"):
        assert (await refused(visitor, path))[0] == 404
    assert (await refused(visitor, f"{reply}/0?attempt=2"))[0] == 404
    assert (await listen(visitor, f"{reply}/0?attempt=1"))[0] == 200
    assert len(service.requests) == 1


async def test_with_sound_on_the_first_segment_is_begun_unasked_and_the_next_with_it(
    visitor: Client, service: Smallest
) -> None:
    await visitor.send({"type": "sound", "on": True})
    text = f"{fresh()} " + " ".join(fresh("which goes on and on for a while.") for _ in range(8))
    reply = await told(visitor, text)
    spoken = [f["text"] for f in visitor.frames if f["type"] == "speech"]
    await until("the first", lambda: service.texts[:1] == spoken[:1])
    assert (await listen(visitor, f"{reply}/0"))[0] == 200
    await until("the next two", lambda: sorted(service.texts) == sorted(spoken[:3]))


async def test_who_wants_no_more_stops_what_is_spoken_ahead(
    visitor: Client, service: Smallest
) -> None:
    service.always = "drip 0.5"
    await visitor.send({"type": "sound", "on": True})
    await told(visitor, fresh())
    await until("it", lambda: service.requests and service.requests[0].pieces)
    await visitor.send({"type": "sound", "on": False})
    await until("the end", lambda: service.requests[0].closed_by_client)


async def test_without_sound_nothing_is_spoken(visitor: Client, service: Smallest) -> None:
    await told(visitor, fresh())
    assert service.requests == []
    assert not any(f["type"] == "speech" for f in visitor.frames)


async def test_sound_over_plain_requests(visitor: Client, service: Smallest) -> None:
    """The frame goes up by a request; the visitor's other line is told."""
    url, headers = visitor.server.url, {"Authorization": f"Bearer {visitor.token}"}
    lines: list[str] = []
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}/api/chat/events?rev=0") as events,
    ):
        async for line in events.content:
            if line.startswith(b"data:"):
                break
        frames = {"frames": [{"type": "sound", "on": True}]}
        await post(visitor.server, "/api/chat/frames", frames, headers)
        await told(visitor, fresh())
        async for line in events.content:
            lines.append(line.decode())
            if '"speech"' in lines[-1]:
                break
    assert '"n":0' in lines[-1]


async def test_an_erased_visitors_sound_is_erased(
    visitor: Client, service: Smallest, cache: Path
) -> None:
    other = await Client.open(visitor.server)
    shared, own = fresh(), fresh()
    before = kept(cache)
    for who, text in ((visitor, shared), (visitor, own), (other, shared)):
        reply = await told(who, text)
        assert (await listen(who, f"{reply}/0"))[0] == 200
    await until("both are kept", lambda: len(kept(cache)) >= len(before) + 2)
    before = kept(cache)
    async with (
        aiohttp.ClientSession() as session,
        session.delete(
            f"{visitor.server.url}/api/chat", headers={"Authorization": f"Bearer {visitor.token}"}
        ) as response,
    ):
        assert response.status == 200
    await until("one is gone", lambda: len(kept(cache)) == len(before) - 1)
    assert (await listen(other, f"{reply}/0"))[0] == 200
    assert service.texts.count(shared) == 1  # it is still there
    await other.close()


def kept(cache: Path) -> set[Path]:
    return {path for path in cache.rglob("*") if path.is_file()}
