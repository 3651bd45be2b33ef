"""What the code does not do, but for a few places with a reason: make text into code.

Ruff forbids what Python imports by name (`banned-api` in pyproject.toml); this looks at the rest.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers import ROOT

PRODUCT = ("chat", "knowledge", "landing", "salesagent", "static", "templates", "voice")


@dataclass(frozen=True)
class Ban:
    """`pattern` stands in no file with one of these endings, but for those `allowed`, and why."""

    pattern: str
    suffixes: tuple[str, ...]
    sample: str  # that it catches
    allowed: Mapping[str, str] = field(default_factory=dict)


PY, JS, HTML = (".py",), (".js",), (".html", ".svg", ".xml")

BANS = {
    "text that counts as markup": Ban(
        r"\bmark_safe\b|\bSafe(?:String|Text|Data)\(|__html__|\bsafe=True|allow_tags",
        PY,
        "mark_safe(name)",
    ),
    "markup that is not escaped": Ban(
        r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off|\{%\s*filter\s+safe", HTML, "{{ name|safe }}"
    ),
    "text that becomes markup in a browser": Ban(
        r"\b(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|createContextualFragment"
        r"|DOMParser|HTMLUnsafe|\bsrcdoc\b",
        JS,
        "it.innerHTML = text",
    ),
    "text that becomes code in a browser": Ban(
        r"\beval\(|\bnew Function\b|\bset(?:Timeout|Interval)\(\s*[\"'`]|javascript:|vbscript:",
        JS,
        "setTimeout('hostile()')",
    ),
    "text that becomes code here": Ban(
        r"(?<![\w.])(?:eval|exec)\(|\bpickle\b|\bmarshal\b|yaml\.load|\bTemplate\(|shell=True",
        PY,
        "eval(text)",
    ),
    "SQL that is written by hand": Ban(
        r"\bRawSQL\b|(?:objects|query_?set|rows|\))\.raw\(|\.extra\(|\.cursor\(\)|\bby_hand\(",
        PY,
        "Lead.objects.raw(query)",
        {
            "chat/budgets.py": "one conditional update for all payers; values are parameters",
            "chat/checks.py": "asks whether the database is there",
            "chat/health.py": "SELECT 1",
            "chat/management/commands/fill_demo.py": "ANALYZE, of tables that the models name",
            "salesagent/prepared.py": "what the ORM compiled, or `by_hand`; values are parameters",
            "chat/replies.py": "one UPDATE for many texts; values are parameters",
        },
    ),
    "posts without a token": Ban(
        r"\bcsrf_exempt\b|csrf_trusted|_dont_enforce_csrf_checks",
        PY,
        "@csrf_exempt",
        {"chat/views.py": "the interface reads no cookie: who asks shows a bearer's token"},
    ),
    "answers without a policy": Ban(
        r"\bcsp_exempt\b|xframe_options_(?:exempt|sameorigin)|unsafe-inline|unsafe-eval|UNSAFE_",
        PY,
        "@csp_exempt",
        {"salesagent/policy.py": "Alpine, in the admin alone"},
    ),
    "code within a page": Ban(
        r"<script(?![^>]*\ssrc=)|<style\b|\s(?:on[a-z]+|style)=[\"']|javascript:",
        HTML,
        '<a onclick="x()">',
    ),
    "a window that can reach back": Ban(
        r"<a\b(?=[^>]*_blank)(?![^>]*noopener)", HTML, '<a href="x" target="_blank">'
    ),
    "requests to elsewhere": Ban(
        r"^\s*(?:import|from) (?:requests|urllib\.request|urllib3|http\.client|aiohttp|httpx2?)\b",
        PY,
        "import requests",
        {
            "chat/llm/completions.py": "the model, at the address of a setting",
            "chat/llm/failures.py": "names of its errors",
            "voice/management/commands/check_voice.py": "how the service refuses, as it is",
            "voice/smallest.py": "the voice, at the address of a setting",
            "chat/outbound.py": "webhooks, at public addresses alone",
            "knowledge/embeddings.py": "the embeddings, at the address of a setting",
        },
    ),
}


def files(suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_text()


def uses(ban: Ban) -> dict[str, list[str]]:
    pattern = re.compile(ban.pattern, re.MULTILINE)
    found = {name: pattern.findall(text) for name, text in files(ban.suffixes)}
    return {name: each for name, each in found.items() if each}


@pytest.mark.parametrize("what", BANS)
def test_nothing_does_what_is_banned(what: str) -> None:
    assert set(uses(BANS[what])) == set(BANS[what].allowed)


@pytest.mark.parametrize("what", BANS)
def test_each_ban_sees_what_it_bans(what: str) -> None:
    assert re.search(BANS[what].pattern, BANS[what].sample, re.MULTILINE)
    assert len(list(files(BANS[what].suffixes))) > 10


# --- Markup is written in the code, and only its gaps are filled ---------------------------------

FILLED = {"format_html": 0, "format_html_join": 1}  # which argument is the markup


def calls(name: str, text: str) -> Iterator[tuple[int, ast.expr]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
            yield node.lineno, node.args[FILLED[name]]


@pytest.mark.parametrize("name", FILLED)
def test_markup_is_a_constant(name: str) -> None:
    found = [(file, *call) for file, text in files(PY) for call in calls(name, text)]
    assert len(found) >= 2
    loose = [(file, line) for file, line, markup in found if not isinstance(markup, ast.Constant)]
    assert loose == []


def test_a_form_that_posts_has_a_token() -> None:
    forms = 0
    for name, text in files(HTML):
        for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.DOTALL):
            assert "{% csrf_token %}" in form, name
            forms += 1
    assert forms >= 4


def test_ruff_forbids_them_by_name() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in ("mark_safe", "RawSQL", "csrf_exempt", "csp_exempt", "xframe_options_exempt"):
        assert re.search(rf'^"django\.[\w.]+\.{name}"|^"csp\.[\w.]+\.{name}"', text, re.MULTILINE)
    assert '"TID251"' in text


def test_scripts_and_styles_come_from_here_alone() -> None:
    """No page of ours names a foreign host for a script, a style, a font or a picture."""
    named = [
        (name, address)
        for name, text in files((*HTML, ".css"))
        for address in re.findall(r"(?:src|srcset|href|url\()=?[\"'(]?(https?:[^\"')\s]+)", text)
    ]
    assert [it for it in named if "www.w3.org" not in it[1]] == []
    assert Path(ROOT / "static").is_dir()
