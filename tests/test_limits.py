"""How often and how many at once: what is counted, for whom, and what is said to who is refused."""

import uuid
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from chat import limits
from tests.client import Client, post
from tests.servers import free_port


@pytest.fixture(autouse=True)
def _fresh(settings: Any) -> Iterator[None]:
    def forget() -> None:
        for known in (limits.rates, limits._memory, limits._storage):
            known.cache_clear()
        for known in (limits._own, limits._shared, limits._own_exact, limits._shared_exact):
            known.cache_clear()
        limits._silent_until = 0.0
        limits.Seat._taken.clear()

    settings.CHAT_RATES = True
    settings.REDIS_URL = ""
    forget()
    yield
    forget()


# --- Whom an address stands for -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("nonsense", "", True),
    ],
)
def test_an_address_stands_for_its_network(one: str, other: str, same: bool) -> None:
    assert (limits.network(one) == limits.network(other)) is same
    assert (limits.mark(one) == limits.mark(other)) is same
    assert limits.network(one)[:6] not in limits.mark(one)


# --- How often ----------------------------------------------------------------------------------


async def test_who_is_too_fast_uses_up_nothing_of_others(settings: Any) -> None:
    settings.CHAT_RATE_VISITOR, settings.CHAT_RATE_SITE = "1/minute", "2/minute"
    assert await limits.wait(("visitor", "ada"), ("site", "demo")) == 0
    for _ in range(5):
        assert 0 < await limits.wait(("visitor", "ada"), ("site", "demo")) <= 61
    assert await limits.wait(("visitor", "eve"), ("site", "demo")) == 0
    assert await limits.wait(("visitor", "bob"), ("site", "demo")) > 0
    assert await limits.wait(("visitor", "bob2"), ("site", "other")) == 0


async def test_with_rates_off_nobody_waits(settings: Any) -> None:
    settings.CHAT_RATES, settings.CHAT_RATE_VISITOR = False, "1/minute"
    assert [await limits.wait(("visitor", "ada")) for _ in range(9)] == [0] * 9


async def test_without_redis_each_process_counts_for_itself(settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    settings.CHAT_RATE_VISITOR = "2/minute"
    waits = [await limits.wait(("visitor", "ada")) for _ in range(3)]
    assert (waits[:2], waits[2] > 0) == ([0, 0], True)


async def test_a_lively_talk_meets_no_limit() -> None:
    """As delivered: five thoughts in a row, and an hour's talk of two messages a minute."""
    assert [await limits.wait(("visitor", "ada")) for _ in range(5)] == [0] * 5
    hour = next(r for r in limits.rates()["visitor"] if r.get_expiry() == 3600)
    assert hour.amount >= 120


# --- How many at once ---------------------------------------------------------------------------


def test_a_seat_is_given_back_once(settings: Any) -> None:
    settings.CHAT_SOCKETS_PER_ADDRESS = 1
    first, second, elsewhere = limits.Seat(), limits.Seat(), limits.Seat()
    assert first.take("203.0.113.9")
    assert not second.take("203.0.113.9")
    assert elsewhere.take("203.0.113.10")
    second.leave()
    assert not second.take("203.0.113.9")
    second.leave()
    first.leave()
    first.leave()
    assert second.take("203.0.113.9")
    for seat in (second, elsewhere):
        seat.leave()
    settings.CHAT_SOCKETS = 1
    assert limits.Seat().take("203.0.113.9")


async def test_a_visitor_has_so_many_sockets_and_others_are_let_in(stack):
    server = stack(env={"CHAT_RATES": "on", "CHAT_SOCKETS_PER_VISITOR": "2"}).server
    first = await Client.open(server)
    second = await first.again()
    third = await Client.socket(server)
    await third.send({"type": "connect", "v": 1, "token": first.token, "rev": 0})
    assert await third.closed() == 4429
    assert third.close_reason == "retry_after=30"
    headers = {"Authorization": f"Bearer {first.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/api/chat/events", headers=headers) as answer,
    ):
        assert '"code": 4429' in await answer.text()
    await (await Client.open(server)).close()
    await second.close()
    await (await first.again()).close()
    await first.close()


async def test_a_process_has_so_many_sockets(stack):
    server = stack(env={"CHAT_RATES": "on", "CHAT_SOCKETS": "2"}).server
    first, second = await Client.open(server), await Client.open(server)
    third = await Client.socket(server)
    assert await third.closed() == 4429
    assert third.close_reason == "retry_after=30"
    await first.close()
    await second.close()


async def test_too_many_frames_close_the_socket(stack):
    server = stack(env={"CHAT_RATES": "on", "CHAT_RATE_FRAMES": "10/3 seconds"}).server
    visitor = await Client.open(server)  # which is one of them
    for _ in range(8):
        await visitor.send({"type": "typing", "on": True})
    await visitor.send({"type": "status", "rev": 0})
    assert await visitor.closed() == 4429
    assert visitor.close_reason == "retry_after=5"


# --- What is said -------------------------------------------------------------------------------


async def test_a_site_is_not_flooded_by_ever_new_visitors(stack):
    server = stack(env={"CHAT_RATES": "on", "CHAT_RATE_SITE": "3/minute"}).server
    for n in range(4):
        async with await Client.open(server) as visitor:
            id = await visitor.say("/say hello")
            if n < 3:
                await visitor.acknowledged(id)
            else:
                error = await visitor.until("error")
    assert (error["code"], error["final"], error["client_id"]) == ("rate_limited", False, id)
    assert error["retry_after"] > 0


async def test_asking_again_counts_as_a_message(stack):
    server = stack(env={"CHAT_RATES": "on", "CHAT_RATE_VISITOR": "1/minute"}).server
    async with await Client.open(server) as visitor:
        await visitor.say("/say hello")
        reply = await visitor.reply()
        await visitor.send({"type": "regenerate", "message": reply["id"], "attempt": 1})
        error = await visitor.until("error")
        assert (error["code"], error["about"]) == ("rate_limited", reply["id"])
        assert error["retry_after"] > 0


async def test_new_visitors_are_counted_apart_from_those_who_come_back(stack):
    server = stack(env={"CHAT_RATES": "on", "CHAT_RATE_NEW_VISITORS": "1/minute"}).server
    init = "/api/chat/init"
    status, known, _ = await post(server, init, {"site": "demo"})
    assert status == 200
    status, body, headers = await post(server, init, {"site": "demo"})
    assert (status, body["error"]["code"]) == (429, "rate_limited")
    assert int(headers["Retry-After"]) == body["error"]["retry_after"] > 0
    status, _, _ = await post(server, init, {"site": "demo", "token": known["token"]})
    assert status == 200
    status, _, _ = await post(server, init, {"site": "demo", "token": str(uuid.uuid4())})
    assert status == 401
