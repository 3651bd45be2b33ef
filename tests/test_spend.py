"""No runaway bill: what a model's server is asked for, whoever asks and however often.

Two servers on PostgreSQL and a stand-in for the model that keeps what it was asked. The flood is of
50 clients with 6 messages each; with FLOOD=1000 in the environment they send 1,000 each. Then the
rates hold as well, a site's at a fifth of what is delivered: without them each message gets a whole
reply of the guided seller, which is most of an hour's work for two cores and proves nothing more of
the money.
"""

import asyncio
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterable
from decimal import Decimal

import aiohttp
import psycopg
import pytest
from websockets.exceptions import WebSocketException

from tests.client import Client, Frame, get
from tests.servers import STAFF_PASSWORD, Server, Stack
from tests.upstream import Request, Upstream

CLIENTS = 50
SENDS = int(os.environ.get("FLOOD", "6"))
LARGE = SENDS >= 100
GIVEN, SPOKEN = 1, 5  # dollars per million tokens, in and out
USAGE = "[usage 2000 20 0]"  # a fifth of a cent; some 1.3 cents may be held for it
AWAY = (AssertionError, OSError, aiohttp.ClientError, WebSocketException, TimeoutError)


@pytest.fixture
async def upstream():
    async with Upstream() as running:
        yield running


@pytest.fixture
def make(stack, upstream):
    def make(**env: str) -> Stack:
        return stack(
            "postgres",
            servers=2,
            redis=True,
            fast=True,
            env={
                "CHAT_BACKEND": "completions",
                "OPENAI_BASE_URL": upstream.url,
                "OPENAI_API_KEY": "test-key",
                "CHAT_FALLBACK_MODEL": "gpt-5.4-mini",
                "CHAT_PRICES": json.dumps(
                    {name: [GIVEN, GIVEN, SPOKEN] for name in ("gpt-6-luna", "gpt-5.4-mini")}
                ),
                "CHAT_SILENCE_TIMEOUT": "90",
                "CHAT_CONNECT_TIMEOUT": "30",
                "CHAT_LAG_LIMIT": "30",
                # A crowded machine is slow, and what is cut off counts as more than it is billed.
                "CHAT_FIRST_TOKEN_TIMEOUT": "20",
                "CHAT_NEXT_TOKEN_TIMEOUT": "20",
                "CHAT_FIRST_WORD_DEADLINE": "40",
                "CHAT_REPLY_DEADLINE": "70",
                "TRUSTED_PROXY_HOPS": "1",
                **{f"CHAT_BUDGET_{scope}": "50" for scope in ("VISITOR", "ADDRESS", "SITE")},
                "CHAT_BUDGET_WHOLE": "50",
                **env,
            },
        )

    return make


def billed(requests: Iterable[Request]) -> Decimal:
    """Dollars that a model's server would charge for what it was asked."""
    return sum(map(_price, requests), Decimal(0))


def _price(request: Request) -> Decimal:
    last = [m["content"] for m in request.body["messages"] if m["role"] == "user"][-1]
    if "[status" in last:
        return Decimal(0)
    given, spoken = 2000, 20
    if not request.answered:  # cut off: it has read the prompt all the same
        prompt = [request.body["messages"], request.body.get("tools")]
        given, spoken = len(json.dumps(prompt)) // 4, request.words
    return Decimal(given * GIVEN + spoken * SPOKEN) / 1_000_000


# --- The flood ----------------------------------------------------------------------------------


def refused(frame: Frame) -> bool:
    return frame["type"] == "error"


def begun(frame: Frame) -> bool:
    return frame["type"] == "message" and frame["message"]["state"] == "streaming"


async def reply(visitor: Client) -> Frame | None:
    """The reply to what was just said; None where it came too fast and there is none."""
    frame = await visitor.until(lambda f: refused(f) or (ended(f)), timeout=30)
    return None if refused(frame) else dict(frame["message"])


def ended(frame: Frame) -> bool:
    shape = frame.get("message")
    return frame["type"] == "message" and "reply_to" in shape and shape["state"] != "streaming"


async def plain(visitor: Client) -> None:
    await visitor.say(f"{USAGE} hello")
    await reply(visitor)


