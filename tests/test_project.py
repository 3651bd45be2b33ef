"""What a newcomer and a platform rely on: the files around the code say what the code does."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.servers import ROOT, example_env, procfile

CODE = {".py", ".js", ".css"}
GENERATED = {".venv", "migrations", "staticfiles", "node_modules", ".git"}


def files(*suffixes: str) -> list[Path]:
    """The project's own files with one of these endings."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in GENERATED and "_cache" not in name]
        found += [Path(folder) / name for name in names if Path(name).suffix in suffixes]
    return found


def settings_names() -> set[str]:
    source = (ROOT / "salesagent" / "settings.py").read_text()
    return set(re.findall(r'(?:env\.\w+|flag|words|number|whole)\(\s*"([A-Z][A-Z0-9_]*)"', source))


def test_every_variable_has_its_line_in_the_example() -> None:
    assert set(example_env()) == settings_names()


def test_every_variable_of_the_example_is_explained() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    bare = [b for a, b in pairwise(lines) if re.match(r"[A-Z]", b) and not a.startswith("# ")]
    assert bare == []


def settings_under(env: dict[str, str]) -> dict[str, str]:
    """All settings, as the environment alone makes them: no developer's `.env` speaks here."""
    code = """
import environ, json
environ.Env.read_env = lambda *arguments, **options: None
import salesagent.settings as s
print(json.dumps({name: repr(value) for name, value in vars(s).items() if name.isupper()}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.defpath, **env, "SECRET_KEY": "x" * 50},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return dict(json.loads(re.sub(r" at 0x[0-9a-f]+", "", done.stdout)))  # of functions


def test_the_example_changes_nothing() -> None:
    """Its values are those that hold where nothing is set."""
    unset, example = settings_under({}), settings_under(example_env())
    # DATABASES: a relative path there, the project's own folder in the code.
    assert {name for name in unset if unset[name] != example[name]} <= {"DATABASES"}


def test_the_procfile_serves_as_decided() -> None:
    web = procfile("web")
    for part in (
        "uvicorn salesagent.asgi:application",
        "--host 0.0.0.0 --port $PORT",
        "--loop uvloop",
        "--ws websockets-sansio",
        "--ws-per-message-deflate false",
        "--ws-max-size 65536",
        "--timeout-keep-alive 100",  # a router that keeps it for 90 s is the one to end it
        "--timeout-graceful-shutdown 20",
        "--no-proxy-headers",
        "--lifespan on",
    ):
        assert part in web
    assert "migrate --noinput" in procfile("release")


def test_the_button_asks_for_what_production_needs() -> None:
    app = json.loads((ROOT / "app.json").read_text())
    assert app["env"]["SECRET_KEY"] == {
        "description": app["env"]["SECRET_KEY"]["description"],
        "generator": "secret",
    }
    assert set(app["env"]) <= set(example_env()) | {"WEB_CONCURRENCY"}
    assert {"PUBLIC_URL", "ALLOWED_HOSTS", "OPENAI_API_KEY"} <= set(app["env"])


REQUIREMENTS = pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])


@REQUIREMENTS
def test_requirements_are_hashed_and_name_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    pinned = re.findall(r"^[\w.\[\],-]+==[^\n]*\\\n\s+--hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))
    assert "://" not in text


@REQUIREMENTS
def test_every_python_gets_the_same_versions(name: str) -> None:
    lines = re.findall(r"^([\w.\[\],-]+==[^\\\n]*)", (ROOT / name).read_text(), re.MULTILINE)
    versions: dict[str, set[str]] = defaultdict(set)
    for python in ("3.11", "3.12", "3.13"):
        here = {"python_version": python, "python_full_version": f"{python}.9"}
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate(here):
                versions[requirement.name].add(str(requirement.specifier))
    assert {package for package, found in versions.items() if len(found) > 1} == set()


@pytest.mark.parametrize(
    ("package", "pattern"),
    [("redis", r"[567]\."), ("daphne", r"4\.(2\.[2-9]|[3-9])"), ("django", r"5\.2\.")],
)
def test_pins_that_were_learnt_the_hard_way(package: str, pattern: str) -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert re.search(rf"^{package}=={pattern}", text, re.MULTILINE)


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make run" in text
    assert "make test" in text


def test_links_between_the_documents_lead_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", document.read_text())
        if not (document.parent / link).exists()
    ]
    assert broken == []


def test_the_licence_is_there() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert "the Sales Agent authors" in text


def test_no_file_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files(*CODE)
        if (lines := len(path.read_text().splitlines())) > 500
    }
    assert long == {}


def test_no_file_names_a_machine() -> None:
    here = [str(path) for path in (ROOT, Path.home()) if len(path.parts) > 1]
    looked_at = [*files(*CODE, ".md", ".toml", ".txt", ".html", ".json", ".po", ".svg")]
    looked_at += [ROOT / name for name in ("Makefile", "Procfile", ".env.example", ".ci/run")]
    named = [
        str(path.relative_to(ROOT))
        for path in looked_at
        if any(re.search(rf"{re.escape(place)}(?![\w-])", path.read_text()) for place in here)
    ]
    assert named == []
