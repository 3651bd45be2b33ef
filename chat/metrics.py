"""What is counted for `/metrics`. Knows nothing of ours, so that everything may count.

Nothing is counted for each token, and no label tells of a visitor: labels are the few values named
here, and the sites' public keys. docs/operations.md says what to make of the figures.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST

REPLIES = Counter("chat_replies", "Replies that ended, by state.", ["state", "backend"])
FIRST_WORD = Histogram(
    "chat_first_word_seconds",
    "From a question to the first word of its reply.",
    ["backend"],
    buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 12, 18, 25),
)
TOKENS = Counter("chat_tokens", "Tokens of models: given, of them cached, written.", ["kind"])
SPEND = Counter("chat_spend_dollars", "What replies have cost.", ["site"])
ALARMS = Counter("chat_alarms", "Replies cut since they told the instructions, by what.", ["by"])
REFUSED = Counter("chat_refused", "Frames that were not done, by the protocol's code.", ["code"])
CLOSED = Counter("chat_closed", "Sockets that the server closed, by code.", ["code"])
RESYNCS = Counter("chat_resyncs", "Sockets that had to be told what they missed.", ["cause"])
LAYER_FAILURES = Counter("chat_layer_failures", "Calls of the channel layer that failed.")
LAYER_OVERFLOWS = Counter("chat_layer_overflows", "Wishes of other processes that were forgotten.")

SOCKETS = Gauge("chat_sockets", "Open sockets, and lines over HTTP.", ["line"])
REPLIES_OPEN = Gauge("chat_replies_open", "Replies under way in this process.")
REPLIES_WAITING = Gauge("chat_replies_waiting", "Replies that wait for a place.")
LAYER_UP = Gauge("chat_layer_up", "1: the channel layer answers, or there is none.")
LAYER_WAITING = Gauge("chat_layer_waiting", "Calls of the channel layer under way.")
BREAKER_OPEN = Gauge("chat_breaker_open", "1: this model is left alone for a while.", ["model"])
LAG = Gauge("chat_loop_lag_seconds", "How far the event loop runs behind, smoothed.")
TASKS = Gauge("chat_tasks", "Tasks of the event loop.")
ENTRIES = Gauge("chat_entries", "What is kept in memory, by what it is.", ["kind"])
CONCERNS = Gauge("chat_concern", "1: past the threshold of its CHAT_WARN_ setting.", ["about"])

SPOKEN = Counter("chat_voice_segments", "Segments asked for, by where from.", ["origin"])
CHARACTERS = Counter("chat_voice_characters", "Characters that were spoken for money or by us.")
FIRST_SOUND = Histogram(
    "chat_voice_first_sound_seconds",
    "From a request for a segment to its first audio.",
    ["origin"],
    buckets=(0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 5, 10),
)
VOICE_FAILURES = Counter("chat_voice_failures", "Speaking and hearing that failed.", ["kind"])
HEARD = Counter("chat_voice_heard_seconds", "Seconds of recordings that were transcribed.")
VOICE_OPEN = Gauge("chat_voice_breaker_open", "1: the voice is left alone for a while.")

_COLUMNS = {"input_tokens": "given", "cached_tokens": "cached", "output_tokens": "written"}


def reply_ended(state: str, site: str, figures: Mapping[str, Any]) -> None:
    """One reply with all it took: `figures` are columns of its message."""
    backend = figures.get("backend") or "none"
    REPLIES.labels(state, backend).inc()
    if figures.get("first_word_ms") is not None:
        FIRST_WORD.labels(backend).observe(figures["first_word_ms"] / 1000)
    for column, kind in _COLUMNS.items():
        if figures.get(column):
            TOKENS.labels(kind).inc(figures[column])
    if figures.get("cost"):
        SPEND.labels(site).inc(float(figures["cost"]))


class _OfThisProcess:
    """Every figure with the process it is of: several may share a port, and each has its own."""

    def collect(self) -> Iterator[Metric]:
        mine = {"process": str(os.getpid())}
        for metric in REGISTRY.collect():
            metric.samples = [s._replace(labels={**s.labels, **mine}) for s in metric.samples]
            yield metric


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    return generate_latest(_OfThisProcess())
