"""What is measured, each as a process tree pinned to one core: the product, the floor, Chainlit."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.load import ChainlitChat, Chat, FloorChat, Meter, ProductChat
from tests.servers import (
    ROOT,
    Databases,
    Postgres,
    Redis,
    Stack,
    answers,
    clean_env,
    free_port,
    manage,
    procfile,
    wait_for,
)

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
OTHER_CORES = set(CORES[1:]) or {SERVER_CORE}
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE") // 1024  # KiB


@contextmanager
def on_core(cores: set[int]) -> Iterator[None]:
    """What is started in the block stays on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Subject:
    """A server that runs, and how to be its visitor."""

    name: str
    process: "subprocess.Popen[bytes]"
    port: int
    redis: Redis | None = None
    tokens: Iterator[str] | None = None

    def chat(self, meter: Meter) -> Chat:
        if self.tokens is not None:
            return ProductChat(meter, self.port, next(self.tokens))
        return (ChainlitChat if self.name == "Chainlit" else FloorChat)(meter, self.port)

    def _tree(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        return found

    def cpu(self) -> float:
        """Seconds of CPU that it has used so far."""
        used = 0
        for pid in self._tree():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
        return used / TICK

    def rss(self) -> int:
        """KiB in memory."""
        return (
            sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in self._tree()) * PAGE
        )

    def redis_connections(self) -> int:
        assert self.redis is not None
        client = redis.Redis.from_url(self.redis.url)
        own = client.client_id()
        found = [one for one in client.client_list() if int(one["id"]) != own]
        client.close()
        return len(found)


def core_busy() -> float:
    """Seconds that the server's core was not idle, whoever used it."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *times = line.split()
        if name == f"cpu{SERVER_CORE}":
            return (sum(map(int, times[:8])) - int(times[3]) - int(times[4])) / TICK
    return 0.0


@contextmanager
def model() -> Iterator[str]:
    """The model's server, in a process of its own; its base URL."""
    port = free_port()
    with on_core(OTHER_CORES):
        process = subprocess.Popen([sys.executable, "-m", "bench.model", str(port)], cwd=ROOT)
    try:
        wait_for("the model's server", lambda: answers("127.0.0.1", port), timeout=20)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def product(folder: Path, databases: Databases, model_url: str, chats: int) -> Iterator[Subject]:
    """The Procfile's own command on PostgreSQL and Redis, with tokens for `chats` visitors."""
    with on_core(OTHER_CORES):
        redis_server = Redis(folder).start()
    with databases.fresh("postgres") as url:
        env = {
            "CHAT_BACKEND": "completions",
            "OPENAI_BASE_URL": model_url,
            "OPENAI_API_KEY": "none",
            "CHAT_REPLIES": "1000",  # the cap would hide where the core ends
            "CHAT_LAG_LIMIT": "5",
        }
        stack = Stack(folder, url, redis_server, fast=False, env=env)
        issue = (
            "from chat import tokens\n"
            f"for _ in range({chats}): print(tokens.issue(tokens.fresh('demo')))"
        )
        tokens = manage("shell", "--no-imports", "-c", issue, env=stack.env).split()
        try:
            with on_core({SERVER_CORE}):
                server = stack.add().start()
            assert server.process is not None
            yield Subject("the product", server.process, server.port, redis_server, iter(tokens))
        finally:
            stack.close()


@contextmanager
def _other(name: str, command: list[str], env: dict[str, str], cwd: Path) -> Iterator[Subject]:
    port = free_port()
    command = [part.replace("$PORT", str(port)) for part in command]
    with on_core({SERVER_CORE}), (cwd / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(name, lambda: answers("127.0.0.1", port), timeout=60)
        yield Subject(name, process, port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def floor(folder: Path, model_url: str) -> Iterator[Subject]:
    """The bare relay, by the Procfile's command with its own application."""
    web = procfile("web").replace("salesagent.asgi:application", "bench.floor:application")
    env = clean_env(MODEL_URL=model_url, PYTHONPATH=str(ROOT))
    with _other("the floor", ["/bin/sh", "-c", f"exec {web}"], env, folder) as subject:
        yield subject


@contextmanager
def chainlit(folder: Path, model_url: str, venv: Path) -> Iterator[Subject]:
    """Chainlit from a virtual environment of its own."""
    app = folder / "app.py"
    app.write_text((ROOT / "bench" / "chainlit_app.py").read_text())
    command = [str(venv / "bin" / "chainlit"), "run", str(app), "--headless", "--port", "$PORT"]
    env = {
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "MODEL_URL": model_url,
        "CHAINLIT_APP_ROOT": str(folder),
    }
    with _other("Chainlit", command, env, folder) as subject:
        yield subject


def postgres(folder: Path) -> Postgres:
    """One that keeps what it says it has kept: a commit is on the disk."""
    with on_core(OTHER_CORES):
        return Postgres(folder, durable=True)
