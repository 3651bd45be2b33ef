"""One process of the product and its clients in a world without real time.

The event loop jumps to the next moment at which something happens, the database answers after a
delay drawn by chance, and frames travel on lines that lose, double and delay them. A process may be
killed between any two steps, also between a commit and what follows it.
"""

import asyncio
import contextvars
import json
import random
import selectors
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat import consumers, database, live, process, turns, writing
from chat.consumers import ChatConsumer
from chat.llm.scripted import Scripted
from tests.follower import Lost

_incarnation: contextvars.ContextVar["Incarnation | None"] = contextvars.ContextVar(
    "incarnation", default=None
)
_at_once = ("SAVEPOINT", "ROLLBACK", "RELEASE")  # what an outage does not keep us from


MOST_STEPS = 200_000  # of the loop between two acts of a test; a hundredth of it is more than usual


class _Jumps(selectors.SelectSelector):
    """Nobody is waited for: time goes on to when the next call is due."""

    now = 0.0
    steps = 0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen any more"
        self.now += max(0.0, timeout)
        self.steps += 1
        if self.steps == MOST_STEPS:  # once, so that what is left can still be cleared away
            raise AssertionError(f"it goes round in circles: {_doing()}")
        return super().select(0)


def _doing() -> list[str]:
    """Where every task stands."""
    tasks = asyncio.all_tasks(asyncio.get_running_loop())
    return [f"{task.get_coro()} at {task.get_stack(limit=1)}" for task in tasks]


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose seconds cost nothing."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now

    def run_until_complete(self, future: Any) -> Any:
        self._jumps.steps = 0
        return super().run_until_complete(future)


@dataclass(eq=False)
class Incarnation:
    """One life of the process: its tasks, and whether it is over."""

    tasks: set["asyncio.Task[Any]"]
    dead: bool = False


@dataclass
class Weather:
    """How a line treats what it carries; of a hundred frames so many."""

    lost: int = 0
    doubled: int = 0
    delay: float = 0.0  # seconds at most; their order stays


