"""The staff's frames: what is taken, what is refused, and that the docs say the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chat import staff_wire, wire

DOCS = (Path(__file__).parent.parent / "docs" / "desk.md").read_text()
ID = "0b0e8a9c-6a53-4f27-9d2f-5a0c6f6f1c11"
TALK = "7d1b6f4e-93c5-4a51-8f0e-3f1f4f2f9c20"
UP: dict[str, dict[str, Any]] = {
    "watch": {"conversation": TALK, "rev": 3},
    "take": {"conversation": TALK},
    "say": {"conversation": TALK, "id": ID, "text": "Yes, on Monday."},
    "typing": {"conversation": TALK, "on": True},
    "back": {"conversation": TALK, "brief": "Ten desks, 5 % off."},
    "suggest": {"conversation": TALK},
    "status": {"rev": 3},
}
# What only the staff's socket sends; the others are those of docs/protocol.md.
DOWN = {
    "ready": staff_wire.ready("Vera", 20, True, False, {"waiting": "Somebody waits."}),
    "status": staff_wire.status(
        conversation={"id": TALK, "epoch": 1, "rev": 3, "state": "human"},
        speaker={"name": "Vera", "you": True},
        waiting=None,
        messages=[],
        open=None,
        full=False,
        more=False,
    ),
    "suggestion": staff_wire.suggestion(TALK, "How many desks?"),
    "news": staff_wire.news("waiting", TALK, "Acme Desks"),
}


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading of the docs: each type with its fields, `?` where optional."""
    part = DOCS.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    found = re.findall(r"^\| `(\w+)` \| (.*?) \|", part, re.MULTILINE)
    return {name: re.findall(r"`(\w+)`(\??)", fields) for name, fields in found}


def test_the_docs_name_each_frame_upwards_with_its_fields() -> None:
    said = {name: {field for field, _ in fields} for name, fields in rows("Upwards").items()}
    assert said == {name: set(fields) for name, fields in UP.items()}
    assert set(UP) == set(staff_wire.UPWARDS)


def test_the_docs_name_each_frame_downwards_with_its_fields() -> None:
    said = {name: {field for field, _ in fields} for name, fields in rows("Downwards").items()}
    assert set(said) == set(staff_wire.DOWNWARDS)
    for name, frame in DOWN.items():
        assert said[name] == set(frame) - {"type"}


@pytest.mark.parametrize("kind", staff_wire.UPWARDS)
def test_a_frame_with_all_its_fields_is_taken(kind: str) -> None:
    frame = staff_wire.parse(json.dumps({"type": kind, **UP[kind]}))
    assert type(frame).__name__.lower() == kind


@pytest.mark.parametrize("kind", staff_wire.UPWARDS)
def test_a_field_may_be_missing_only_where_the_docs_say_so(kind: str) -> None:
    for name, optional in rows("Upwards")[kind]:
        fields = {key: value for key, value in UP[kind].items() if key != name}
        raw = json.dumps({"type": kind, **fields})
        if optional:
            staff_wire.parse(raw)
        else:
            with pytest.raises(wire.BadFrame):
                staff_wire.parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"{}",
        "",
        "[]",
        '{"type": "message"}',
        '{"type": ["say"]}',
        '{"type": "take", "conversation": "1"}',
        '{"type": "take", "conversation": null}',
        '{"type": "watch", "conversation": "' + TALK + '", "rev": -1}',
        '{"type": "typing", "conversation": "' + TALK + '", "on": 1}',
        '{"type": "say", "conversation": "' + TALK + '", "id": "' + ID + '", "text": " "}',
        '{"type": "say", "conversation": "' + TALK + '", "id": "' + ID + '", "text": "a\\u0000"}',
        '{"type": "say", "conversation": "' + TALK + '", "id": "x", "text": "hello"}',
        '{"type": "status", "rev": 0, "x": "' + "a" * wire.MAX_FRAME + '"}',
    ],
)
def test_a_broken_frame_is_refused(raw: Any) -> None:
    with pytest.raises(wire.BadFrame):
        staff_wire.parse(raw)


@pytest.mark.parametrize(("kind", "field"), [("say", "text"), ("back", "brief")])
def test_words_are_cleaned_and_bounded(kind: str, field: str) -> None:
    frame = staff_wire.parse(json.dumps({"type": kind, **UP[kind], field: " a\r\nb\u202e "}))
    assert getattr(frame, field) == "a\nb"
    with pytest.raises(wire.BadFrame) as refused:
        staff_wire.parse(json.dumps({"type": kind, **UP[kind], field: "a" * 2001}))
    assert refused.value.code == "too_long"


def test_a_refusal_names_what_it_is_about() -> None:
    with pytest.raises(wire.BadFrame) as refused:
        staff_wire.parse(json.dumps({"type": "say", **UP["say"], "text": 5}))
    assert refused.value.about == ID
