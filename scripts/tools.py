"""Programs beside Python that tests and checks use: found, installed, or named as missing.

tools.py chromium redis-server        finds each, installs what is missing where it may
tools.py --where chromium             prints where it is
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def _which(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def chromium() -> str | None:
    """Any Chromium: the one named by CHROMIUM, the system's, or the one playwright fetched."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright")
    fetched = sorted(cache.expanduser().glob("chromium-*/chrome-linux*/chrome"))
    system = _which("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return system or (str(fetched[-1]) if fetched else None)


def postgresql() -> str | None:
    """`initdb`, from which the tests make a server of their own; or the server they are given."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    own = _which("initdb") or (str(installed[-1]) if installed else None)
    return os.environ.get("TEST_POSTGRES_URL") or own


def node() -> str | None:
    """Node.js with a test runner: 18 or newer."""
    found = _which("node", "nodejs")
    if not found:
        return None
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    major = done.stdout.strip().lstrip("v").split(".")[0]
    return found if major.isdigit() and int(major) >= 18 else None


# By the name of the Debian package, with what it is needed for.
TOOLS: dict[str, tuple[Callable[[], str | None], str]] = {
    "chromium": (chromium, "the browser tests (or name one by CHROMIUM=/path)"),
    "postgresql": (postgresql, "the tests on PostgreSQL (or name a server by TEST_POSTGRES_URL)"),
    "redis-server": (lambda: _which("redis-server"), "the tests with two processes"),
    "espeak-ng": (lambda: _which("espeak-ng"), "the tests of a voice on this machine"),
    "gettext": (lambda: _which("msgfmt"), "checking the translations"),
    "nodejs": (
        node,
        "the tests of the widget (Node 18 or newer; the product needs none)",
    ),
    "npm": (lambda: _which("npm"), "checking the types of the widget"),
}


def install(packages: list[str]) -> None:
    """By apt-get, where there is one and we are root."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print(f"Installing {', '.join(packages)} ...", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments], env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(f"apt-get {' '.join(arguments)}:\n{done.stderr[-1500:]}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--where"]:
        print(TOOLS[arguments[1]][0]() or "")
        return 0
    missing = [name for name in arguments if not TOOLS[name][0]()]
    if missing:
        install(missing)
    lacking = [name for name in missing if not TOOLS[name][0]()]
    for name in lacking:
        print(f"Missing: {name}, for {TOOLS[name][1]}.", file=sys.stderr)
    if lacking:
        print(f"On Debian and Ubuntu: apt-get install {' '.join(lacking)}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
