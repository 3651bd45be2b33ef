"""Runs tests in which browsers and servers stand still now and then, as on a shared machine.

    stalls.py python -m pytest -n 3 tests/browser

Of what the command has started, each browser's and server's process may be stopped for up to a
second, at any moment, alone or with all others. What fails then and never else has mostly taken
two things for one, that come one after the other everywhere but there.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

STALLED = ("chromium", "chrome", "uvicorn")  # as the processes call themselves
RUNS = (0.1, 0.8)  # seconds, from and to
STALLS = (0.05, 0.1, 0.2, 0.4, 1.0)  # seconds, one of them


def children(pid: int) -> Iterator[int]:
    """All processes below this one."""
    with suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                yield child
                yield from children(child)


def name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def send(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, what)


def stall(pid: int) -> None:
    found = [child for child in children(pid) if name(child) in STALLED]
    if random.random() < 0.5:
        found = random.sample(found, len(found) // 2)
    send(found, signal.SIGSTOP)
    try:
        time.sleep(random.choice(STALLS))
    finally:
        send(found, signal.SIGCONT)


def main(command: list[str]) -> int:
    running = subprocess.Popen(command)
    while running.poll() is None:
        time.sleep(random.uniform(*RUNS))
        stall(running.pid)
    return running.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
