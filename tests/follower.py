"""A visitor's client that never gives up: reconnects, asks what it missed, sends again.

It does what `docs/protocol.md` asks of a client, over whatever carries frames: sockets of real
servers in `tests/faults`, a transport that loses them in `tests/test_protocol_machine.py`.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.transcript import Broken, Transcript


class Lost(Exception):
    """The line is gone, with the close code where one came."""

    def __init__(self, code: int = 1006) -> None:
        super().__init__(code)
        self.code = code


class Line(Protocol):
    """One connection that carries text both ways; each call raises `Lost` once it is gone."""

    async def send(self, text: str) -> None: ...

    async def receive(self) -> str: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Times:
    """Seconds, as the protocol has them; `tenth` of all that for servers that run at a tenth."""

    heartbeat: float = 20.0
    answer: float = 10.0  # a `status` without answer for so long: the line is dead
    connect: float = 10.0
    spread: float = 5.0  # after 1012
    base: float = 0.5  # of the backoff
    cap: float = 30.0

    def tenth(self) -> "Times":
        return Times(**{name: value / 10 for name, value in vars(self).items()})


@dataclass(eq=False)
class Said:
    """Something the visitor has said; loop times."""

    client_id: str
    text: str
    acknowledged: float | None = None
    refused: str = ""  # the code of a final refusal


@dataclass(eq=False)
class Follower:
    """One tab of a visitor. `dial` opens a line, or raises `Lost` or OSError; `hello` adds the
    token and the like to `connect`."""

    dial: Callable[[], Awaitable[Line]]
    hello: Callable[[], dict[str, Any]]
    times: Times = field(default_factory=Times)
    rng: random.Random = field(default_factory=random.Random)
    copy: Transcript = field(default_factory=Transcript)
    said: list[Said] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    broken: Exception | None = None  # what the server did wrong
    ended_at: dict[str, float] = field(default_factory=dict)  # reply: when its end was seen
    began_again: dict[str, float] = field(default_factory=dict)  # reply: when attempt 2 was seen
    came_back: list[float] = field(default_factory=list)  # when each line after the first was tried
    refusals: list[str] = field(default_factory=list)
    twice: bool = False  # takes every frame in twice, to see that it changes nothing

    def __post_init__(self) -> None:
        self._line: Line | None = None
        self._ready = False
        self._asked: float | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- What a visitor does --------------------------------------------------------------------

    def start(self) -> "Follower":
        self._task = asyncio.create_task(self._run())
        return self

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._line is not None:
            await self._line.close()
        self.check()

    def say(self, text: str) -> Said:
        """Says something now, or as soon as there is a line."""
        said = Said(str(uuid.UUID(int=self.rng.getrandbits(128), version=4)), text)
        self.said.append(said)
        if self._ready:
            self.do(self._message(said))
        return said

    def do(self, frame: dict[str, Any]) -> None:
        """Sends a frame if there is a line; where there is none it is forgotten."""
        if self._line is not None and self._ready:
            self._spawn(self._send(self._line, frame))

    def hang_up(self) -> None:
        """Ends the line, as a reload does; it comes back by itself."""
        if self._line is not None:
            self._spawn(self._line.close())

    def check(self) -> None:
        if self.broken is not None:
            raise self.broken

    @property
    def ready(self) -> bool:
        """A `status` has come on the line that is open."""
        return self._ready

    def reply(self) -> dict[str, Any] | None:
        """The reply that is being written."""
        return next((m for m in self.copy.all() if m["state"] == "streaming"), None)

    async def until(self, done: Callable[[], Any], within: float, what: str) -> None:
        """Waits until `done` after some frame."""
        try:
            async with asyncio.timeout(within):
                while not done():
                    self.check()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self.check()
            raise AssertionError(
                f"{what}: not within {within:g} s; ready={self._ready} closes={self.closes} "
                f"refused={self.refusals} {self.copy.rows()}"
            ) from None

    # --- The line -------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        _held.add(task)
        task.add_done_callback(_held.discard)

    async def _run(self) -> None:
        attempt = 0
        while self.broken is None:
            code, since = 1006, self._now()
            if self.closes:
                self.came_back.append(since)
            try:
                async with asyncio.timeout(self.times.connect):
                    self._line = await self.dial()
                self.copy.connected()
                await self._converse(self._line)
            except Lost as lost:
                code = lost.code
            except (OSError, TimeoutError):
                pass
            except Exception as error:  # the tests ask for it
                self.broken = error
            finally:
                self._ready = False
            line, self._line = self._line, None
            if line is not None:
                self._spawn(line.close())
            self.closes.append(code)
            self._news.set()
            attempt = 0 if self._now() - since > self.times.base * 4 else attempt + 1
            most = min(self.times.cap, self.times.base * 2**attempt)
            await asyncio.sleep(self.rng.uniform(0, self.times.spread if code == 1012 else most))

    async def _converse(self, line: Line) -> None:
        await self._send(line, {"type": "connect", "v": 1, **self.hello(), **self._place()})
        self._asked = self._now()
        beat = self._now() + self.times.heartbeat
        while True:
            now = self._now()
            if self._asked is not None and now - self._asked > self.times.answer:
                raise Lost
            if now >= beat:
                beat = now + self.times.heartbeat
                if self._asked is None:
                    await self._ask(line)
            until = beat if self._asked is None else min(beat, self._asked + self.times.answer)
            try:
                async with asyncio.timeout(max(0.001, until - now)):
                    text = await line.receive()
            except TimeoutError:
                continue
            await self._take(line, json.loads(text))

    def _place(self) -> dict[str, Any]:
        at = self.copy.position()
        return {name: at[name] for name in ("rev", "epoch") if name in at}

    async def _ask(self, line: Line) -> None:
        self._asked = self._now()
        await self._send(line, {"type": "status", **self.copy.position()})

    async def _take(self, line: Line, frame: dict[str, Any]) -> None:
        whole = self.copy.take(frame)
        if self.twice and whole and not self.copy.same_after_again(frame):
            raise Broken(f"taken in again it changes something: {frame}")
        if frame["type"] == "status":
            self._asked = None
        if not whole and self._asked is None:
            await self._ask(line)
        if frame["type"] == "status":
            self._note(frame["messages"])
            self._ready = True
            for said in self.said:
                if said.acknowledged is None and not said.refused:
                    await self._send(line, self._message(said))
        elif frame["type"] == "message":
            self._note([frame["message"]])
        elif frame["type"] == "error":
            self._refused(line, frame)
        self._news.set()

    def _note(self, messages: list[dict[str, Any]]) -> None:
        now = self._now()
        for message in messages:
            for said in self.said:
                if said.client_id == message.get("client_id") and said.acknowledged is None:
                    said.acknowledged = now
            if message.get("reply_to") and message["state"] != "streaming":
                self.ended_at[message["id"]] = now
            if message.get("reply_to") and message.get("attempt", 1) > 1:
                self.began_again.setdefault(message["id"], now)

    def _refused(self, line: Line, frame: dict[str, Any]) -> None:
        self.refusals.append(frame["code"])
        for said in self.said:
            if said.client_id == frame.get("client_id") and said.acknowledged is None:
                if frame["final"]:
                    said.refused = frame["code"]
                else:
                    wait = (frame.get("retry_after") or 1) * self.times.base
                    self._spawn(self._again(line, said, wait))

    async def _again(self, line: Line, said: Said, wait: float) -> None:
        await asyncio.sleep(wait)
        if said.acknowledged is None and line is self._line:
            await self._send(line, self._message(said))

    def _message(self, said: Said) -> dict[str, Any]:
        return {"type": "message", "client_id": said.client_id, "text": said.text}

    async def _send(self, line: Line, frame: dict[str, Any]) -> None:
        try:
            await line.send(json.dumps(frame, ensure_ascii=False))
        except Lost:
            pass  # who reads from it hears of it too

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


_held: set[Any] = set()
