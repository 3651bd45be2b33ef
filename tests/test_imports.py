"""Imports run one way: pages to chat, chat to its leaves, and nothing back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

APPS = ("salesagent", "chat", "knowledge", "voice", "landing", "integrations", "analytics")

# What each app may import of the others.
BETWEEN: dict[str, set[str]] = {
    "landing": set(),
    "knowledge": set(),
    "voice": set(),
    "chat": {"knowledge", "voice"},
    "integrations": {"chat"},
    "analytics": {"chat"},
}

# What knows nothing of any app, and so may be used by all.
FOR_ALL = (["salesagent", "static"], ["salesagent", "prepared"])

# What each module of chat may import of chat. A module that is not named here is pure.
STORED = {
    "models",
    "identity",
    "looks",
    "visitors",
    "conversations",
    "personas",
    "limits",
    "origins",
    "tokens",
    "database",
    "rights",
    "budgets",
    "consents",
    "erasing",
    "leads",
    "deliveries",
    "outbound",
}
SHOWN = {"wire", "staff_wire", "live", "sockets", "metrics"}
DOOR = STORED | SHOWN
DOOR |= {"turns", "notices", "process", "backends", "gate", "paid", "watching", "speaking"}
WRITING = (
    STORED | SHOWN | {"context", "tools", "llm", "leaks", "prompts", "knowing", "replies", "paid"}
)
CHAT: dict[str, set[str]] = {
    "urls": {"views", "pages", "frames", "own", "hearing"},
    "apps": {"checks", "rights", "database", "knowing"},
    "consumers": DOOR | {"reading", "visit"},
    "staff_consumer": DOOR | {"consumers", "staff", "staff_visit"},
    "staff_visit": DOOR | {"audit", "handover", "staff", "suggestions"},
    "suggestions": WRITING | {"backends", "summaries"},
    "staff_wire": {"wire"},
    "handover": {"models", "conversations", "replies"},
    "finding": {"models"},
    "audit": {"models"},
    "visit": DOOR | {"reading", "languages"},
    "reading": DOOR,
    "views": DOOR | {"health", "pages"},
    "health": {"backends", "gate", "live", "paid", "speaking", "watching"},
    "frames": DOOR | {"views", "reading", "visit", "lines"},
    "lines": {"live", "sockets"},
    "own": DOOR | {"views", "exports"},
    "hearing": DOOR | {"views"},
    "pages": DOOR | {"demo"},
    # llm: the prices as delivered; context: how long instructions are
    "admin": DOOR
    | {"money", "llm", "lint", "differences", "playground", "tools", "context", "prompts"}
    | {"gaps", "audit", "staff", "finding", "health", "hours", "twofactor"},
    "notices": STORED | {"money"},
    "process": WRITING
    | {"turns", "handover", "notices", "backends", "watching", "lines", "speaking"},
    "watching": {"turns", "backends", "gate", "live", "limits", "metrics", "speaking"},
    "speaking": STORED | SHOWN | {"breaker", "paid", "replies", "languages"},
    "leads": {"models", "conversations", "evidence", "deliveries"},
    "deliveries": {"models", "outbound", "privacy"},
    "outbound": set(),
    "turns": WRITING | {"ahead", "writing", "backends", "gate", "summaries"},
    "ahead": STORED | {"backends", "paid", "prompts"},
    "summaries": WRITING | {"writing", "backends", "gate"},
    "gate": {"live"},
    "writing": WRITING | {"backends"},
    "backends": {"llm", "breaker"},
    "breaker": {"llm"},
    "replies": {"models", "conversations", "languages"},
    "prompts": {"models", "personas", "context", "tools", "llm"},
    "knowing": {"models", "database", "budgets", "paid", "llm", "context"},
    "identity": {"wire"},
    "tokens": {"identity"},
    "visitors": {"models", "conversations", "consents", "identity", "tokens"},
    "looks": {"models", "origins", "personas"},
    # wire: how much fits into one frame
    "conversations": {"campaigns", "hours", "models", "consents", "erasing", "identity"}
    | {"personas", "wire"},
    "personas": {"models"},
    "limits": {"models"},
    "models": {"campaigns", "money", "privacy"},
    "consents": {"models", "privacy"},
    "erasing": {"models", "privacy", "budgets"},
    "exports": {"models", "privacy"},
    "pruning": {"models", "erasing", "tokens"},
    "budgets": {"models", "money", "llm"},  # llm: what a model costs
    "paid": {"budgets", "database", "llm"},
    "origins": {"models"},
    "rights": {"models"},
    "playground": WRITING | {"backends"},
    "gaps": {"audit", "models"},
    "lint": set(),
    "differences": set(),
    "logins": {"limits"},
    "checks": {"models", "limits", "llm"},  # llm: the prices a setting states
    "tools": {"llm", "evidence"},
    "demo": {"campaigns", "models", "personas", "evidence"},
    "staff": {"models", "rights", "twofactor"},
    "layer": {"metrics"},
    "live": {"layer", "wire", "sockets", "spoken", "metrics"},
    "sockets": {"wire", "spoken", "metrics"},
    "spoken": {"wire"},
}
PURE = (
    "campaigns",
    "context",
    "tools",
    "llm",
    "wire",
    "leaks",
    "metrics",
    "evidence",
    "outbound",
    "lint",
    "differences",
)


def sources() -> list[Path]:
    """All modules of the product, without migrations and commands (those may import their app)."""
    found = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    return [path for path in found if not {"migrations", "management"} & set(path.parts)]


def imported(path: Path) -> Iterator[str]:
    """The dotted names of ours that a file imports, `from chat import turns` as `chat.turns`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: name the whole module"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in APPS)


