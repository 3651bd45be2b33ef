"""Fifty chats for a while: memory, file handles and tasks of the servers must stay flat.

    python -m tests.faults.soak --minutes 20        (`make soak` sets it up)

Two servers by the Procfile's command on PostgreSQL and Redis, with the ordinary times; a stand-in
for the model. Visitors come and go, write, stop, ask again, lose their line. What the processes
hold is read every few seconds; the last quarter of the time may not hold more than the second.
"""

import argparse
import asyncio
import os
import random
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.world import Visitor, World
from tests.follower import Follower
from tests.servers import Databases, Postgres, Redis, Server, Stack, collect_static
from tests.upstream import Upstream

CHATS = 50
TOKEN = "soak-" + "7d" * 20
# At most so much more; MiB, and numbers. A chat with a reply under way has three or four tasks, so
# they swing by some dozens; one that leaked with each message would be there hundreds of times.
FLAT = {"memory": 5.0, "files": 12.0, "tasks": 60.0, "threads": 2.0}
LINES = ("[words 40 30]", "[words 8 50]", "[words 120 15]", "[say Of course. 😀]", "[error 5]")


@dataclass
class Counts:
    """What the visitors did."""

    said: int = 0
    answered: int = 0
    visitors: int = 0
    lost: int = 0


async def chat(world: World, counts: Counts, rng: random.Random) -> None:
    """One place that a visitor after another takes, each for some messages."""
    while True:
        visitor = Visitor(world, start=rng.randrange(2), tenth=False)
        tab = visitor.first.start()
        counts.visitors += 1
        try:
            for _ in range(rng.randrange(3, 12)):
                said = tab.say(f"{rng.choice(LINES)} soak {rng.random()}")
                counts.said += 1
                await tab.until(lambda said=said: said.acknowledged, 75, "an acknowledgement")
                await asyncio.sleep(rng.uniform(0, 3))
                whim(visitor, tab, rng)
                await tab.until(lambda tab=tab: tab.ready and _done(tab), 90, "a reply")
                counts.answered += 1
                await asyncio.sleep(rng.uniform(1, 8))
        finally:
            await visitor.close()


def whim(visitor: Visitor, tab: Follower, rng: random.Random) -> None:
    """What a visitor does besides writing."""
    what, last = rng.randrange(12), tab.copy.all()[-1]
    if what == 0:
        tab.do({"type": "stop", "message": last["id"]})
    elif what == 1 and last.get("reply_to"):
        again = {"type": "regenerate", "message": last["id"], "attempt": last["attempt"]}
        tab.do(again)
    elif what == 2:
        tab.hang_up()
    elif what == 3:
        visitor.world.doors[rng.randrange(2)].cut_one(rng)


def _done(tab: Follower) -> bool:
    """The last message is answered or was stopped."""
    messages = tab.copy.all()
    last = max(m["seq"] for m in messages if m["role"] == "visitor")
    place = {m["id"]: m["seq"] for m in messages}
    return tab.reply() is None and any(
        place.get(m.get("reply_to")) == last and m["state"] != "streaming" for m in messages
    )


async def held(server: Server) -> dict[str, float]:
    """What a process holds now: MiB of memory, files, threads, tasks of its loop."""
    assert server.process is not None
    home = Path(f"/proc/{server.process.pid}")
    status = (home / "status").read_text()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/metrics", headers=bearer) as answer,
    ):
        figures = await answer.text()
    tasks = re.search(r"^chat_tasks\{[^}]*\} (\S+)", figures, re.MULTILINE)
    return {
        "memory": int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024,  # type: ignore[index]
        "files": float(len(os.listdir(home / "fd"))),
        "threads": float(re.search(r"Threads:\s+(\d+)", status)[1]),  # type: ignore[index]
        "tasks": float(tasks[1]) if tasks else 0.0,
    }


def judge(samples: list[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """By what is held: the medians of the second and of the last quarter of the time."""
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return {
        name: tuple(statistics.median(sample[name] for sample in part) for part in (second, last))
        for name in samples[0]
    }  # type: ignore[return-value]


async def soak(stack: Stack, postgres: Postgres, model: Upstream, minutes: float) -> bool:
    world = await World(stack, postgres, model).open()
    counts = Counts()
    rng = random.Random(1)
    chats = [
        asyncio.create_task(chat(world, counts, random.Random(rng.random()))) for _ in range(CHATS)
    ]
    samples: list[list[dict[str, float]]] = [[] for _ in stack.servers]
    end, every = time.monotonic() + minutes * 60, max(2.0, minutes)
    while time.monotonic() < end and not any(task.done() for task in chats):
        await asyncio.sleep(every)
        for server, taken in zip(stack.servers, samples, strict=True):
            taken.append(await held(server))
        model.requests.clear()
    over = [task for task in chats if task.done()]
    for task in chats:
        task.cancel()
    await asyncio.gather(*chats, return_exceptions=True)
    await world.close()
    for task in over:
        print(f"a chat ended: {task.exception()!r}", file=sys.stderr)  # noqa: T201
    sound = not over
    print(f"{counts.visitors} visitors, {counts.said} messages, {counts.answered} answered")  # noqa: T201
    for number, taken in enumerate(samples):
        for name, (before, after) in judge(taken).items():
            flat = after - before <= FLAT[name]
            sound &= flat
            mark = "flat" if flat else f"GROWS, by more than {FLAT[name]:g}"
            print(f"server {number} {name:8} {before:8.1f} -> {after:8.1f}  {mark}")  # noqa: T201
    return sound


async def _with_model(stack: Stack, postgres: Postgres, port: int, minutes: float) -> bool:
    async with Upstream(port) as model:
        return await soak(stack, postgres, model, minutes)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fifty chats for a while.")
    parser.add_argument("--minutes", type=float, default=20.0)
    minutes = parser.parse_args().minutes
    from tests.servers import free_port

    port = free_port()
    env: dict[str, Any] = {
        "CHAT_BACKEND": "completions",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "CHAT_METRICS_TOKEN": TOKEN,
        "CHAT_BUDGET_WHOLE": "100000",
        "CHAT_BUDGET_SITE": "100000",
        "CHAT_BUDGET_ADDRESS": "100000",
    }
    collect_static()
    with tempfile.TemporaryDirectory() as name, ExitStack() as cleanup, suppress(KeyboardInterrupt):
        folder = Path(name)
        postgres = cache(lambda: Postgres(folder))
        databases = Databases(folder, postgres)
        cleanup.callback(lambda: postgres().close())
        cleanup.callback(databases.close)
        url = cleanup.enter_context(databases.fresh("postgres"))
        stack = Stack(folder, url, Redis(folder).start(), fast=False, env=env)
        cleanup.callback(stack.close)
        stack.start(2)
        return 0 if asyncio.run(_with_model(stack, postgres(), port, minutes)) else 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
