"""The product in processes of its own, started exactly as a platform starts it.

`Server` runs the Procfile's `web` command; `Stack` is one database (and perhaps a Redis) with any
number of servers that share it. Nothing of the developer's `.env` or shell reaches them: every
variable is set, from `.env.example` and the few values below.
"""

import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests import canaries

ROOT = Path(__file__).resolve().parent.parent
STAFF_PASSWORD = "correct-horse-battery"
STARTUP = 40.0  # seconds; a loaded machine takes long to import everything
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy

# What `fast=True` divides by ten.
TIMES = (
    "CHAT_FIRST_TOKEN_TIMEOUT",
    "CHAT_NEXT_TOKEN_TIMEOUT",
    "CHAT_FIRST_WORD_DEADLINE",
    "CHAT_REPLY_DEADLINE",
    "CHAT_LEASE",
    "CHAT_LEASE_RENEWAL",
    "CHAT_SWEEP_INTERVAL",
    "CHAT_DRAIN_TIMEOUT",
    "CHAT_BREAKER_WINDOW",
    "CHAT_BREAKER_REST",
    "CHAT_CONNECT_TIMEOUT",
    "CHAT_SILENCE_TIMEOUT",
)


def example_env() -> dict[str, str]:
    """The variables of `.env.example` with their values there."""
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def procfile(process: str) -> str:
    """The Procfile's command of that name."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        if name.strip() == process:
            return command.strip()
    raise AssertionError(f"The Procfile has no {process!r} line.")


def clean_env(*, fast: bool = False, **overrides: str) -> dict[str, str]:
    """An environment in which nothing is left to chance; `overrides` go last."""
    times = example_env() if fast else {}
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **example_env(),
        **canaries.SECRETS,
        "DEBUG": "off",
        "ALLOWED_HOSTS": "*",
        "SECURE_SSL_REDIRECT": "off",
        "CHAT_RATES": "off",
        "CHAT_BACKEND": "scripted",
        "CHAT_SUMMARIES": "off",  # a request that no test counts on
        "CHAT_BREAKER_FAILURES": "1000",  # tests fail it all the time
        "VOICE_BACKEND": "off",  # there is a key, but no service
        "KNOWLEDGE_EMBEDDINGS": "off",  # words alone: no model to load in every process
        **{name: str(float(times[name]) / 10) for name in TIMES if fast},
        **overrides,
    }


def manage(*arguments: str, env: Mapping[str, str]) -> str:
    """Runs a management command to its end; what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, ready: Any, *, timeout: float, every: float = 0.05) -> Any:
    """The first true answer of `ready`, or an `AssertionError` that says `what` did not come."""
    end = time.monotonic() + timeout
    while True:
        answer = ready()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {timeout:g} s"
        time.sleep(every)


class Server:
    """One process of the product, under the Procfile's own `web` command."""

    def __init__(self, env: Mapping[str, str], log: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.env = {**env, "PORT": str(self.port)}
        self.log_path = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/socket"

    @property
    def log(self) -> str:
        """All that the process has written so far, over its restarts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def spawn(self) -> Self:
        """Starts the process without waiting for it to serve."""
        assert not self.running, "the server already runs"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {procfile('web')}"],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def start(self) -> Self:
        """Starts the process and waits until it answers `/api/health`."""
        self.spawn()
        wait_for(f"{self.url}/api/health", self._healthy, timeout=STARTUP)
        return self

    def _healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"The server ended at its start:\n{self.log[-4000:]}"
        try:
            with DIRECT.open(f"{self.url}/api/health", timeout=5) as response:
                return bool(json.load(response)["status"] != "down")
        except (OSError, ValueError):
            return False

    def wait(self, timeout: float = 30) -> int:
        """Waits for the process to end by itself; its exit code."""
        assert self.process is not None
        return self.process.wait(timeout)

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM, as a platform restarts; waits for the end. The exit code."""
        self.terminate()
        return self.wait(timeout)

    def terminate(self) -> None:
        """SIGTERM alone."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as when the machine goes away."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait(10)

    def pause(self) -> None:
        """SIGSTOP: alive, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> Self:
        """A clean stop where it still runs, then a start on the same port."""
        if self.running:
            self.stop()
        return self.start()

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)


