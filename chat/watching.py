"""A light look at this process now and then: memory, the loop's lag, tasks, what it keeps.

What is past the threshold of its setting is warned of in the log, shown by `/api/health`, and told
by `/metrics`, which has the figures of all that is open as well.
"""

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from chat import backends, limits, metrics, speaking, turns
from chat.gate import gate
from chat.live import live
from voice.synthesis import syntheses

logger = logging.getLogger(__name__)

AGAIN = 300.0  # seconds between two warnings of the same
TASKS_EVERY = 60.0  # seconds: with many sockets it takes milliseconds to count them
MIB = 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


@dataclass(slots=True)
class Watch:
    """What the last look has seen. `concerns`: what is past its threshold, with the figure."""

    concerns: dict[str, str] = field(default_factory=dict)
    memory: int = 0  # bytes; 0: it cannot be known here
    tasks: int = 0
    entries: dict[str, int] = field(default_factory=dict)
    _tasks_counted: float = float("-inf")
    _warned: dict[str, float] = field(default_factory=dict)

    async def look(self) -> None:
        now = time.monotonic()
        self.memory = _memory()
        self.entries = {**live.sizes(), "turns": len(turns.running), "syntheses": len(syntheses)}
        if now - self._tasks_counted >= TASKS_EVERY:
            self.tasks, self._tasks_counted = len(asyncio.all_tasks()), now
        self._judge(now)

    def _judge(self, now: float) -> None:
        kept, most = sum(self.entries.values()), settings.CHAT_WARN_ENTRIES
        judged = {
            "memory": (self.memory / MIB, settings.CHAT_WARN_MEMORY, "MiB"),
            "lag": (live.lag, settings.CHAT_WARN_LAG, "s"),
            "tasks": (self.tasks, settings.CHAT_WARN_TASKS, "tasks"),
            "entries": (kept, most, "entries"),
        }
        past = {
            about: f"{value:.4g} {unit}, above {limit:.4g}"
            for about, (value, limit, unit) in judged.items()
            if limit and value > limit
        }
        for about, figure in past.items():
            if now - self._warned.get(about, float("-inf")) >= AGAIN:
                self._warned[about] = now
                logger.warning("past its threshold", extra={"about": about, "figure": figure})
        for about in self.concerns.keys() - past.keys():
            logger.info("below its threshold again", extra={"about": about})
        self.concerns = past


watch = Watch()


def health() -> dict[str, str]:
    """The check `memory` of `/api/health`."""
    past = [watch.concerns[about] for about in ("memory", "entries") if about in watch.concerns]
    if past:
        return {"status": "degraded", "detail": f"the process keeps {', and '.join(past)}"}
    return {"status": "ok" if watch.memory else "off"}


def busy() -> str:
    """Why the check `load` is degraded, beside a crowded gate; "" where it is not."""
    past = [watch.concerns[about] for about in ("lag", "tasks") if about in watch.concerns]
    return f"the process runs behind: {', and '.join(past)}" if past else ""


def measure() -> None:
    """Sets the figures of what is open now, for the next `/metrics`."""
    lines = len(live.lines)
    metrics.SOCKETS.labels("http").set(lines)
    metrics.SOCKETS.labels("websocket").set(limits.open_sockets() - lines)
    metrics.REPLIES_OPEN.set(len(turns.running))
    metrics.REPLIES_WAITING.set(gate.waiting)
    metrics.LAYER_UP.set(not live.layer.degraded)
    metrics.LAYER_WAITING.set(live.layer.waiting)
    metrics.LAG.set(live.lag)
    metrics.TASKS.set(watch.tasks)
    speaking.measure()
    for model, is_open in backends.breakers().items():
        metrics.BREAKER_OPEN.labels(model).set(is_open)
    for kind, count in watch.entries.items():
        metrics.ENTRIES.labels(kind).set(count)
    for about in ("memory", "lag", "tasks", "entries"):
        metrics.CONCERNS.labels(about).set(about in watch.concerns)


def _memory() -> int:
    """Bytes of this process in memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except OSError:  # no Linux
        return 0
