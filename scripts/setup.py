"""Makes `.venv` and `.env` where they are missing or out of date, and serves when asked to.

Run by the Makefile with whatever Python it found, so this file needs nothing but that.

    setup.py [--serve] requirements.txt
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def say(line: str) -> None:
    print(line, flush=True)


def make_venv() -> None:
    """A virtual environment that runs; one left behind by a moved folder is made again."""
    works = PYTHON.exists() and (
        subprocess.run(
            [PYTHON, "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    if works:
        return
    version = ".".join(str(number) for number in sys.version_info[:3])
    say(f"Making a virtual environment in .venv, with Python {version} ...")
    made = subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--clear", VENV],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            f"Python could not make a virtual environment:\n{made.stdout}{made.stderr}\n"
            "On Debian and Ubuntu that is a package of its own: apt-get install python3-venv"
        )


def install(requirements: Path) -> None:
    """Installs the file's packages, unless just these are there already."""
    stamp = VENV / f"installed-{requirements.name}"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    total = len(re.findall(r"^[\w.\[\]-]+==", requirements.read_text(), re.MULTILINE))
    say(f"Installing up to {total} packages from {requirements.name} ...")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    process = subprocess.Popen(
        [*pip, "--progress-bar", "off", "--require-hashes", "-r", str(requirements)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    written = _show(process, total)
    if process.wait() != 0:
        sys.exit(f"{''.join(written[-15:])}\npip could not install {requirements.name}.")
    stamp.write_text(wanted)


def _show(process: "subprocess.Popen[str]", total: int) -> list[str]:
    """Tells how far pip is, in few words; all that it wrote."""
    written, count, terminal = [], 0, sys.stdout.isatty()
    for line in process.stdout or []:
        written.append(line)
        found = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
        if found:
            count += 1
            text = f"  {count} of {total}: {found[1]}"
            if terminal:
                print(f"\r{text:<60}", end="", flush=True)
            elif count % 10 == 0:
                say(text)
        elif line.startswith("Installing collected packages"):
            text = "  all fetched, unpacking ..."
            say(f"\r{text:<60}" if terminal else text)
    return written


def make_env() -> None:
    """An `.env` for development; one that is there stays as it is."""
    path = ROOT / ".env"
    if path.exists():
        return
    say("Writing .env for development: DEBUG on, and secrets made up for this machine.")
    path.write_text(
        "# For development on this machine alone. What else can stand here: .env.example\n"
        "DEBUG=on\n"
        f"SECRET_KEY={secrets.token_urlsafe(50)}\n"
        "# The demo's staff login, read by `make run`.\n"
        f"DEMO_STAFF_PASSWORD={secrets.token_urlsafe(9)}\n"
    )
    path.chmod(0o600)


def require_port(port: str) -> None:
    """Ends with a clear sentence where the port cannot be served on."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        sys.exit(f"PORT is {port!r}; it must be a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", int(port)))  # noqa: S104 - as the server will
        except PermissionError:
            sys.exit(f"Port {port} is not yours to use. Choose another: make run PORT=8001")
        except OSError:
            sys.exit(
                f"Port {port} is taken by another program. Stop that one, or choose another port: "
                f"make run PORT={min(int(port) + 1, 65535)}"
            )


def main(arguments: list[str]) -> None:
    serve = "--serve" in arguments
    if serve:
        require_port(os.environ.get("PORT", "8000"))
    make_venv()
    install(ROOT / arguments[-1])
    make_env()
    if serve:
        os.execv(PYTHON, [str(PYTHON), str(ROOT / "scripts" / "run.py")])  # noqa: S606


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
