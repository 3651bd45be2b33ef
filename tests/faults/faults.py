"""What breaks, and how it is mended: one `Fault` a line of the matrix."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import redis.asyncio

from tests.faults.world import World
from tests.servers import Server

Act = Callable[[World], Awaitable[None]]

IDLE, CONNECTING, SENDING, MID_REPLY = "idle", "connecting", "sending", "mid-reply"
MOMENTS = (IDLE, CONNECTING, SENDING, MID_REPLY)


async def nothing(world: World) -> None:
    """A fault that is over by itself."""


@dataclass(frozen=True)
class Fault:
    """`hold`: seconds between `strike` and `mend`. `moment`: the one that `make test` tries.

    `outage`: nobody is there for as long as a server takes to start, in which a reply may be over.
    Of the model's server: `markers` is how it answers while it is broken, and `cut_short` whether
    it breaks in the middle of a stream by them, after `{0}` words (else between two requests of
    one reply).
    """

    name: str
    moment: str
    strike: Act
    mend: Act = nothing
    hold: float = 0.0
    outage: bool = False
    markers: str = ""
    cut_short: bool = False


# --- The servers themselves -----------------------------------------------------------------------


def _of(number: int) -> Callable[[World], Server]:
    return lambda world: world.stack.servers[number]


def _killed(which: Callable[[World], Server]) -> Act:
    async def strike(world: World) -> None:
        await asyncio.to_thread(which(world).kill)

    return strike


def _terminated(which: Callable[[World], Server]) -> Act:
    async def strike(world: World) -> None:
        server = which(world)
        code = await asyncio.to_thread(server.stop, 5)  # a quarter of 20 s; a tenth is CPU alone
        assert code in (0, -signal.SIGTERM), code

    return strike


def _back(which: Callable[[World], Server]) -> Act:
    async def mend(world: World) -> None:
        world.starts(which(world))

    return mend


def _paused(which: Callable[[World], Server]) -> Act:
    async def strike(world: World) -> None:
        which(world).pause()

    return strike


def _resumed(which: Callable[[World], Server]) -> Act:
    async def mend(world: World) -> None:
        which(world).resume()

    return mend


async def _kill_both(world: World) -> None:
    for server in world.stack.servers:
        await asyncio.to_thread(server.kill)


async def _both_back(world: World) -> None:
    for server in world.stack.servers:
        world.starts(server)
    await world.whole()


async def _cut(world: World) -> None:
    for door in world.doors:
        door.cut()


async def _freeze(world: World) -> None:
    for door in world.doors:
        door.freeze()


async def _thaw(world: World) -> None:
    for door in world.doors:
        door.thaw()


_HERE, _THERE = _of(0), _of(1)
PROCESSES = (
    Fault("writer-killed", MID_REPLY, _killed(_HERE), _back(_HERE), 0.1),
    Fault("other-killed", SENDING, _killed(_THERE), _back(_THERE), 0.1),
    Fault("writer-terminated", MID_REPLY, _terminated(_HERE), _back(_HERE)),
    Fault("other-terminated", CONNECTING, _terminated(_THERE), _back(_THERE)),
    Fault("both-killed", SENDING, _kill_both, _both_back, outage=True),
    Fault("writer-paused", MID_REPLY, _paused(_HERE), _resumed(_HERE), 2.5),
    Fault("other-paused", IDLE, _paused(_THERE), _resumed(_THERE), 1.5),
    Fault("lines-cut", MID_REPLY, _cut),
    Fault("lines-frozen", SENDING, _freeze, _thaw, 1.5),
)


# --- Redis ----------------------------------------------------------------------------------------


async def _redis_stop(world: World) -> None:
    await asyncio.to_thread(world.redis.stop)


async def _redis_start(world: World) -> None:
    await asyncio.to_thread(world.redis.start)


async def _redis_restart(world: World) -> None:
    await _redis_stop(world)
    await _redis_start(world)


async def _redis_pause(world: World) -> None:
    world.redis.pause()


async def _redis_resume(world: World) -> None:
    world.redis.resume()


def _redis_says(*commands: tuple[str, ...]) -> Act:
    async def act(world: World) -> None:
        async with redis.asyncio.from_url(world.redis.url) as client:
            for command in commands:
                await client.execute_command(*command)

    return act


_DROP = (("CLIENT", "KILL", "TYPE", "normal"), ("CLIENT", "KILL", "TYPE", "pubsub"))
_FULL = (("CONFIG", "SET", "maxmemory-policy", "noeviction"), ("CONFIG", "SET", "maxmemory", "1"))
REDIS = (
    Fault("redis-stopped", IDLE, _redis_stop, _redis_start, 1.0),
    Fault("redis-restarted", CONNECTING, _redis_restart),
    Fault("redis-paused", SENDING, _redis_pause, _redis_resume, 1.0),
    Fault("redis-drops-clients", MID_REPLY, _redis_says(*_DROP)),
    Fault(
        "redis-full",
        CONNECTING,
        _redis_says(*_FULL),
        _redis_says(("CONFIG", "SET", "maxmemory", "0")),
        1.0,
    ),
)


# --- PostgreSQL -----------------------------------------------------------------------------------


def _postgres_stop(number: signal.Signals) -> Act:
    async def strike(world: World) -> None:
        await asyncio.to_thread(world.postgres.stop, number)

    return strike


async def _postgres_start(world: World) -> None:
    await asyncio.to_thread(world.postgres.start)


async def _lock(world: World) -> None:
    """Somebody's migration or backup holds what every turn needs."""
    connection = await asyncio.to_thread(world.connection)
    world.held.append(connection)
    lock = "LOCK TABLE chat_message, chat_conversation IN ACCESS EXCLUSIVE MODE"
    await asyncio.to_thread(connection.execute, lock)


