"""How soon a segment sounds, and what listeners cost those who chat.

    python -m bench.voice [listeners] [rounds]

Starts the product by the Procfile's command on SQLite, and stand-ins of the model's and the voice's
service that answer after fixed times. Measured are, in one run: the first sound over the voice's
own first byte, asked straight and through the server; the first sound from the cache; and the gaps
between the tokens of ten chats, alone and beside the listeners. Believe the differences.
"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import aiohttp

from bench.first_word import report
from tests.client import Client
from tests.servers import Databases, Server, Stack, collect_static
from tests.smallest import KEY, Smallest
from tests.upstream import Upstream

FIRST_BYTE = 0.2  # seconds
CHATS = 10
TEXT = "This is number {}, and it holds for thirty days."


async def said(visitor: Client) -> str:
    await visitor.say(f"[say {TEXT.format(uuid.uuid4().hex[:8])}]")
    return (await visitor.reply())["id"]


async def first_sound(session: aiohttp.ClientSession, visitor: Client, reply: str) -> float:
    headers = {"Authorization": f"Bearer {visitor.token}"}
    started = time.perf_counter()
    url = f"{visitor.server.url}/api/voice/{reply}/0"
    async with session.get(url, headers=headers) as response:
        assert response.status == 200, await response.text()
        await response.content.readany()
        took = time.perf_counter() - started
        await response.read()
    return took


async def straight(session: aiohttp.ClientSession, service: Smallest) -> float:
    body = {"text": TEXT.format(uuid.uuid4().hex[:8]), "voice_id": "kaitlyn", "sample_rate": 24000,
            "model": "lightning_v3.1_pro", "output_format": "mp3"}  # fmt: skip
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "text/event-stream"}
    started = time.perf_counter()
    url = f"{service.url}/waves/v1/tts/live"
    async with session.post(url, json=body, headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data:"):
                break
        took = time.perf_counter() - started
        await response.read()
    return took


async def sounds(server: Server, service: Smallest, rounds: int) -> None:
    service.always = f"slow {FIRST_BYTE}"
    alone, spoken, kept = [], [], []
    async with aiohttp.ClientSession() as session, await Client.open(server) as visitor:
        for _ in range(rounds):
            reply = await said(visitor)
            alone.append(await straight(session, service) - FIRST_BYTE)
            spoken.append(await first_sound(session, visitor, reply) - FIRST_BYTE)
            kept.append(await first_sound(session, visitor, reply))
    report("voice's first byte, asked straight, added", alone)
    report("first sound through the server, added", spoken)
    report("first sound from the cache", kept)


async def gaps(server: Server, beside: Callable[[], Awaitable[None]] | None) -> list[float]:
    """Between the tokens of some chats, less the model's own pace; `beside` runs meanwhile."""

    async def chat() -> list[float]:
        async with await Client.open(server) as visitor:
            await visitor.say("[words 120 20] a long one")
            times = []
            while True:
                frame = await visitor.until(lambda f: f["type"] in ("delta", "message"))
                if frame["type"] == "delta":
                    times.append(time.perf_counter())
                elif frame["message"]["state"] == "complete" and "reply_to" in frame["message"]:
                    break
        return [b - a - 0.02 for a, b in pairwise(times)]

    other = asyncio.create_task(beside()) if beside else None  # type: ignore[arg-type]
    found = await asyncio.gather(*(chat() for _ in range(CHATS)))
    if other is not None:
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
    return [gap for each in found for gap in each]


async def listeners(server: Server, service: Smallest, count: int) -> None:
    service.always = "drip 0.2"
    visitors = [await Client.open(server) for _ in range(count)]
    replies = [await said(each) for each in visitors]

    async def listen() -> None:
        """Half to what is kept by now, half to what is spoken just then, all over again."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def again(visitor: Client, reply: str) -> None:
                while True:
                    await first_sound(session, visitor, reply)
                    await asyncio.sleep(0.5)

            await asyncio.gather(*(map(again, visitors, replies)), return_exceptions=True)

    report(f"gap between tokens, {CHATS} chats alone", await gaps(server, None))
    report(f"... beside {count} listeners", await gaps(server, listen))
    for each in visitors:
        await each.close()


async def measure(stack: Stack, service: Smallest, count: int, rounds: int) -> None:
    await sounds(stack.server, service, rounds)
    await listeners(stack.server, service, count)


def main() -> None:
    count, rounds = (int(each) for each in (*sys.argv[1:], "50", "40")[:2])
    collect_static()
    asyncio.run(run(count, rounds))


async def run(count: int, rounds: int) -> None:
    folder = Path(tempfile.mkdtemp())
    databases = Databases(folder, None)
    async with Upstream() as upstream:
        with Smallest() as service, databases.fresh("sqlite") as url:
            env = {
                "CHAT_BACKEND": "completions",
                "OPENAI_BASE_URL": upstream.url,
                "CHAT_PRICES": '{"*": [0, 0, 0]}',
                "CHAT_BUDGET_VISITOR": "50",
                "VOICE_BACKEND": "smallest",
                "SMALLEST_BASE_URL": service.url,
                "VOICE_CACHE_DIR": str(folder / "clips"),
                "VOICE_CONCURRENCY": str(count),
            }
            made = Stack(folder, url, None, fast=False, env=env)
            stack = await asyncio.to_thread(made.start, 1)
            try:
                await measure(stack, service, count, rounds)
            finally:
                await asyncio.to_thread(stack.close)


if __name__ == "__main__":
    main()
