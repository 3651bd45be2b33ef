"""How much one core carries, beside what a bare relay does on it in the same run.

    python -m bench [--quick] [--no-climb] [--only product|floor|chainlit]

Starts the product by the Procfile's command, pinned to one core, with PostgreSQL (its commits on
the disk) and Redis on the others, where the load comes from too; and a model's server that gives
every reply 200 ms to its first token and then 50 tokens a second, 120 in all. A stream is a chat
that asks again as soon as its reply has ended. An active chat has a person in it, who reads first,
for five to fifteen seconds; most need longer.

Beside it, one after the other on the same core: `bench.floor`, the least that a relay can be on the
same server, and Chainlit where BENCH_CHAINLIT names a virtual environment that has it. At 40 chats
they take turns, for a machine's speed changes from minute to minute. Believe the ratios, for they
are of one run; what a busy machine does to the rest is said at the end.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from statistics import median

import uvloop

from bench import model, subjects
from bench.load import Meter, close_all, open_all, percentile
from bench.subjects import Subject
from tests.servers import Databases, collect_static

CLIMB = (20, 30, 40, 50, 60, 72, 86, 104, 125, 150, 180, 210, 240, 280, 320, 380, 450)
TRIES = 3  # of a step that fails, before it counts as one
ROUNDS = 4  # turns that they take at 40 chats
READS = (5.0, 15.0)  # seconds that somebody reads before they ask again
LIMITS = (10.0, 100.0)  # ms of added latency, at the 99th percentile


@dataclass
class Plan:
    """How long and how much."""

    idle: int = 2_000  # sockets that are left open and silent
    storm: int = 10_000
    at_once: int = 500  # handshakes under way in the storm
    warm: float = 3.2  # seconds a step runs before it is measured
    step: float = 3.6  # seconds a step of the climb is measured
    long: float = 20.0  # seconds the figures at 40 and 200 chats are measured
    climb: bool = True


QUICK = Plan(idle=500, storm=2_000, step=2.5, long=8.0)


@dataclass
class Step:
    """What N chats got while it was measured."""

    chats: int
    seconds: float
    meter: Meter
    cpu: float  # seconds, of the server
    stolen: float  # share of the server's core that others used meanwhile

    @property
    def p99(self) -> float:
        return percentile(self.meter.tokens, 0.99)

    @property
    def per_token(self) -> float:
        """Microseconds of CPU."""
        return 1e6 * self.cpu / max(1, len(self.meter.tokens))

    def __add__(self, later: "Step") -> "Step":
        """Both as one."""
        meter = Meter()
        meter.take_in(self.meter)
        meter.take_in(later.meter)
        seconds = self.seconds + later.seconds
        stolen = max(self.stolen, later.stolen)
        return Step(self.chats, seconds, meter, self.cpu + later.cpu, stolen)

    def __str__(self) -> str:
        meter = self.meter
        return (
            f"{self.chats:4} chats: {len(meter.tokens) / self.seconds:6.0f} tokens/s, added p50 "
            f"{percentile(meter.tokens, 0.5):6.2f} p99 {self.p99:7.2f} ms, first word p50 "
            f"{percentile(meter.firsts, 0.5):6.1f} p99 {percentile(meter.firsts, 0.99):6.1f} ms, "
            f"{self.per_token:4.0f} us/token, core {100 * self.cpu / self.seconds:3.0f} % "
            f"(others {100 * self.stolen:.0f} %), failed {meter.failed}"
        )


@dataclass
class Figures:
    """One column of the table."""

    rss: int = 0  # KiB at the start
    idle: float = float("nan")  # KiB a socket
    redis: int | None = None
    storm: str = "-"
    forty: Step | None = None
    two_hundred: Step | None = None  # streams
    active: Step | None = None  # two hundred chats that read
    reached: dict[float, int] = field(default_factory=dict)
    stolen: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)  # microseconds of CPU a token at 40


def say(line: str) -> None:
    print(line, flush=True)


async def measure(
    subject: Subject,
    count: int,
    seconds: float,
    warm: float,
    reads: tuple[float, float] | None = None,
) -> Step:
    """`count` new chats that begin one after the other, over the time from question to question.

    So they are strangers to each other: each moment has as many questions as any other.
    """
    meter = Meter()
    chats, failures, _ = await open_all(lambda: subject.chat(meter), count, 20)
    for chat in chats:
        chat.reads = reads
        chat.ask()
        await asyncio.sleep((sum(reads) / 2 if reads else model.SECONDS) / count)
    await asyncio.sleep(warm)
    cpu, busy, started, meter.on = subject.cpu(), subjects.core_busy(), time.monotonic(), True
    await asyncio.sleep(seconds)
    meter.on = False
    took = time.monotonic() - started
    cpu, busy = subject.cpu() - cpu, subjects.core_busy() - busy
    meter.failed += failures + sum(chat.lost.done() for chat in chats)
    step = Step(count, took, meter, cpu, max(0.0, busy - cpu) / took)
    await close_all(chats)
    await asyncio.sleep(0.5)
    return step


async def idle(subject: Subject, count: int, figures: Figures) -> None:
    """What a socket holds in memory that said who it is and then nothing."""
    figures.rss = subject.rss()
    warm, _, _ = await open_all(lambda: subject.chat(Meter()), 50, 10)
    before = subject.rss()
    chats, failures, _ = await open_all(lambda: subject.chat(Meter()), count, 50)
    await asyncio.sleep(1.0)
    figures.idle = (subject.rss() - before) / max(1, len(chats))
    say(f"  {len(chats)} idle sockets, {failures} failures: {figures.idle:.1f} KiB each")
    if subject.redis is not None:
        figures.redis = subject.redis_connections()
    await close_all([*warm, *chats])


async def storm(subject: Subject, plan: Plan, figures: Figures) -> None:
    """All come at once, as after a restart."""
    chats, failures, took = await open_all(lambda: subject.chat(Meter()), plan.storm, plan.at_once)
    rate = len(chats) / took
    figures.storm = f"{rate:.0f}/s, {failures} failed"
    say(f"  a storm of {plan.storm} connects: {rate:.0f} a second, {failures} failures")
    await close_all(chats)


async def climb(subject: Subject, plan: Plan, figures: Figures) -> None:
    """More chats until the tokens come late."""
    for count in CLIMB:
        for _ in range(TRIES):
            step = await measure(subject, count, plan.step, plan.warm)
            figures.stolen.append(step.stolen)
            say(f"  {step}")
            good = step.p99 <= LIMITS[-1] and not step.meter.failed
            for limit in LIMITS:
                if step.p99 <= limit and not step.meter.failed:
                    figures.reached[limit] = count
            if good:
                break
        else:
            return


async def figures_of(running: Sequence[Subject], plan: Plan) -> dict[str, Figures]:
    found = {subject.name: Figures() for subject in running}
    for subject in running:
        say(f"{subject.name}, on core {subjects.SERVER_CORE}")
        figures = found[subject.name]
        await idle(subject, plan.idle, figures)
        if subject.name != "Chainlit":
            await storm(subject, plan, figures)
        await measure(subject, 4, 1.0, 2.0)  # the first replies of a process are slower
    await in_turns(running, plan, found)
    for subject in running:
        await streams(subject, plan, found[subject.name])
    return found


async def in_turns(running: Sequence[Subject], plan: Plan, found: dict[str, Figures]) -> None:
    """40 chats of each, round by round, so that a slow minute is slow for all of them."""
    for _ in range(ROUNDS):
        for subject in running:
            figures = found[subject.name]
            step = await measure(subject, 40, plan.long / ROUNDS, plan.warm)
            say(f"  {step}, {subject.name}")
            figures.stolen.append(step.stolen)
            figures.rounds.append(step.per_token)
            figures.forty = figures.forty + step if figures.forty else step


async def streams(subject: Subject, plan: Plan, figures: Figures) -> None:
    if subject.name == "the product":
        figures.two_hundred = await measure(subject, 200, plan.long, plan.warm)
        say(f"  {figures.two_hundred}")
        figures.active = await measure(subject, 200, 2 * plan.long, plan.warm, READS)
        say(f"  {figures.active}, reading")
    if plan.climb:
        say(f"{subject.name}, with more and more chats")
        await climb(subject, plan, figures)


# --- The table ----------------------------------------------------------------------------------


def _three(times: object, *shares: float) -> str:
    return " / ".join(f"{percentile(times, share):.1f}" for share in shares)  # type: ignore[arg-type]


def _cell(figures: Figures, row: str) -> str:
    forty, busy, active = figures.forty, figures.two_hundred, figures.active
    assert forty is not None
    cells: dict[str, Callable[[], str]] = {
        "p99 <= 100 ms": lambda: str(figures.reached.get(100.0, 0)),
        "p99 <= 10 ms": lambda: str(figures.reached.get(10.0, 0)),
        "CPU": lambda: f"{forty.per_token:.0f}",
        "added": lambda: _three(forty.meter.tokens, 0.5, 0.99),
        "first": lambda: _three(forty.meter.firsts, 0.5, 0.99),
        "idle": lambda: f"{figures.idle:.1f}",
        "rss": lambda: f"{figures.rss / 1024:.0f}",
        "storm": lambda: figures.storm,
        "ack": lambda: _three(active.meter.acks, 0.5, 0.95, 0.99) if active else "-",
        "busy": lambda: _three(busy.meter.acks, 0.5, 0.95, 0.99) if busy else "-",
        "redis": lambda: "-" if figures.redis is None else str(figures.redis),
    }
    return cells[row]()


ROWS = (
    ("p99 <= 100 ms", "streams per core, added p99 <= 100 ms", ">= 200, >= 5 x Chainlit"),
    ("p99 <= 10 ms", "streams per core, added p99 <= 10 ms", ">= 100"),
    ("CPU", "CPU a token at 40 streams, us", "<= 1.4 x floor"),
    ("added", "added to a token at 40, p50 / p99 ms", "<= 0.5 / 20"),
    ("first", "added to the first word at 40, p50 / p99 ms", "<= 8 / 20"),
    ("ack", "send to ack, 200 active chats, p50/p95/p99 ms", "<= 15 / 60 / 150"),
    ("busy", "send to ack, 200 streams, p50/p95/p99 ms", ""),
    ("idle", "KiB an idle socket", "<= 40"),
    ("rss", "MiB before the first visitor", ""),
    ("storm", "storm of connects", "< 0.1 % failed"),
    ("redis", "Redis connections of the process", "<= 6"),
)


def table(found: dict[str, Figures], plan: Plan) -> None:
    say("")
    say(f"{'':46}" + "".join(f"{name:>22}" for name in found) + "   goal")
    for row, title, goal in ROWS:
        if row == "storm":
            title += f" ({plan.storm})"
        cells = "".join(f"{_cell(figures, row):>22}" for figures in found.values())
        say(f"{title:46}{cells}   {goal}")
    for other in ("the floor", "Chainlit"):
        if other in found and "the product" in found:
            ratios(found["the product"], found[other], other)
    stolen = [share for figures in found.values() for share in figures.stolen]
    worst = max(stolen, default=0.0)
    say("")
    say(
        f"Others used {100 * median(stolen or [0]):.0f} % of the server's core in the middle, "
        f"{100 * worst:.0f} % at the worst."
    )
    if worst > 0.05:
        say("So the machine was busy: believe CPU a token and KiB, repeat the rest on a quiet one.")
    if len(subjects.CORES) < 2:
        say("There is one core, so the load and the server shared it: believe none of the times.")


def ratios(ours: Figures, theirs: Figures, name: str) -> None:
    assert ours.forty is not None
    assert theirs.forty is not None
    streams = ours.reached.get(100.0, 0) / max(1, theirs.reached.get(100.0, 0))
    cpu = ours.forty.per_token / theirs.forty.per_token
    each = sorted(one / other for one, other in zip(ours.rounds, theirs.rounds, strict=True))
    say(
        f"The product against {name}: {streams:.2f} x the streams, {cpu:.2f} x the CPU a token "
        f"(round by round {each[0]:.2f} to {each[-1]:.2f})."
    )


# --- The run ------------------------------------------------------------------------------------


def _raise_limits() -> None:
    """Every socket is a file, here and in the servers, which inherit this."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 12_000:
        say(f"Only {hard} files may be open here: the storm will fail beyond them (ulimit -Hn).")