async def interrupts(visitor: Client) -> None:
    await visitor.say(f"{USAGE} [words 30 20] slowly")
    await asyncio.sleep(random.uniform(0, 0.1))
    await plain(visitor)


async def hurries(visitor: Client) -> None:
    """Four at once: each ends the reply to the one before, perhaps before its first word."""
    for n in range(4):
        await visitor.say(f"{USAGE} [silence 0.05] and {n}")


async def stops(visitor: Client) -> None:
    await visitor.say(f"{USAGE} [words 40 20] stop me")
    frame = await visitor.until(lambda f: refused(f) or begun(f))
    if begun(frame):
        await visitor.send({"type": "stop", "message": frame["message"]["id"]})


async def tools(visitor: Client) -> None:
    await visitor.say(f'{USAGE} [tool-loop save_lead {{"note": "hello"}}] and again')
    await reply(visitor)


async def fails(visitor: Client) -> None:
    await visitor.say(f"[status {random.choice([401, 429, 500, 503])}] hello")
    await reply(visitor)


async def breaks(visitor: Client) -> None:
    await visitor.say(f"{USAGE} [{random.choice(['truncate 0', 'reset 2', 'empty'])}] hello")
    await reply(visitor)


async def regenerates(visitor: Client) -> None:
    await visitor.say(f"{USAGE} hello")
    found = await reply(visitor)
    if found is not None:
        again = {"type": "regenerate", "message": found["id"], "attempt": found["attempt"]}
        await visitor.send(again)


async def repeats(visitor: Client) -> None:
    client_id = await visitor.say(f"{USAGE} hello")
    await visitor.say(f"{USAGE} hello", client_id)
    await reply(visitor)


# How they write, and how often they say something in it.
KINDS = {
    plain: 1,
    interrupts: 2,
    hurries: 4,
    stops: 1,
    tools: 1,
    fails: 1,
    breaks: 1,
    regenerates: 1,
    repeats: 2,
}


async def flood(servers: list[Server], sends: int, address: Callable[[], str]) -> None:
    """Every client writes so many times, in every way, and is somebody new after a few of them."""

    async def write(number: int) -> None:
        left = sends
        while left > 0:
            try:
                server = servers[random.randrange(len(servers))]
                at = {"X-Forwarded-For": address()}
                async with await Client.open(server, headers=at) as visitor:
                    for _ in range(random.randint(1, 20 if LARGE else 5)):
                        kind = random.choice(list(KINDS))
                        left -= KINDS[kind]
                        await kind(visitor)
                        if left <= 0:
                            break
            except AWAY:
                await asyncio.sleep(0.1)  # the server is killed: another one, or the same again

    await asyncio.gather(*(write(number) for number in range(CLIENTS)))


async def answered(made: Stack) -> None:
    """Waits until nobody waits for a reply any more."""
    waiting = """
        SELECT (SELECT count(*) FROM chat_message WHERE state = 'streaming')
             + (SELECT count(*) FROM chat_conversation WHERE awaiting_since IS NOT NULL)
    """
    with psycopg.connect(made.database_url, autocommit=True) as database:
        async with asyncio.timeout(30):
            while database.execute(waiting).fetchone() != (0,):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.1)


async def used_up(server: Server, upstream: Upstream, address: str) -> int:
    """Asks from there until not even one call alone fits; how often the model was asked by then."""
    for _ in range(60):
        asked = len(upstream.requests)
        async with await Client.open(server, headers={"X-Forwarded-For": address}) as visitor:
            await plain(visitor)  # a new visitor's prompt is the shortest, and so the cheapest
        if len(upstream.requests) == asked:
            return asked
    raise AssertionError("it is never used up")


def anybody() -> str:
    """An address as a proxy of ours passes it on: the visitor's inventions, then where it is."""
    first, last = (f"198.51.{random.randint(0, 255)}.{random.randint(0, 255)}" for _ in range(2))
    return f"{first}, {last}"