async def _unlock(world: World) -> None:
    await asyncio.to_thread(world.held.pop().close)


async def _end_connections(world: World) -> None:
    ended = f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = '{world.database}' AND pid <> pg_backend_pid()"""  # noqa: S608
    await asyncio.to_thread(world.postgres.execute, ended)


async def _no_connections(world: World) -> None:
    """The pool empties, and finds nothing to fill itself with."""
    statement = f'ALTER DATABASE "{world.database}" ALLOW_CONNECTIONS false'
    await asyncio.to_thread(world.postgres.execute, statement)
    await _end_connections(world)


async def _connections(world: World) -> None:
    statement = f'ALTER DATABASE "{world.database}" ALLOW_CONNECTIONS true'
    await asyncio.to_thread(world.postgres.execute, statement)


POSTGRES = (
    Fault("postgres-restarted", SENDING, _postgres_stop(signal.SIGINT), _postgres_start, 0.3),
    Fault("postgres-crashed", MID_REPLY, _postgres_stop(signal.SIGQUIT), _postgres_start),
    Fault("postgres-locked", SENDING, _lock, _unlock, 0.5),
    Fault("postgres-drops-clients", IDLE, _end_connections),
    Fault("postgres-pool-empty", CONNECTING, _no_connections, _connections, 0.7),
)


# --- The model's server ---------------------------------------------------------------------------


def _model(name: str, moment: str, markers: str, *, cut_short: bool = False) -> Fault:
    async def strike(world: World) -> None:
        world.model.always = markers.format(0)

    async def mend(world: World) -> None:
        world.model.always = None

    return Fault(name, moment, strike, mend, markers=markers, cut_short=cut_short)


async def _model_gone(world: World) -> None:
    await world.model.leave()


async def _model_back(world: World) -> None:
    await world.model.listen()


MODEL = (
    _model("model-401", IDLE, "[status 401]"),
    _model("model-429", CONNECTING, "[status 429]"),
    _model("model-429-retry-after", SENDING, "[status 429 1]"),
    _model("model-500", MID_REPLY, "[status 500]"),
    Fault("model-refuses", MID_REPLY, _model_gone, _model_back, cut_short=True),
    _model("model-slow", IDLE, "[first 5]"),
    _model("model-html", CONNECTING, "[html]"),
    _model("model-stalls", MID_REPLY, "[words 30 20] [stall {0}]", cut_short=True),
    _model("model-truncates", SENDING, "[words 30 20] [truncate {0}]", cut_short=True),
    _model("model-resets", MID_REPLY, "[words 30 20] [reset {0}]", cut_short=True),
    _model("model-garbage", IDLE, "[words 30 20] [garbage {0}]", cut_short=True),
    _model("model-error-event", CONNECTING, "[words 30 20] [error {0}]", cut_short=True),
    _model("model-giant-line", MID_REPLY, "[words 30 20] [giant {0}]", cut_short=True),
)
