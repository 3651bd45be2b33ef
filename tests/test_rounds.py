"""How often a model is asked for one reply, whatever it does."""

import pytest

from tests.client import Client
from tests.upstream import Upstream

MOST = 6  # four rounds of tools, the words after them, one retry
LOOP = '[tool-loop save_lead {"note": "hello"}]'


@pytest.fixture
async def upstream():
    async with Upstream() as running:
        yield running


@pytest.fixture
def server(stack, upstream):
    env = {
        "CHAT_BACKEND": "completions",
        "OPENAI_BASE_URL": upstream.url,
        "CHAT_FALLBACK_MODEL": "gpt-5.4-mini",
    }
    return stack(env=env).server


async def ask(server, words: str) -> tuple[str, str]:
    """State and text of the reply."""
    async with await Client.open(server) as visitor:
        await visitor.say(words)
        reply = await visitor.reply()
        return reply["state"], reply["text"]


async def test_a_model_that_only_calls_tools_is_left_for_the_guided_seller(server, upstream):
    state, text = await ask(server, f"{LOOP} what does a bike cost?")
    assert (state, bool(text)) == ("complete", True)
    assert len(upstream.requests) == MOST
    assert [bool(request.body.get("tools")) for request in upstream.requests] == [
        *[True] * 4,  # the fifth time it is to speak,
        False,
        False,  # ... and so it is the last time
    ]


async def test_failures_count_as_well(server, upstream):
    upstream.queue.extend(["[status 500]", LOOP, LOOP, "[status 503]", LOOP, LOOP, ""])
    state, text = await ask(server, "what does a bike cost?")
    assert (state, bool(text)) == ("complete", True)
    assert len(upstream.requests) == MOST
    assert upstream.queue == [""]


async def test_four_rounds_of_tools_and_a_retry_still_end_in_the_models_words(server, upstream):
    upstream.queue.extend(["[status 500]", LOOP, LOOP, LOOP, LOOP, "[say All noted.]"])
    assert await ask(server, "what does a bike cost?") == ("complete", "All noted.")
    assert len(upstream.requests) == MOST