def _chosen(
    only: str | None, folder: Path, url: str, databases: Databases, chats: int
) -> dict[str, AbstractContextManager[Subject]]:
    venv = os.environ.get("BENCH_CHAINLIT")
    every = {
        "floor": lambda: subjects.floor(folder, url),
        "product": lambda: subjects.product(folder, databases, url, chats),
    }
    if venv:
        every["chainlit"] = lambda: subjects.chainlit(folder, url, Path(venv))
    return {name: make() for name, make in every.items() if only in (None, name)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="a few minutes, coarser figures")
    parser.add_argument("--no-climb", action="store_true", help="no streams per core")
    parser.add_argument("--only", choices=("product", "floor", "chainlit"))
    given = parser.parse_args()
    plan = replace(QUICK if given.quick else Plan(), climb=not given.no_climb)
    _raise_limits()
    collect_static()
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        postgres = cache(lambda: subjects.postgres(folder))
        databases = Databases(folder, postgres)
        chats = plan.idle + plan.storm + TRIES * sum(CLIMB) + 1000
        os.sched_setaffinity(0, subjects.OTHER_CORES)
        try:
            with subjects.model() as url, ExitStack() as alive:
                chosen = _chosen(given.only, folder, url, databases, chats).values()
                running = [alive.enter_context(one) for one in chosen]
                found = uvloop.run(figures_of(running, plan))
        finally:
            databases.close()
            if postgres.cache_info().currsize:
                postgres().close()
    if not found:
        sys.exit("Nothing was measured: BENCH_CHAINLIT names no virtual environment.")
    table(found, plan)


if __name__ == "__main__":
    main()