def module(path: Path) -> tuple[str, str]:
    """App and module of a file; a folder counts as one module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0], parts[1]


def edges() -> Iterator[tuple[Path, str, str, list[str]]]:
    for path in sources():
        app, name = module(path)
        for dotted in imported(path):
            yield path.relative_to(ROOT), app, name, dotted.split(".")


def test_the_walk_sees_the_product() -> None:
    assert {module(path)[0] for path in sources()} >= {"salesagent", "chat", "knowledge"}
    assert ("chat", "chat.models") in {(e[1], ".".join(e[3][:2])) for e in edges()}


def test_apps_import_downwards() -> None:
    wrong = [
        f"{path}: {'.'.join(target)}"
        for path, app, _, target in edges()
        if app != "salesagent" and target[0] != app and target[0] not in BETWEEN[app]
        if target[:2] not in FOR_ALL
    ]
    assert wrong == []


def test_what_is_for_all_knows_nothing_of_ours() -> None:
    wrong = [f"{e[0]}: {'.'.join(e[3])}" for e in edges() if list(e[1:3]) in FOR_ALL]
    assert wrong == []


def test_inside_chat_imports_run_one_way() -> None:
    wrong = [
        f"{path}: {'.'.join(target)}"
        for path, app, name, target in edges()
        if app == target[0] == "chat" and target[1] not in CHAT.get(name, set()) | {name}
    ]
    assert wrong == []


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_know_nothing_of_ours(name: str) -> None:
    wrong = [
        f"{path}: {'.'.join(target)}"
        for path, app, module_name, target in edges()
        if app == "chat"
        and module_name == name
        and target[:2] not in (["chat", name], ["chat", "llm"], ["chat", "evidence"])
    ]
    assert wrong == []


def test_only_one_file_knows_the_channel_layer() -> None:
    users = {module(path)[1] for path in sources() if "channels.layers" in path.read_text()}
    assert users - {"settings"} <= {"layer"}


def test_only_one_folder_knows_the_models_vendor() -> None:
    vendor = re.compile(r"^\s*(?:import|from) openai\b", re.MULTILINE)
    users = {path.parent for path in sources() if vendor.search(path.read_text())}
    assert users <= {ROOT / "chat" / "llm"}


def test_no_module_is_named_for_nothing() -> None:
    named = {path.stem for path in sources()} | {path.parent.name for path in sources()}
    assert (
        named & {"utils", "helpers", "services", "managers", "selectors", "common", "misc"} == set()
    )