class Redis:
    """A Redis server of its own on a free port, with nothing on disk."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        assert binary, "These tests need Redis: install `redis-server` (Debian: apt-get install)."
        self.port = free_port()
        self.url = f"redis://:{canaries.REDIS_PASSWORD}@127.0.0.1:{self.port}/0"
        self.command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir"]
        self.command += [str(folder), "--save", "", "--appendonly", "no"]
        self.command += ["--requirepass", canaries.REDIS_PASSWORD]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, start_new_session=True
        )
        wait_for("Redis", lambda: answers("127.0.0.1", self.port), timeout=10)
        return self

    def stop(self) -> None:
        """Gone at once; `start` brings an empty one back on the same port."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


class Postgres:
    """A PostgreSQL server in which databases may be made: a running one, or one of our own.

    `TEST_POSTGRES_URL` names it; else the one on the standard port is asked, with the user
    `postgres` and no password; else a cluster is made in `folder` and ends with the session.
    With `own` it is our own in any case, for tests that stop it; with `durable` too, and what it
    commits is on the disk: for measuring.
    """

    def __init__(self, folder: Path, *, own: bool = False, durable: bool = False) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.durable = durable
        own = own or durable
        wanted = os.environ.get("TEST_POSTGRES_URL", "").rstrip("/")
        standard = "postgres://postgres@127.0.0.1:5432"
        running = "" if own else wanted or (standard if _accepts(standard) else "")
        self.url = running or self._own(folder)
        assert _accepts(self.url), f"No PostgreSQL answers at {self.url} (TEST_POSTGRES_URL)."
        # Who needs no password is let in with any: one that no log may hold.
        with_password = self.url.replace("postgres@", f"postgres:{canaries.DATABASE_PASSWORD}@", 1)
        self.url = with_password if _accepts(with_password) else self.url

    def _own(self, folder: Path) -> str:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        initdb = shutil.which("initdb") or (found and str(found[-1]))
        assert initdb, (
            "These tests need PostgreSQL: install it (Debian: apt-get install postgresql), or name "
            "a server in which databases may be made by TEST_POSTGRES_URL=postgres://user@host:port"
        )
        port, bin_dir = free_port(), Path(initdb).parent
        # It refuses to run as root, and its user must reach the folder.
        home = Path(tempfile.mkdtemp(prefix="salesagent-postgres-"))
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(home, "postgres")
        self.home = home
        data = str(home / "data")
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=home,
            user=user,
        )
        fsync = "on" if self.durable else "off"
        options = ["-k", str(home), "-h", "127.0.0.1", "-c", f"fsync={fsync}"]
        self._command = [str(bin_dir / "postgres"), "-D", data, "-p", str(port), *options]
        self._user, self._log = user, folder / "postgres.log"
        self.url = f"postgres://postgres@127.0.0.1:{port}"
        self.start()
        return self.url

    def start(self) -> None:
        """Starts our own, at first or after `stop`."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
                user=self._user,
            )
        wait_for("PostgreSQL", lambda: _accepts(self.url), timeout=30)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stops our own; SIGQUIT as in a crash, after which it recovers at its start."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)

    def database(self, name: str) -> str:
        return f"{self.url}/{name}"

    def create(self, name: str, template: str = "template0") -> str:
        """A new database, made as a copy of `template`; its address."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.database(name)

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """A statement of an administrator, outside of any transaction."""
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
            connection.execute(statement)

    def close(self) -> None:
        if self.process is not None:
            self.stop()
            shutil.rmtree(self.home, ignore_errors=True)


def _accepts(url: str) -> bool:
    address = urlsplit(url)
    if not answers(address.hostname or "127.0.0.1", address.port or 5432):
        return False
    try:
        psycopg.connect(f"{url}/postgres", connect_timeout=5).close()
    except psycopg.Error:
        return False
    return True


