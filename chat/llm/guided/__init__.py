"""Sells without any model: from the knowledge, in the knowledge's own words, nothing invented.

What a fresh clone runs, and what answers in production while the model is down.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence

from chat.llm import Done, Event, Found, Offered, Prompt, Search, Text, Tool
from chat.llm.guided.phrases import last_ask
from chat.llm.guided.seller import Reply, Scene

__all__ = ["Guided", "warm"]


def warm() -> None:
    """Compiles what the first reply would hold up all others for: some 100 ms, for a thread."""
    last_ask("")


class Guided:
    """An `LLM` that needs no model; `delay` is the pause between two pieces, in seconds."""

    name = "guided"
    paid = False

    def __init__(self, delay: float = 0.02) -> None:
        self._delay = delay

    async def stream(self, prompt: Prompt, tools: Sequence[Tool]) -> AsyncIterator[Event]:
        """The events of one reply; see `chat.llm.LLM`."""
        scene = Scene.of(prompt, {tool.name for tool in tools})
        if prompt.messages and prompt.messages[-1]["role"] == "tool":
            reply = scene.after_tools()
        else:
            reply = scene.reply(await _find(prompt.search, scene))
        for cited in reply.cited:
            yield cited
        async for piece in self._spoken(reply):
            yield piece
        if reply.offers:
            yield Offered(reply.offers)
        for call in reply.calls:
            yield call
        yield Done("tool_calls" if reply.calls else "stop")

    async def close(self) -> None:
        """Nothing is held open."""

    async def _spoken(self, reply: Reply) -> AsyncIterator[Text]:
        for n, piece in enumerate(pieces(reply.text)):
            if n:
                await asyncio.sleep(self._delay)
            yield Text(piece)


def pieces(text: str) -> Iterator[str]:
    """A text in pieces of a few words, as a model would send it; joined they are the text."""
    words = re.findall(r"\S+\s*|\s+", text)
    at = 0
    for size in _sizes():
        if at >= len(words):
            return
        yield "".join(words[at : at + size])
        at += size


def _sizes() -> Iterator[int]:
    yield 1
    while True:
        yield from (2, 1, 3, 2)


async def _find(search: Search, scene: Scene) -> Sequence[Found]:
    """What the first of the scene's queries finds that settles it, else what the first finds."""
    first: Sequence[Found] | None = None
    for query in scene.queries:
        found = await search(query)
        if scene.settles(found):
            return found
        first = found if first is None else first
    return first or ()
