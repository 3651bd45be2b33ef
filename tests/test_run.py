"""`make run`: what a newcomer sees between the command and the page."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import DIRECT, ROOT, clean_env, free_port, wait_for

pytestmark = pytest.mark.process


@pytest.fixture
def development(tmp_path: Path) -> dict[str, str]:
    """The environment of a fresh checkout, with a database of its own."""
    return clean_env(
        DEBUG="on",
        CHAT_BACKEND="guided",
        DATABASE_URL=f"sqlite:///{tmp_path / 'run.sqlite3'}",
        DEMO_STAFF_PASSWORD="opens-the-admin-of-the-demo",
        PORT=str(free_port()),
    )


@pytest.fixture
def running(development: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with (tmp_path / "run.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "scripts/run.py"],
            cwd=ROOT,
            env=development,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        with DIRECT.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_it_serves_what_it_prints_and_ctrl_c_ends_it(
    development: dict[str, str], running: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    here = f"http://localhost:{development['PORT']}"
    wait_for("the chat's page", lambda: answers(f"{here}/chat/demo"), timeout=60)
    assert answers(f"{here}/")
    assert answers(f"{here}/admin/login/")

    os.killpg(running.pid, signal.SIGINT)

    assert running.wait(20) == 0
    said = (tmp_path / "run.log").read_text()
    for address in ("/", "/demo", "/chat/demo", "/admin/"):
        assert f"{here}{address}" in said
    assert "staff" in said
    assert "Stopped." in said
    assert development["DEMO_STAFF_PASSWORD"] in said
    assert "Traceback" not in said


def test_a_taken_port_is_told_before_anything_else(development: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", int(development["PORT"])))  # noqa: S104
        other.listen()
        done = subprocess.run(
            [sys.executable, "scripts/setup.py", "--serve", "requirements.txt"],
            cwd=ROOT,
            env=development,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"Port {development['PORT']} is taken" in done.stderr


def test_without_a_python_it_says_which_is_needed(tmp_path: Path) -> None:
    """An old `python3` alone: it is found, asked, and passed over."""
    make = shutil.which("make")
    assert make
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [make, "run", "BIN=/nowhere"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("DEBUG", "maybe"),
        ("CHAT_BACKEND", "parrot"),
        ("DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3"),
    ],
)
def test_a_wrong_setting_is_told_in_words(
    development: dict[str, str], setting: str, value: str
) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/run.py"],
        cwd=ROOT,
        env={**development, setting: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert setting in done.stderr
    assert "Traceback" not in done.stderr
