"""A visitor's recording as text: what is taken, what it costs, and that nothing of it stays."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client import Client
from tests.servers import ROOT, Server
from tests.smallest import Smallest, wav
from voice.recordings import look

RECORDINGS = ROOT / "tests" / "recordings"  # of Chromium's MediaRecorder, 2.5 s of beeps
WEBM = (RECORDINGS / "chromium.webm").read_bytes()
MP4 = (RECORDINGS / "chromium.mp4").read_bytes()


def ogg(seconds: float) -> bytes:
    """Two pages, of which the second says how long it is."""
    page = b"OggS" + bytes(2)
    return page + bytes(21) + page + round(seconds * 48000).to_bytes(8, "little") + bytes(20)


@pytest.mark.parametrize(
    ("audio", "kind", "least", "most"),
    [
        (WEBM, "webm", 2.3, 2.6),
        (MP4, "mp4", 2.0, 3.5),
        (wav(2.5), "wav", 2.5, 2.5),
        (ogg(2.5), "ogg", 2.5, 2.5),
    ],
    ids=["webm", "mp4", "wav", "ogg"],
)
def test_a_recording_says_how_long_it_is(
    audio: bytes, kind: str, least: float, most: float
) -> None:
    found = look(audio)
    assert found is not None
    assert found.kind == kind
    assert least <= found.seconds <= most


@given(st.sampled_from([WEBM, MP4, wav(0.1), ogg(1), b""]), st.binary(max_size=60), st.randoms())
def test_whatever_comes_is_a_recording_or_is_none(
    audio: bytes, more: bytes, chance: random.Random
) -> None:
    broken = bytearray(audio + more)
    for _ in range(chance.randint(0, 20)):
        if broken:
            broken[chance.randrange(len(broken))] = chance.randrange(256)
    found = look(bytes(broken[: chance.randint(0, len(broken))]))
    assert found is None or isinstance(found.seconds, float)


def test_a_time_of_more_digits_than_there_are_is_none() -> None:
    """It was an error of ours, that anybody could cause."""
    head, _, _ = WEBM.partition(b"\x1f\x43\xb6\x75")
    assert look(head + b"\x1f\x43\xb6\x75\xff" + b"\xe7\x43\xe8" + b"\xff" * 1100) is None


# --- Over the wire --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service() -> Iterator[Smallest]:
    with Smallest() as service:
        yield service


@pytest.fixture(scope="module")
def server(session_stack: Any, service: Smallest, tmp_path_factory: Any) -> Server:
    env = {
        "VOICE_BACKEND": "browser",
        "VOICE_LISTENING": "smallest",
        "SMALLEST_BASE_URL": service.url,
        "CHAT_BUDGET_VISITOR": "0.0007",  # some four seconds
    }
    return session_stack(env=env).server


@pytest.fixture
async def visitor(server: Server, service: Smallest) -> Any:
    service.requests.clear()
    service.always = ""
    async with await Client.open(server) as client:
        yield client
    service.always = ""


async def send(
    visitor: Client, audio: bytes, kind: str = "audio/webm;codecs=opus", query: str = ""
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {visitor.token}", "Content-Type": kind}
    url = f"{visitor.server.url}/api/voice/transcribe{query}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=audio, headers=headers) as response,
    ):
        body = await response.json()
        return response.status, body.get("text", body.get("error", {}).get("code"))


@pytest.mark.parametrize(
    ("audio", "kind"), [(WEBM, "audio/webm;codecs=opus"), (MP4, "audio/mp4"), (wav(1), "audio/wav")]
)
async def test_what_is_said_comes_back_as_text(
    visitor: Client, service: Smallest, audio: bytes, kind: str
) -> None:
    assert visitor.init["voice"] == {"input": "server", "output": "browser"}
    assert await send(visitor, audio, kind, "?language=de-AT") == (200, "What does it cost?")
    asked = service.requests[0].body
    assert asked == {"model": "pulse", "language": "de", "bytes": len(audio)}


@pytest.mark.parametrize(
    ("audio", "kind", "answer"),
    [
        (WEBM, "application/json", (415, "unsupported_type")),
        (b"nothing of the kind", "audio/webm", (415, "unsupported_type")),
        (b"", "audio/webm", (415, "unsupported_type")),
        (ogg(61), "audio/ogg", (413, "too_large")),
        (WEBM + bytes(4 * 1024 * 1024), "audio/webm", (413, "too_large")),
    ],
    ids=["json", "noise", "empty", "long", "large"],
)
async def test_what_is_no_recording_or_too_long_is_refused_unheard(
    visitor: Client, service: Smallest, audio: bytes, kind: str, answer: tuple[int, str]
) -> None:
    assert await send(visitor, audio, kind) == answer
    assert service.requests == []


async def test_what_is_heard_is_paid_for_until_the_budget_is_spent(
    visitor: Client, service: Smallest
) -> None:
    assert (await send(visitor, wav(3), "audio/wav"))[0] == 200
    assert await send(visitor, wav(3), "audio/wav") == (429, "budget_spent")
    assert len(service.requests) == 1


async def test_a_failure_is_a_sentence_and_costs_nothing(
    visitor: Client, service: Smallest
) -> None:
    service.always = "status 400"
    for _ in range(3):
        assert await send(visitor, wav(3), "audio/wav") == (503, "voice_unavailable")
    service.always = ""
    assert (await send(visitor, wav(3), "audio/wav"))[0] == 200


async def test_nothing_of_a_recording_stays(visitor: Client, server: Server) -> None:
    assert (await send(visitor, WEBM))[0] == 200
    database = Path(server.env["DATABASE_URL"].removeprefix("sqlite:///"))
    for path in (database, *database.parent.glob(f"{database.name}*")):
        assert WEBM[200:260] not in path.read_bytes()
        assert b"What does it cost?" not in path.read_bytes()