class Simulation:
    """`run(seconds)` lets time pass. `start`, `kill`, `terminate`: the process."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.loop = Loop()
        self.loop.set_task_factory(self._task)
        self.began = timezone.now()
        self.weather = Weather()
        self.database_back = 0.0  # loop seconds: until then it is away
        self.shaky = 0  # of a hundred answers of the database so many are lost after the commit
        self.life: Incarnation | None = None
        self.lines: set[SimulatedLine] = set()
        self.asked = 0  # requests to the model

    def _task(self, loop: Any, work: Any, **options: Any) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
        context = options.get("context")
        life = context.get(_incarnation) if context is not None else _incarnation.get()
        if life is not None:
            life.tasks.add(task)
            task.add_done_callback(life.tasks.discard)
        return task

    def run(self, seconds: float = 0.0) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    # --- The process ----------------------------------------------------------------------------

    def _inside(self, work: Any) -> "asyncio.Task[Any]":
        """A task of the process that runs now."""
        context = contextvars.copy_context()
        context.run(_incarnation.set, self.life)
        return self.loop.create_task(work, context=context)

    def start(self) -> None:
        assert self.life is None
        self.life = Incarnation(set())
        live.live.__init__()  # type: ignore[misc]  # a process begins with nothing
        turns.running.clear()
        process._loop = None
        self.do(self._inside(process.startup()))

    def kill(self) -> None:
        """As SIGKILL does: what was not committed has not happened, and nobody is told."""
        life, self.life = self.life, None
        assert life is not None
        life.dead = True
        for line in list(self.lines):
            line.gone(1006)
        for _ in range(1000):
            if not life.tasks:
                break
            for task in list(life.tasks):
                task.cancel()
            self.run()
        assert not life.tasks, f"these cannot be ended: {life.tasks}"
        turns.running.clear()

    def terminate(self) -> None:
        """As SIGTERM does, under uvicorn: the process's own part, its sockets, its lifespan."""
        self.do(self._inside(process._leave(lambda number, frame: None, 15)))
        for line in list(self.lines):
            line.gone(1012)
        self.do(self._inside(process.shutdown()))
        self.kill()

    async def dial(self) -> "SimulatedLine":
        await asyncio.sleep(self.rng.uniform(0, 0.05))
        if self.life is None:
            raise Lost
        return SimulatedLine(self)

    # --- The database ---------------------------------------------------------------------------

    async def _on(
        self, executor: Any, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """A thread's work, done between two steps of the loop and not beside it."""
        life = _incarnation.get()
        await asyncio.sleep(self.rng.choice((0, 0, 0.001, 0.02)))
        if life is not None and life.dead:
            raise asyncio.CancelledError
        asyncio._set_running_loop(None)  # no loop runs in a thread: Django has a look at that
        try:
            result = function(*args, **kwargs)
        finally:
            asyncio._set_running_loop(self.loop)
        await asyncio.sleep(self.rng.choice((0, 0, 0.001, 0.02)))
        return result

    def _twice(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def shaky(*args: Any, **kwargs: Any) -> Any:
            with transaction.atomic():  # inside the test's own
                result = function(*args, **kwargs)
            if self.rng.randrange(100) < self.shaky:
                raise OperationalError("the answer was lost")
            return result

        return _real_twice(shaky)

    def _statement(self, execute: Any, sql: str, *rest: Any) -> Any:
        if self.loop.time() < self.database_back and not sql.startswith(_at_once):
            raise OperationalError("the database is away")
        return execute(sql, *rest)

    @contextmanager
    def installed(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """The product lives in this world for as long as the block runs."""
        clock = SimpleNamespace(monotonic=self.loop.time)
        for module in (consumers, database, live, turns, writing):
            patch.setattr(module, "time", clock)
        patch.setattr(timezone, "now", lambda: self.began + timedelta(seconds=self.loop.time()))
        patch.setattr(database, "_on", self._on)
        patch.setattr(database, "_twice", self._twice)
        patch.setattr(database, "connection", SimpleNamespace(close=lambda: None))
        patch.setattr(process, "_drain_on_sigterm", lambda loop: None)
        for name in ("_mail", "_embed", "look_at_money"):  # not what is looked at here
            patch.setattr(process, name, _nothing)
        patch.setattr(process, "watch", SimpleNamespace(look=_nothing))
        real = Scripted.stream

        def stream(model: Scripted, *args: Any) -> Any:
            self.asked += 1
            return real(model, *args)

        patch.setattr(Scripted, "stream", stream)
        with connection.execute_wrapper(self._statement):
            yield

    def close(self) -> None:
        if self.life is not None:
            self.kill()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.run()
        self.loop.close()


_real_twice = database._twice


async def _nothing() -> None: ...


class SimulatedLine:
    """A socket between a follower and the process: its frames meet the weather."""

    def __init__(self, world: Simulation) -> None:
        self._world = world
        self._down: asyncio.Queue[str | int] = asyncio.Queue()  # text, or a close code
        self._up: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._free_at = {"up": 0.0, "down": 0.0}  # when a frame sent now may arrive at the soonest
        self._over = False
        self.frozen = False  # open, and nothing goes through
        world.lines.add(self)
        self._up.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "path": "/socket",
            "scheme": "ws",
            "headers": [],
            "client": ("127.0.0.1", 1),
        }
        world._inside(ChatConsumer.as_asgi()(scope, self._up.get, self._sent))

    async def _sent(self, event: dict[str, Any]) -> None:
        if self._over:
            raise OSError("the client has left")
        if event["type"] == "websocket.send":
            self._travel("down", lambda: self._down.put_nowait(event["text"]), event["text"])
        elif event["type"] == "websocket.close":
            self._travel("down", lambda: self.gone(event["code"]), "")

    def _travel(self, way: str, arrive: Callable[[], None], text: str) -> None:
        world, weather = self._world, self._world.weather
        if self.frozen:
            return
        copies = 1
        if text and world.rng.randrange(100) < weather.lost:
            if json.loads(text).get("type") in ("status", "connect"):
                # It says which conversation the line is about: lost with the line, or not at all.
                world.loop.call_soon(self.gone, 1006)
            copies = 0
        elif text and world.rng.randrange(100) < weather.doubled:
            copies = 2
        for _ in range(copies):
            at = world.loop.time() + world.rng.uniform(0, weather.delay)
            self._free_at[way] = max(self._free_at[way] + 1e-6, at)
            world.loop.call_at(self._free_at[way], self._arrived, arrive)

    def _arrived(self, arrive: Callable[[], None]) -> None:
        if not self._over and not self.frozen:
            arrive()

    def gone(self, code: int) -> None:
        """The line ends, for both sides; what was on its way is lost."""
        if not self._over:
            self._over = True
            self._world.lines.discard(self)
            self._down.put_nowait(code)
            self._up.put_nowait({"type": "websocket.disconnect", "code": code})

    async def send(self, text: str) -> None:
        if self._over:
            raise Lost
        event = {"type": "websocket.receive", "text": text}
        self._travel("up", lambda: self._up.put_nowait(event), text)

    async def receive(self) -> str:
        got = await self._down.get()
        if isinstance(got, int):
            raise Lost(got)
        return got

    async def close(self) -> None:
        self.gone(1000)


def new_id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
