"""`/metrics` tells staff's Prometheus how the process does, and nobody anything of a visitor."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from django.test import AsyncClient
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from pytest_django import Settings

from chat import metrics, speaking, tokens, watching, wire
from chat.database import query
from chat.live import MAX_WANTED, Live, Mirror, live
from chat.sockets import MAX_QUEUED, Socket
from tests.base import Talker, make_site
from tests.client import Client, get
from tests.conftest import MakeStack
from tests.servers import Server, wait_for
from tests.smallest import Smallest, wav
from tests.test_frames import Line
from tests.upstream import Upstream
from voice.synthesis import syntheses

TOKEN = "a-token-for-the-scraper-and-nobody-else"
LABELS = {
    *("process", "state", "backend", "kind", "site", "code", "cause", "line", "model", "about"),
    *("by", "origin"),
    *("le", "generation", "implementation", "major", "minor", "patchlevel", "version"),
}


async def scrape(server: Server, authorization: str | None = f"Bearer {TOKEN}") -> tuple[int, str]:
    headers = {"Authorization": authorization} if authorization else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/metrics", headers=headers) as response,
    ):
        return response.status, await response.text()


async def figure(server: Server, name: str, **labels: str) -> float:
    """One figure of `server`; 0 where it is not told yet, as Prometheus' `or vector(0)`."""
    status, text = await scrape(server)
    assert status == 200
    for found, given, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE):
        have = dict(re.findall(r'(\w+)="([^"]*)"', given))
        if found == name and labels.items() <= have.items():
            return float(value)
    return 0.0


async def test_it_is_not_there_without_a_token_to_ask_for(sqlite_server: Server) -> None:
    for authorization in (None, "Bearer ", f"Bearer {TOKEN}"):
        assert (await scrape(sqlite_server, authorization))[0] == 404


