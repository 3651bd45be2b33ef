"""Prepares the database and the demo, says where to look, and serves by the Procfile's command."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = os.environ.get("PORT", "8000")
sys.path.insert(0, str(ROOT))
os.chdir(ROOT)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesagent.settings")


def web_command() -> str:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("web:"))


def require_sound_settings() -> None:
    """Ends with what is wrong in `.env` or the environment, before anything is made."""
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except (ImproperlyConfigured, ValueError) as error:
        sys.exit(f"A setting cannot be read, from .env or the environment: {error}")
    from chat import checks

    refusals = checks.refusals()
    if refusals:
        reasons = "\n".join(f"  {refusal.msg}\n    {refusal.hint}" for refusal in refusals)
        sys.exit(f"These settings, from .env or the environment, cannot be served with:\n{reasons}")


def prepare() -> str:
    """Migrates and seeds; the words that tell how staff log in."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import OperationalError

    print("Preparing the database and the demo ...", flush=True)
    logging.disable(logging.INFO)  # the server's log is not what a newcomer looks for here
    password = os.environ.get("DEMO_STAFF_PASSWORD", "")  # settings have read .env
    try:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("seed_demo", *(["--password", password] if password else []))
    except OperationalError as error:
        sys.exit(f"The database that DATABASE_URL names does not answer: {error}")
    if not settings.DEBUG:
        print("Collecting static files, since DEBUG is off ...", flush=True)
        call_command("collectstatic", interactive=False, verbosity=0)
    staff = get_user_model().objects.filter(username="staff").first()
    if staff and password and staff.check_password(password):
        return f"staff, password {password}"
    return "staff, with its own password (new one: .venv/bin/python manage.py changepassword staff)"


def serve() -> int:
    """Runs the server until it ends; 0 where it ended because it was told to."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    told = []

    def pass_on(number: int, _: object) -> None:
        told.append(number)
        if number == signal.SIGTERM:  # a terminal's Ctrl-C reaches the server by itself
            server.send_signal(number)

    server = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {web_command()}"], env={**os.environ, "PATH": path, "PORT": PORT}
    )
    signal.signal(signal.SIGINT, pass_on)
    signal.signal(signal.SIGTERM, pass_on)
    code = server.wait()
    if told:
        print("Stopped.", flush=True)
        return 0
    return code if code >= 0 else 128 - code


def main() -> int:
    require_sound_settings()
    login = prepare()
    here = f"http://localhost:{PORT}"
    print(
        f"\n  The page with the chat   {here}/\n"
        f"  On a company's website   {here}/demo\n"
        f"  The chat alone           {here}/chat/demo\n"
        f"  For staff                {here}/admin/  ({login})\n\n"
        "Serving; Ctrl-C ends it.\n",
        flush=True,
    )
    return serve()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