class Databases:
    """Fresh databases, migrated and with the demo in them: made once, then copied."""

    def __init__(self, folder: Path, postgres: Any) -> None:
        self.folder = folder
        self._postgres = postgres  # called when the first PostgreSQL database is asked for
        self._names = (f"salesagent_test_{os.getpid()}_{n}" for n in itertools.count())
        self._templates: dict[str, str] = {}

    @contextmanager
    def fresh(self, kind: str) -> Iterator[str]:
        """The address of a database of its own: "sqlite" or "postgres"."""
        if kind == "sqlite":
            yield self._sqlite()
            return
        assert kind == "postgres", f"no such database: {kind}"
        server, name = self._postgres(), next(self._names)
        if "postgres" not in self._templates:
            self._templates["postgres"] = next(self._names)
            _prepare(server.create(self._templates["postgres"]))
        try:
            yield server.create(name, self._templates["postgres"])
        finally:
            server.drop(name)

    def _sqlite(self) -> str:
        template = self.folder / "template.sqlite3"
        if "sqlite" not in self._templates:
            self._templates["sqlite"] = _prepare(f"sqlite:///{template}")
        path = self.folder / f"{next(self._names)}.sqlite3"
        source, copy = sqlite3.connect(template), sqlite3.connect(path)
        source.backup(copy)
        source.close()
        copy.close()
        return f"sqlite:///{path}"

    def close(self) -> None:
        if "postgres" in self._templates:
            self._postgres().drop(self._templates["postgres"])


def _prepare(url: str) -> str:
    env = clean_env(DATABASE_URL=url, CHAT_STATEMENT_TIMEOUT="0")
    manage("migrate", "--noinput", "--verbosity", "0", env=env)
    manage("seed_demo", "--password", STAFF_PASSWORD, env=env)
    key = f"Site.objects.update(identity_key={canaries.IDENTITY_KEY!r})"
    manage("shell", "-c", f"from chat.models import Site; {key}", env=env)
    return url


class Stack:
    """Servers that share one database, and a Redis where one is given.

    At its end nothing may stand in their logs that `canaries` knows, and no traceback, unless the
    test sets `expects_tracebacks` since it takes something away from them.
    """

    expects_tracebacks = False

    def __init__(
        self, folder: Path, database_url: str, redis: Redis | None, *, fast: bool, env: Any
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.redis = redis
        self.servers: list[Server] = []
        given = {"DATABASE_URL": database_url, "REDIS_URL": redis.url if redis else ""}
        self.env = clean_env(fast=fast, **{**given, **env})

    def add(self, **env: str) -> Server:
        """One more server, not started; `env` is for it alone."""
        log = self.folder / f"server-{len(self.servers)}.log"
        self.servers.append(Server({**self.env, **env}, log))
        return self.servers[-1]

    def start(self, count: int = 1) -> Self:
        """Starts `count` more servers side by side and waits for all of them."""
        added = [self.add().spawn() for _ in range(count)]
        for server in added:
            wait_for(f"{server.url}/api/health", server._healthy, timeout=STARTUP)
        return self

    @property
    def server(self) -> Server:
        return self.servers[0]

    def manage(self, *arguments: str) -> str:
        """A management command on this stack's database; what it printed."""
        return manage(*arguments, env=self.env)

    def drop_database(self) -> None:
        """Takes the PostgreSQL database away under the running servers."""
        base, name = self.database_url.rsplit("/", 1)
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(statement)

    @property
    def log(self) -> str:
        return "".join(server.log for server in self.servers)

    def close(self) -> None:
        for server in self.servers:
            server.kill()
        if self.redis is not None:
            self.redis.stop()
        faults = canaries.faults_in(self.log, tracebacks=self.expects_tracebacks)
        assert faults == [], "\n".join(faults)


def collect_static() -> None:
    """`collectstatic` into the settings' STATIC_ROOT, unless what lies there is still right."""
    manifest = ROOT / "staticfiles" / "staticfiles.json"
    with (Path(tempfile.gettempdir()) / f"salesagent-collect-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests share the folder
        sources = [
            ROOT / "requirements.txt",
            ROOT / "salesagent" / "static.py",
            *ROOT.glob("static/**/*"),
            *ROOT.glob("*/static/**/*"),
        ]
        newest = max(path.stat().st_mtime for path in sources)
        if not manifest.exists() or manifest.stat().st_mtime < newest:
            manage("collectstatic", "--noinput", "--verbosity", "0", env=clean_env())
