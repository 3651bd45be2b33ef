"""Two servers, a Redis, a PostgreSQL and a model's server, all of which may break, and visitors."""

import asyncio
import random
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.canaries import said
from tests.faults.proxy import Proxy
from tests.follower import Follower, Lost, Times
from tests.servers import STARTUP, Postgres, Server, Stack, answers, wait_for
from tests.transcript import row
from tests.upstream import Upstream

# A tenth of 75 s, and what a machine under load adds.
ANSWERED_WITHIN = 7.5 + 2.5
TIMES = Times().tenth()


class World:
    """`here` writes the replies of visitors who come in by their first tab; `there` is beside it.

    Visitors reach each server through a `Proxy`, which can cut or freeze their lines.
    """

    def __init__(self, stack: Stack, postgres: Postgres, model: Upstream) -> None:
        self.stack = stack
        self.postgres = postgres
        self.model = model
        self.rng = random.Random(0)
        self.here, self.there = stack.servers
        self.doors = [Proxy(server.port) for server in stack.servers]
        self.held: list[Any] = []  # what a fault has to give back
        self._starting: list[Server] = []

    @property
    def redis(self) -> Any:
        assert self.stack.redis is not None
        return self.stack.redis

    async def open(self) -> "World":
        for door in self.doors:
            await door.open()
        return self

    async def close(self) -> None:
        for door in self.doors:
            await door.close()

    # --- What breaks and is mended --------------------------------------------------------------

    def starts(self, server: Server) -> None:
        """Has a server that ended come back; nobody waits for that, as long as another is there."""
        server.spawn()
        self._starting.append(server)

    async def whole(self) -> None:
        """Until all that was broken is there again."""
        for server in self._starting:
            wait = (f"{server.url}/api/health", server._healthy)
            await asyncio.to_thread(wait_for, *wait, timeout=STARTUP)
        self._starting.clear()

    async def repair(self) -> None:
        """Makes whole what a failed case has left broken, so that the next one tells of itself."""
        self.model.always = None
        self.model.queue.clear()
        for door in self.doors:
            door.thaw()
        while self.held:
            self.held.pop().close()
        if not answers("127.0.0.1", self.redis.port):
            await asyncio.to_thread(self.redis.start)
        if self.postgres.process is not None and self.postgres.process.poll() is not None:
            await asyncio.to_thread(self.postgres.start)
        for server in self.stack.servers:
            server.resume()
            if not server.running:
                self.starts(server)
        await self.whole()

    @property
    def database(self) -> str:
        return self.stack.database_url.rsplit("/", 1)[1]

    def connection(self) -> "psycopg.Connection[Any]":
        """To the servers' database, as somebody beside them."""
        return psycopg.connect(self.stack.database_url, connect_timeout=5)

    def stored(self, conversation: str) -> list[tuple[Any, ...]]:
        """The rows of a conversation, as `Transcript.rows` has them."""
        with self.connection() as connection:
            cursor = connection.execute(
                "SELECT seq, id::text, rev, role, state, text, client_id, reply_to_id::text,"
                " attempt FROM chat_message WHERE conversation_id = %s ORDER BY seq",
                [conversation],
            )
            names = [column.name for column in cursor.description or ()]
            messages = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
        for message in messages:
            message["reply_to"] = message.pop("reply_to_id")
        return [row(message) for message in messages]

    def rev(self, conversation: str) -> int:
        with self.connection() as connection:
            found = connection.execute(
                "SELECT rev FROM chat_conversation WHERE id = %s", [conversation]
            ).fetchone()
        assert found is not None
        return int(found[0])


