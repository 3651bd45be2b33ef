"""Servers as a platform runs them: the fixtures that every process test builds on, and the door."""

import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.client import Client, post
from tests.conftest import MakeStack
from tests.servers import DIRECT, ROOT, Server, Stack, clean_env, free_port, procfile, wait_for


async def test_a_client_talks_with_a_server(sqlite_server: Server) -> None:
    async with await Client.open(sqlite_server) as client:
        assert client.frames[0]["type"] == "status"


def test_a_pair_shares_database_and_redis(postgres_pair: Stack) -> None:
    assert postgres_pair.redis is not None
    assert len(postgres_pair.servers) == 2


def test_a_server_comes_back_on_its_port(stack: MakeStack) -> None:
    server = stack().server
    server.kill()
    assert server.restart().running


def test_sigterm_ends_a_server(stack: MakeStack) -> None:
    assert stack().server.stop() in (0, -15)


async def test_other_sockets_are_refused(sqlite_server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{sqlite_server.port}/elsewhere", proxy=None)
    assert refused.value.response.status_code == 403
    assert "Traceback" not in sqlite_server.log


async def test_a_socket_behind_a_tls_proxy_is_asked_for_by_wss(stack: MakeStack) -> None:
    server = stack(env={"TRUSTED_PROXY_HOPS": "1"}).server
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    _, init, _ = await post(server, "/api/chat/init", {"site": "demo"}, told)
    assert init["socket"].startswith("wss://")


async def test_nobody_but_a_trusted_proxy_says_https(sqlite_server: Server) -> None:
    told = {"X-Forwarded-Proto": "https"}
    _, init, _ = await post(sqlite_server, "/api/chat/init", {"site": "demo"}, told)
    assert init["socket"].startswith("ws://")


def test_the_release_phase_migrates_and_says_what_is_left_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", procfile("release")],
        cwd=ROOT,
        env=clean_env(DATABASE_URL=f"sqlite:///{tmp_path / 'new.sqlite3'}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Applying chat.0001_initial... OK" in done.stdout
    assert "setup_site" in done.stderr


def test_runserver_serves_too(stack: MakeStack) -> None:
    made = stack(servers=0)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env={**made.env, "DEBUG": "on"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("runserver", lambda: _status(f"http://127.0.0.1:{port}/api/health"), timeout=40)
    finally:
        process.kill()
        process.wait()


def _status(url: str) -> int | None:
    try:
        with DIRECT.open(url, timeout=5) as response:
            return int(response.status)
    except OSError:
        return None