@pytest.mark.timeout(0 if LARGE else 300)
async def test_a_flood_costs_no_more_than_the_budget_of_the_day(make, upstream):
    """New visitors and true new addresses all the time, a server killed, another restarted."""
    rates = {"CHAT_RATES": "on", "CHAT_RATE_SITE": "120/minute"} if LARGE else {}
    made = make(CHAT_BUDGET_WHOLE="0.4", **rates)
    here, there = made.servers

    async def disturb() -> None:
        while billed(upstream.requests) < Decimal("0.05"):  # noqa: ASYNC110 - the flood is under way
            await asyncio.sleep(0.05)
        await asyncio.to_thread(here.kill)
        await asyncio.to_thread(here.start)
        await asyncio.to_thread(there.restart)

    await asyncio.gather(flood(made.servers, SENDS, anybody), disturb())
    await answered(made)
    for server in made.servers if LARGE else ():  # now only money is in the way
        server.env["CHAT_RATES"] = "off"
        await asyncio.to_thread(server.restart)
    asked = await used_up(here, upstream, anybody())
    assert Decimal("0.1") < billed(upstream.requests) <= Decimal("0.4")
    # It is spent for good: two processes that remember nothing do not begin anew.
    for server in made.servers:
        await asyncio.to_thread(server.restart)
    for server in made.servers:
        async with await Client.open(server, headers={"X-Forwarded-For": anybody()}) as visitor:
            await visitor.say(f"{USAGE} hello")
            reply = await visitor.reply()
            assert (reply["state"], bool(reply["text"])) == ("complete", True)
    assert len(upstream.requests) == asked


@pytest.mark.timeout(300)
async def test_forged_addresses_and_new_visitors_share_the_budget_of_their_address(make, upstream):
    made = make(CHAT_BUDGET_ADDRESS="0.2")

    def forged() -> str:
        return f"{anybody()}, 203.0.113.9"

    await flood(made.servers, 2, forged)
    await answered(made)
    asked = await used_up(made.server, upstream, forged())
    assert Decimal("0.05") < billed(upstream.requests) <= Decimal("0.2")
    elsewhere = {"X-Forwarded-For": "203.0.113.10"}
    async with await Client.open(made.server, headers=elsewhere) as visitor:
        await plain(visitor)
    assert len(upstream.requests) == asked + 1


# --- One budget after the other -----------------------------------------------------------------


async def ask(server: Server, upstream: Upstream, times: int = 1) -> int:
    """How often the model was asked, by a new visitor who writes so many times."""
    before = len(upstream.requests)
    async with await Client.open(server) as visitor:
        for _ in range(times):
            await visitor.say(f"{USAGE} What does delivery cost?")
            reply = await visitor.reply()
            assert reply["state"] == "complete"
    return len(upstream.requests) - before


async def test_a_visitor_and_a_site_have_budgets_of_their_own(make, upstream):
    made = make(CHAT_BUDGET_VISITOR="0.025")
    assert 1 <= await ask(made.server, upstream, 12) < 12
    assert await ask(made.server, upstream) == 1  # somebody else
    _, health, _ = await get(made.server, "/api/health")
    assert (health["status"], health["checks"]["budget"]["status"]) == ("ok", "ok")
    made.manage(
        "shell", "-v0", "-c", "from chat.models import Site; Site.objects.update(daily_budget=0)"
    )
    assert await ask(made.server, upstream) == 0
    async with await Client.open(made.server) as visitor:
        for _ in range(100):  # a look comes every two seconds
            await visitor.send({"type": "status", "rev": 0})
            if (await visitor.until("status"))["state"] == "limited":
                break
            await asyncio.sleep(0.1)
        assert visitor.frames[-1]["state"] == "limited"


async def test_staff_hear_of_the_budget_of_the_day(make, upstream, tmp_path):
    made = make(
        CHAT_BUDGET_WHOLE="0.04",
        CHAT_BUDGET_EMAILS="owner@acme.example",
        EMAIL_URL=f"filemail:///{tmp_path}/mails",
        PUBLIC_URL="https://chat.acme.example",
    )
    await ask(made.server, upstream, 25)

    def subjects() -> list[str]:
        texts = [path.read_text() for path in (tmp_path / "mails").glob("*")]
        return sorted(re.findall(r"^Subject: (.*)", "".join(texts), re.MULTILINE))

    for _ in range(100):
        if len(subjects()) >= 2:
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)  # three sweeps of both processes
    assert subjects() == [
        "50 % of today's budget is spent (all sites together)",
        "Today's budget is spent (all sites together)",
    ]