async def test_only_the_right_bearer_token_opens_it(stack: MakeStack) -> None:
    server = stack(env={"CHAT_METRICS_TOKEN": TOKEN}).server
    wrong = (None, "Bearer ", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ä")
    assert [(await scrape(server, one))[0] for one in wrong] == [404] * len(wrong)
    status, text = await scrape(server)
    assert status == 200
    assert server.process is not None
    assert f'chat_layer_up{{process="{server.process.pid}"}} 1.0' in text
    assert "process_resident_memory_bytes{" in text


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as running:
        yield running


@pytest.fixture
def metered(stack: MakeStack, upstream: Upstream) -> Callable[..., Server]:
    """Makes a server whose model is the stand-in."""

    def make(**env: str) -> Server:
        given = {
            "CHAT_METRICS_TOKEN": TOKEN,
            "CHAT_BACKEND": "completions",
            "OPENAI_BASE_URL": upstream.url,
            "OPENAI_API_KEY": "none",
        }
        return stack(env={**given, **env}).server

    return make


async def test_a_reply_is_counted_with_all_it_took(metered: Callable[..., Server]) -> None:
    budgets = {f"CHAT_BUDGET_{of}": "1000000" for of in ("VISITOR", "ADDRESS", "SITE", "WHOLE")}
    server = metered(CHAT_PRICES='{"stand-in": [1000000, 0, 500000]}', **budgets)
    async with await Client.open(server) as visitor:
        assert await figure(server, "chat_sockets", line="websocket") == 1
        await visitor.say("[words 8] [usage 3 4 2]")
        await visitor.reply()
        await visitor.say("[words 8 200]")
        delta = await visitor.until("delta")
        assert await figure(server, "chat_replies_open") == 1
        await visitor.send({"type": "stop", "message": delta["message"]})
        await visitor.reply()
        await visitor.send("no frame")
        await visitor.until("error")
        assert await figure(server, "chat_refused_total", code="bad_frame") == 1
        assert await figure(server, "chat_alarms_total") == 0
        await visitor.say("[leak plain]")
        await visitor.reply()
        assert await figure(server, "chat_alarms_total") == 1
        for _ in range(2):
            await visitor.send("no frame")
        assert await visitor.closed() == 4400
        assert await figure(server, "chat_closed_total", code="4400") == 1
        visitor_id, talk = visitor.init["visitor"], visitor.init["conversation"]["id"]
    done = {"backend": "completions"}
    assert await figure(server, "chat_replies_total", state="complete", **done) >= 1
    assert await figure(server, "chat_replies_total", state="interrupted", **done) == 1
    assert await figure(server, "chat_first_word_seconds_count", **done) >= 2
    assert await figure(server, "chat_first_word_seconds_bucket", le="25.0", **done) >= 2
    assert await figure(server, "chat_tokens_total", kind="given") >= 3
    assert await figure(server, "chat_tokens_total", kind="cached") == 2
    assert await figure(server, "chat_tokens_total", kind="written") >= 4
    assert await figure(server, "chat_spend_dollars_total", site="demo") >= 3
    _, text = await scrape(server)
    assert not any(secret in text for secret in (visitor_id, talk, "w1", "127.0.0.1", TOKEN))
    assert set(re.findall(r'[{,](\w+)="', text)) <= LABELS


async def test_replies_that_wait_and_lines_over_http_are_counted(
    metered: Callable[..., Server],
) -> None:
    server = metered(CHAT_REPLIES="1", CHAT_QUEUE_TIMEOUT="20")
    async with await Client.open(server) as first, await Line.open(server) as second:
        assert await figure(server, "chat_sockets", line="http") == 1
        assert await figure(server, "chat_sockets", line="websocket") == 1
        await first.say("[words 100 100]")
        delta = await first.until("delta")
        await second.say("[words 3]")
        await second.until("typing")
        assert await figure(server, "chat_replies_waiting") == 1
        assert await figure(server, "chat_replies_open") == 2
        await first.send({"type": "stop", "message": delta["message"]})
        assert (await second.reply())["text"] == "w1 w2 w3"
        assert await figure(server, "chat_replies_waiting") == 0
        assert await figure(server, "chat_replies_open") == 0


async def test_a_layer_that_is_down_is_counted(stack: MakeStack) -> None:
    made = stack(redis=True, env={"CHAT_METRICS_TOKEN": TOKEN})
    server = made.server
    async with await Client.open(server) as visitor:
        assert await figure(server, "chat_layer_up") == 1
        assert await figure(server, "chat_layer_failures_total") == 0
        made.redis.stop()
        await visitor.say("/say all the same")
        assert (await visitor.reply())["text"] == "all the same"
        async with asyncio.timeout(10):
            while await figure(server, "chat_layer_failures_total") == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await figure(server, "chat_layer_up") == 0


async def test_it_tells_why_sockets_had_to_load_again(stack: MakeStack) -> None:
    server = stack(env={"CHAT_METRICS_TOKEN": TOKEN}).server
    async with await Client.open(server) as visitor:
        await visitor.say("Hello")
        await visitor.reply()
        async with await visitor.again(rev=1):
            assert await figure(server, "chat_resyncs_total", cause="missed") == 1
        async with await visitor.again(rev=99):
            assert await figure(server, "chat_resyncs_total", cause="other_copy") == 1


async def test_it_tells_that_a_model_is_left_alone(metered: Callable[..., Server]) -> None:
    server = metered(CHAT_BREAKER_FAILURES="1")
    async with await Client.open(server) as visitor:
        await visitor.say("[status 500]")
        await visitor.reply()
    assert await figure(server, "chat_breaker_open", model="default") == 1
    assert await figure(server, "chat_replies_total", backend="guided") == 1


async def test_what_is_past_its_threshold_is_warned_of_and_shown(stack: MakeStack) -> None:
    env = {"CHAT_METRICS_TOKEN": TOKEN, "CHAT_WATCH_INTERVAL": "0.05", "CHAT_WARN_MEMORY": "1"}
    server = stack(env=env).server
    wait_for("the warning", lambda: "past its threshold" in server.log, timeout=10)
    _, health, _ = await get(server, "/api/health")
    assert health["status"] == "degraded"
    assert health["checks"]["memory"]["status"] == "degraded"
    assert "MiB" in health["checks"]["memory"]["detail"]
    assert await figure(server, "chat_concern", about="memory") == 1
    assert await figure(server, "chat_concern", about="lag") == 0
    assert server.log.count("past its threshold") == 1  # though it has looked often


async def test_a_threshold_of_nought_is_none(stack: MakeStack) -> None:
    env = {"CHAT_METRICS_TOKEN": TOKEN, "CHAT_WATCH_INTERVAL": "0.05", "CHAT_WARN_MEMORY": "0"}
    server = stack(env=env).server
    while await figure(server, "chat_tasks") == 0:  # it has looked
        continue
    _, health, _ = await get(server, "/api/health")
    assert health["checks"]["memory"]["status"] == "ok"


# --- In this process ----------------------------------------------------------------------------


def told(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def resyncs(cause: str) -> float:
    return told("chat_resyncs_total", cause=cause)


async def nothing(*_: Any) -> None:
    return None


async def test_a_socket_that_misses_a_change_or_reads_too_slowly_loads_again() -> None:
    gap, slow = resyncs("gap"), resyncs("slow_reader")
    reads = asyncio.Event()

    async def send(_message: object) -> None:
        await reads.wait()

    socket = Socket(send, nothing)
    shape = {"id": "m", "seq": 1, "rev": 5, "state": "streaming", "text": "", "attempt": 1}
    socket.tell(shape)  # the first four never came
    assert resyncs("gap") == gap + 1
    socket.rev = 5
    socket.tell({**shape, "rev": 6})
    words = "x" * (MAX_QUEUED + 1)
    for frame in (wire.delta("m", 1, 0, words), wire.delta("m", 1, len(words), "more")):
        socket.delta(frame, wire.encode(frame))
    reads.set()
    await socket.emptied()
    assert resyncs("slow_reader") == slow + 1
    socket.gone()


async def test_events_that_get_lost_between_processes_are_counted() -> None:
    lost, overflows = resyncs("lost_delta"), told("chat_layer_overflows_total")
    here = Live()
    conversation, socket = uuid.uuid4(), Socket(nothing, nothing)
    await here.join(socket, conversation)
    event = {"type": "delta", "conversation": conversation.hex, "from": "other"}
    await here._heard({**event, "frame": wire.delta("m", 1, 9, "the end")})
    assert resyncs("lost_delta") == lost + 1
    for _ in range(MAX_WANTED + 1):
        await here._heard({"type": "watch", "conversation": uuid.uuid4().hex, "from": "other"})
    assert told("chat_layer_overflows_total") == overflows + 1


async def test_what_is_open_now_is_measured_at_each_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "lag", 0.75)
    monkeypatch.setattr(live.layer, "waiting", 3)
    monkeypatch.setattr(watching.watch, "_tasks_counted", float("-inf"))
    monkeypatch.setattr(live, "mirrors", {uuid.uuid4(): Mirror("m", 1) for _ in range(4)})
    await watching.watch.look()
    watching.measure()
    assert told("chat_loop_lag_seconds") == 0.75
    assert told("chat_layer_waiting") == 3
    assert told("chat_tasks") >= 1
    assert told("chat_entries", kind="mirrors") == 4
    assert told("chat_concern", about="lag") == 1


@pytest.mark.django_db(transaction=True)
async def test_what_is_spoken_and_what_fails_is_counted(settings: Settings) -> None:
    settings.VOICE_BACKEND = "smallest"
    said = await query(lambda: Talker(make_site()))
    await query(said.says, "Hello")
    reply = await query(said.gets, "It costs twenty dollars.")
    names = {
        "chat_voice_segments_total": {"origin": "synthesis"},
        "chat_voice_first_sound_seconds_count": {"origin": "synthesis"},
        "chat_voice_characters_total": {},
        "chat_voice_failures_total": {"kind": "down"},
    }
    before = {name: told(name, **labels) for name, labels in names.items()}
    settings.VOICE_LISTENING = "smallest"
    heard = told("chat_voice_heard_seconds_total")
    with Smallest() as service:
        settings.SMALLEST_BASE_URL = service.url
        bearer = {"Authorization": f"Bearer {tokens.issue(tokens.fresh(said.site.key))}"}
        answer = await AsyncClient().post(
            "/api/voice/transcribe", wav(1), content_type="audio/wav", headers=bearer
        )
        assert answer.status_code == 200
        assert told("chat_voice_heard_seconds_total") == heard + 2  # as the service tells
        service.faults = ["status 500", "status 500"]
        with pytest.raises(speaking.Silent):
            await speaking.sound(reply.conversation_id, str(reply.id), 0, None)
        sound = await speaking.sound(reply.conversation_id, str(reply.id), 0, None)
        assert sound.pieces is not None
        assert b"".join([piece async for piece in sound.pieces])
        await syntheses.settled()
    after = {name: told(name, **labels) - before[name] for name, labels in names.items()}
    assert list(after.values()) == [1, 1, 24, 1]
    speaking.measure()
    assert told("chat_voice_breaker_open") == 0
    await speaking.stop()


def test_every_figure_is_moved_by_a_test_here() -> None:
    kinds = (Counter, Gauge, Histogram)
    families = [m for m in vars(metrics).values() if isinstance(m, kinds)]
    assert len(families) >= 19
    tests = Path(__file__).read_text()
    names = [m._name + ("_total" if isinstance(m, Counter) else "") for m in families]
    assert [name for name in names if f'"{name}' not in tests] == []
