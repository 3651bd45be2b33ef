"""`/metrics` tells staff's Prometheus how the process does, and nobody anything of a visitor."""

import re

import aiohttp

from tests.client import Client, get
from tests.conftest import MakeStack
from tests.servers import Server, wait_for
from tests.upstream import Upstream

TOKEN = "a-token-for-the-scraper-and-nobody-else"
LABELS = {
    *("process", "state", "backend", "kind", "site", "code", "cause", "line", "model", "about"),
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


async def test_a_reply_is_counted_with_all_it_took(stack: MakeStack) -> None:
    async with Upstream() as upstream:
        env = {
            "CHAT_METRICS_TOKEN": TOKEN,
            "CHAT_BACKEND": "completions",
            "OPENAI_BASE_URL": upstream.url,
            "OPENAI_API_KEY": "none",
            "CHAT_PRICES": '{"stand-in": [1000000, 0, 500000]}',
            **{f"CHAT_BUDGET_{of}": "1000000" for of in ("VISITOR", "ADDRESS", "SITE", "WHOLE")},
        }
        server = stack(env=env).server
        async with await Client.open(server) as visitor:
            assert await figure(server, "chat_sockets", line="websocket") == 1
            await visitor.say("[words 8] [usage 3 4 0]")
            await visitor.reply()
            await visitor.say("[words 8 200]")
            delta = await visitor.until("delta")
            assert await figure(server, "chat_replies_open") == 1
            await visitor.send({"type": "stop", "message": delta["message"]})
            await visitor.reply()
            await visitor.send("no frame")
            await visitor.until("error")
            visitor_id, talk = visitor.init["visitor"], visitor.init["conversation"]["id"]
        done = {"backend": "completions"}
        assert await figure(server, "chat_replies_total", state="complete", **done) == 1
        assert await figure(server, "chat_replies_total", state="interrupted", **done) == 1
        assert await figure(server, "chat_first_word_seconds_count", **done) == 2
        assert await figure(server, "chat_tokens_total", kind="given") >= 3
        assert await figure(server, "chat_spend_dollars_total", site="demo") >= 5
        assert await figure(server, "chat_refused_total", code="bad_frame") == 1
        _, text = await scrape(server)
    assert not any(secret in text for secret in (visitor_id, talk, "w1", "127.0.0.1", TOKEN))
    assert set(re.findall(r'[{,](\w+)="', text)) <= LABELS


async def test_it_tells_why_sockets_had_to_load_again(stack: MakeStack) -> None:
    server = stack(env={"CHAT_METRICS_TOKEN": TOKEN}).server
    async with await Client.open(server) as visitor:
        await visitor.say("Hello")
        await visitor.reply()
        async with await visitor.again(rev=1):
            assert await figure(server, "chat_resyncs_total", cause="missed") == 1
        async with await visitor.again(rev=99):
            assert await figure(server, "chat_resyncs_total", cause="other_copy") == 1


async def test_it_tells_that_a_model_is_left_alone(stack: MakeStack) -> None:
    async with Upstream() as upstream:
        env = {
            "CHAT_METRICS_TOKEN": TOKEN,
            "CHAT_BACKEND": "completions",
            "OPENAI_BASE_URL": upstream.url,
            "OPENAI_API_KEY": "none",
            "CHAT_BREAKER_FAILURES": "1",
        }
        server = stack(env=env).server
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