# --- The brake ----------------------------------------------------------------------------------


class Administrator:
    """Signs in, looks at the page, and clicks."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._token = ""

    async def look(self, page: str) -> None:
        async with self._session.get(page) as response:
            found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', await response.text())
        assert found is not None, page
        self._token = found[1]

    async def post(self, path: str, **fields: str) -> None:
        form = {"csrfmiddlewaretoken": self._token, **fields}
        async with self._session.post(path, data=form) as response:
            assert response.status == 200, (path, response.status)

    async def click(self, wish: str) -> None:
        await self.post("/admin/chat/spend/brake/", **{wish: ""})


@pytest.fixture
async def root(braked):
    """At the desk, of the first server, before the page with the brake."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(braked.server.url, cookie_jar=jar) as session:
        administrator = Administrator(session)
        await administrator.look("/admin/login/")
        await administrator.post("/admin/login/", username="root", password=STAFF_PASSWORD)
        await administrator.look("/admin/chat/spend/")
        yield administrator


@pytest.fixture
def braked(make):
    """A stack with an administrator."""
    made = make()
    made.manage(
        "shell", "-v0", "-c",
        "from django.contrib.auth.models import User;"
        f"User.objects.create_superuser('root', password='{STAFF_PASSWORD}')",
    )  # fmt: skip
    return made


@pytest.mark.parametrize("redis", [True, False])
async def test_the_brake_stops_every_process_within_five_seconds(braked, root, upstream, redis):
    here, there = braked.servers
    if not redis:
        braked.redis.stop()
    async with await Client.open(here) as first, await Client.open(there) as second:
        await first.say("[silence 15] think for long")
        await second.say("[words 2000 20] speak for long")
        await second.until("delta")
        started = time.monotonic()
        await root.click("stop")
        async with asyncio.timeout(started + 5 - time.monotonic()):
            for request in upstream.requests:
                await request.over.wait()
        assert all(request.closed_by_client for request in upstream.requests)
        # Who had no word yet is answered by the guided seller; words that stand there stay.
        reply = await first.reply()
        assert (reply["state"], bool(reply["text"])) == ("complete", True)
        cut = await second.reply()
        assert (cut["state"], cut["error"]["code"]) == ("failed", "budget_spent")
        assert cut["text"] == second.shown(cut["id"])
        assert [f["state"] for f in second.frames if f["type"] == "status"] == ["ready", "limited"]
        for server in braked.servers:
            assert await ask(server, upstream) == 0
            _, health, _ = await get(server, "/api/health")
            assert health["checks"]["budget"] == {
                "status": "degraded",
                "detail": "paid calls are stopped by hand",
            }
        await root.click("allow")
        await second.until(lambda f: f["type"] == "status" and f["state"] == "ready")
        assert await ask(there, upstream) == 1


async def test_a_stop_outlives_a_restart_and_works_from_a_shell(make, upstream):
    made = make()
    assert "All paid calls are stopped, by manage.py" in made.manage("paid_calls", "stop")
    await asyncio.to_thread(made.server.restart)
    assert [await ask(server, upstream) for server in made.servers] == [0, 0]
    assert "Models are asked" in made.manage("paid_calls", "allow")
    await asyncio.sleep(2.1)  # until they have looked
    assert [await ask(server, upstream) for server in made.servers] == [1, 1]


# --- Without the database -----------------------------------------------------------------------


async def test_where_nobody_can_count_nothing_is_paid_for(make, upstream):
    made = make()
    with psycopg.connect(made.database_url, autocommit=True) as database:
        database.execute("ALTER TABLE chat_spend RENAME TO chat_elsewhere")
        assert await ask(made.server, upstream) == 0
        database.execute("ALTER TABLE chat_elsewhere RENAME TO chat_spend")
        assert await ask(made.server, upstream) == 1
    with psycopg.connect(made.database_url) as database:
        database.execute("LOCK TABLE chat_spend IN ACCESS EXCLUSIVE MODE")
        assert await ask(made.server, upstream) == 0
    assert await ask(made.server, upstream) == 1
