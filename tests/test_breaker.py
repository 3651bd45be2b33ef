"""A model's server that keeps failing is left alone, and found again when it is back."""

import asyncio

import pytest

from chat.breaker import Breaker
from chat.llm import LLMError
from tests.client import Client, get
from tests.upstream import Upstream


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, window=30, rest=20, clock=clock)


def fail(breaker: Breaker, code: str = "overloaded") -> None:
    with pytest.raises(LLMError), breaker.watching():
        raise LLMError(code, retryable=True)


def work(breaker: Breaker) -> None:
    with breaker.watching():
        pass


def test_failures_within_the_window_open_it(breaker: Breaker) -> None:
    fail(breaker)
    fail(breaker)
    assert breaker.admits()
    fail(breaker)
    assert breaker.open
    assert not breaker.admits()


def test_failures_far_apart_do_not(breaker: Breaker, clock: Clock) -> None:
    for _ in range(10):
        fail(breaker)
        clock.now += 16
    assert breaker.admits()


def test_a_success_forgets_what_failed(breaker: Breaker) -> None:
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        work(breaker)
    assert breaker.admits()


def test_what_a_server_refuses_is_no_failure_of_it(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, "refused")
    assert breaker.admits()


@pytest.fixture
def rested(breaker: Breaker, clock: Clock) -> Breaker:
    for _ in range(3):
        fail(breaker)
    clock.now += 20
    return breaker


def test_after_its_rest_one_alone_tries(rested: Breaker) -> None:
    assert rested.admits()
    with rested.watching():
        assert not rested.admits()
    assert rested.admits()
    assert not rested.open


def test_one_failure_of_the_trial_opens_it_again(rested: Breaker, clock: Clock) -> None:
    fail(rested)
    assert not rested.admits()
    clock.now += 20
    assert rested.admits()


def test_a_trial_that_was_called_off_lets_the_next_one_try(rested: Breaker) -> None:
    with pytest.raises(asyncio.CancelledError), rested.watching():
        raise asyncio.CancelledError
    assert rested.open
    assert rested.admits()


# --- In a server --------------------------------------------------------------------------------


async def test_a_model_that_is_down_is_not_asked_for_a_while(stack) -> None:
    async with Upstream() as upstream:
        server = stack(
            fast=True,  # so it rests for two seconds
            env={
                "CHAT_BACKEND": "completions",
                "OPENAI_BASE_URL": upstream.url,
                "CHAT_FIRST_WORD_DEADLINE": "2.5",
                "CHAT_BREAKER_FAILURES": "5",
            },
        ).server
        async with await Client.open(server) as visitor:
            upstream.queue.extend(["[status 500]"] * 5)
            for _ in range(3):  # two attempts each, the last finds it open
                await visitor.say("what does a bike cost?")
                assert (await visitor.reply())["state"] == "complete"
            assert len(upstream.requests) == 5
            await visitor.say("is it waterproof?")
            assert (await visitor.reply())["state"] == "complete"
            assert len(upstream.requests) == 5
            _, health, _ = await get(server, "/api/health")
            assert health["status"] == "degraded"
            assert health["checks"]["llm"]["status"] == "degraded"
            told = [frame["state"] for frame in visitor.frames if frame["type"] == "status"]
            assert told[-1] == "limited"

            await asyncio.sleep(2)  # its rest
            await visitor.say("[words 5 0] are you back?")
            assert (await visitor.reply())["text"] == "w1 w2 w3 w4 w5"
            assert len(upstream.requests) == 6
            _, health, _ = await get(server, "/api/health")
            assert health["checks"]["llm"]["status"] == "ok"


async def test_health_names_who_answers_for_a_model_that_is_down(stack) -> None:
    """The model, then the fallback model, then the guided seller; and back."""
    async with Upstream() as upstream:
        server = stack(
            env={
                "CHAT_BACKEND": "completions",
                "OPENAI_BASE_URL": upstream.url,
                "CHAT_FALLBACK_MODEL": "gpt-5.4-mini",
                "CHAT_BREAKER_FAILURES": "2",
                "CHAT_BREAKER_REST": "2",
            },
        ).server

        async def answers() -> tuple[str, str]:
            _, health, _ = await get(server, "/api/health")
            return health["checks"]["llm"]["answers"], health["checks"]["llm"]["status"]

        async with await Client.open(server) as visitor:

            async def ask() -> None:
                await visitor.say("what does a bike cost?")
                assert (await visitor.reply())["state"] == "complete"

            assert await answers() == ("model", "ok")
            upstream.queue.extend(["[status 500]"] * 2)
            await ask()
            assert await answers() == ("fallback", "degraded")
            upstream.queue.extend(["[status 500]"] * 2)
            await ask()
            await ask()
            assert await answers() == ("guided", "degraded")
            await asyncio.sleep(2)  # their rest
            await ask()
            assert await answers() == ("model", "ok")


async def test_without_a_breaker_who_wrote_the_latest_replies_is_told(stack) -> None:
    async with Upstream() as upstream:
        env = {
            "CHAT_BACKEND": "completions",
            "OPENAI_BASE_URL": upstream.url,
            "CHAT_FALLBACK_MODEL": "gpt-5.4-mini",
        }
        server = stack(env=env).server
        async with await Client.open(server) as visitor:
            for _ in range(3):
                upstream.queue.extend(["[status 400]", ""])
                await visitor.say("what does a bike cost?")
                assert (await visitor.reply())["state"] == "complete"
        _, health, _ = await get(server, "/api/health")
        assert health["checks"]["llm"] == {
            "status": "degraded",
            "detail": "the model fails; others answer for it",
            "answers": "fallback",
        }