class WebSocketLine:
    """A real WebSocket as a `Line`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            raise Lost(self._code(closed)) from None

    async def receive(self) -> str:
        try:
            return str(await self._socket.recv())
        except ConnectionClosed as closed:
            raise Lost(self._code(closed)) from None

    async def close(self) -> None:
        with suppress(ConnectionClosed, OSError):
            await asyncio.wait_for(self._socket.close(), 2)

    @staticmethod
    def _code(closed: ConnectionClosed) -> int:
        return closed.rcvd.code if closed.rcvd else 1006


class Visitor:
    """A visitor with a tab on each server, as a balancer spreads them; both share the token."""

    def __init__(self, world: World, *, start: int = 0, tenth: bool = True) -> None:
        self.world = world
        self.times = TIMES if tenth else Times()
        self.token: str | None = None
        self._alone = asyncio.Lock()
        self.tabs = [self._tab(start), self._tab(1 - start)]
        self.first, self.second = self.tabs

    def _tab(self, number: int) -> Follower:
        servers = self._servers(number)
        return Follower(
            dial=lambda: self._dial(next(servers)),
            hello=lambda: {"token": self.token},
            times=self.times,
            rng=random.Random(self.world.rng.random()),
            twice=self.times is TIMES,
        )

    def _servers(self, first: int) -> Iterator[Proxy]:
        """The tab's own server, and the other when that one fails, in turn."""
        number = first
        while True:
            yield self.world.doors[number]
            number = 1 - number

    async def _dial(self, door: Proxy) -> WebSocketLine:
        async with self._alone:
            if self.token is None:
                await self._enter(door)
        try:
            socket = await connect(
                f"ws://127.0.0.1:{door.port}/socket",
                max_size=None,
                ping_interval=None,
                proxy=None,
                open_timeout=self.times.connect,
                close_timeout=0.5,
            )
        except (WebSocketException, OSError, TimeoutError):
            raise Lost from None
        return WebSocketLine(socket)

    async def _enter(self, door: Proxy) -> None:
        timeout = aiohttp.ClientTimeout(total=self.times.connect)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    f"http://127.0.0.1:{door.port}/api/chat/init", json={"site": "demo"}
                ) as response,
            ):
                if response.status == 503:
                    raise Lost
                assert response.status == 200, f"init: {response.status}"
                self.token = (await response.json())["token"]
                said(self.token)
        except (aiohttp.ClientError, TimeoutError):
            raise Lost from None

    def open(self) -> None:
        for tab in self.tabs:
            tab.start()

    async def close(self) -> None:
        await asyncio.gather(*(tab.close() for tab in self.tabs))

    # --- What must hold -------------------------------------------------------------------------

    async def settled(self) -> None:
        """Until all that was said is answered, or visibly failed, and both tabs show the same."""
        for tab in self.tabs:
            await tab.until(lambda tab=tab: _acknowledged(tab), 15, "all is acknowledged")
        for tab in self.tabs:
            await tab.until(lambda tab=tab: _answered(tab), ANSWERED_WITHIN, "all is answered")
        first, second = self.tabs
        await second.until(
            lambda: first.copy.rows() == second.copy.rows(), 5, "both tabs show the same"
        )

    async def checked(self) -> list[dict[str, Any]]:
        """The messages, after everything that must hold of them was looked at."""
        await self.settled()
        copy = self.first.copy
        stored = await asyncio.to_thread(self.world.stored, copy.conversation)
        for tab in self.tabs:
            tab.check()
            assert tab.copy.rows() == stored
            assert not [said for said in tab.said if said.refused]
        sent = [said.client_id for tab in self.tabs for said in tab.said]
        kept = [message["client_id"] for message in copy.all() if message["role"] == "visitor"]
        assert sorted(sent) == sorted(kept), "each message once"
        assert [message["seq"] for message in copy.all()] == list(range(1, len(stored) + 1))
        revs = [message["rev"] for message in copy.all()]
        assert len(set(revs)) == len(revs)
        assert copy.rev == max(revs) == await asyncio.to_thread(self.world.rev, copy.conversation)
        for message in copy.all():
            assert str(uuid.UUID(message["id"])) == message["id"]
            if message["state"] == "complete":
                assert message["text"].strip()
        return copy.all()

    def replies(self) -> list[dict[str, Any]]:
        return [message for message in self.first.copy.all() if message.get("reply_to")]


def _acknowledged(tab: Follower) -> bool:
    return tab.ready and all(said.acknowledged is not None or said.refused for said in tab.said)


def _answered(tab: Follower) -> bool:
    """The visitor's last message has a reply that ended by itself."""
    place = {message["id"]: message["seq"] for message in tab.copy.all()}
    last = max((m["seq"] for m in tab.copy.all() if m["role"] == "visitor"), default=0)
    ended = [
        place[message["reply_to"]]
        for message in tab.copy.all()
        if message.get("reply_to") and message["state"] in ("complete", "failed")
    ]
    return tab.ready and tab.reply() is None and max(ended, default=0) == last
