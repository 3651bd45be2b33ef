"""Frames in and out: what is taken, what is refused, how text is cleaned, and what the docs say."""

import json
import re
import unicodedata
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import wire

EXAMPLES = json.loads((Path(__file__).parent / "wire.json").read_text())
DOCS = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text()
ID = "0b0e8a9c-6a53-4f27-9d2f-5a0c6f6f1c11"


def say(text: str) -> str:
    return json.dumps({"type": "message", "client_id": ID, "text": text})


def refusal(raw: str | bytes | None) -> wire.BadFrame:
    with pytest.raises(wire.BadFrame) as refused:
        wire.parse(raw)
    return refused.value


@pytest.mark.parametrize("kind", wire.UPWARDS)
def test_example_of_each_frame_upwards_is_taken(kind):
    frame = wire.parse(json.dumps(EXAMPLES["up"][kind]))
    assert type(frame).__name__.lower() == {"message": "say"}.get(kind, kind)


@pytest.mark.parametrize("kind", wire.DOWNWARDS)
def test_example_of_each_frame_downwards_is_what_the_function_makes(kind):
    example = dict(EXAMPLES["down"][kind])
    example.pop("type")
    if kind == "message":
        assert wire.message(example["message"]) == EXAMPLES["down"][kind]
    else:
        assert getattr(wire, kind)(**example) == EXAMPLES["down"][kind]


def test_examples_are_complete():
    assert set(EXAMPLES["up"]) == set(wire.UPWARDS)
    assert set(EXAMPLES["down"]) == set(wire.DOWNWARDS)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"{}",
        "",
        "{",
        "[]",
        '"connect"',
        "null",
        '{"type": "unknown"}',
        '{"type": ["message"]}',
        '{"no": "type"}',
        '{"type": "typing"}',
        '{"type": "typing", "on": 1}',
        '{"type": "typing", "on": null}',
        '{"type": "status", "rev": -1}',
        '{"type": "status", "rev": 1.0}',
        '{"type": "status", "rev": true}',
        '{"type": "status", "rev": 1e400}',
        '{"type": "status", "rev": NaN}',
        '{"type": "status", "rev": 99999999999999999999}',
        '{"type": "typing", "on": true, "x": 1' + "0" * 5000 + "}",
        '{"type": "typing", "on": true, "x": ' + "[" * 50 + "]" * 50 + "}",
        "[" * 8000,
        '{"type": "connect", "token": "a", "rev": 0}',
        '{"type": "connect", "token": "a", "rev": 0, "v": 2}',
        '{"type": "connect", "token": "a", "rev": 0, "v": true}',
        '{"type": "connect", "token": "\\u0000", "rev": 0, "v": 1}',
        '{"type": "connect", "token": "a", "rev": 0, "v": 1, "page": "here"}',
        '{"type": "message", "client_id": "1", "text": "hello"}',
        '{"type": "message", "client_id": "' + ID + '", "text": 5}',
        '{"type": "message", "client_id": "' + ID + '"}',
        '{"type": "feedback", "message": "' + ID + '", "value": 2}',
        '{"type": "regenerate", "message": "' + ID + '", "attempt": 0}',
        '{"type": "stop", "message": null}',
        say("a\x00b"),
        '{"type": "message", "client_id": "' + ID + '", "text": "half \\ud83d"}',
        '{"type": "typing", "on": true, "x": "' + "a" * wire.MAX_FRAME + '"}',
    ],
)
def test_broken_frame_is_refused_and_counts(raw):
    refused = refusal(raw)
    assert refused.code == "bad_frame"
    assert refused.counts
    assert refused.message


def test_blank_text_counts_for_no_close():
    refused = refusal(say(" \n\u202e\ufeff "))
    assert (refused.code, refused.counts, refused.client_id) == ("bad_frame", False, ID)


def test_unknown_fields_are_ignored_and_null_is_absent():
    frame = wire.parse(json.dumps({**EXAMPLES["up"]["message"], "voice": None, "more": [1]}))
    assert frame == wire.Say(ID, "What does it cost?", voice=False, consent="5f3a90c1b2d4")


@pytest.mark.parametrize("text", ["a" * 2000, "\U0001f600" * 1000, "e\u0301" * 2000])
def test_text_of_2000_units_is_taken(text):
    frame = wire.parse(say(text))
    assert isinstance(frame, wire.Say)
    assert wire.units(frame.text) == 2000


@pytest.mark.parametrize("text", ["a" * 2001, "\U0001f600" * 1000 + "a"])
def test_longer_text_is_too_long(text):
    refused = refusal(say(text))
    assert (refused.code, refused.client_id, refused.counts) == ("too_long", ID, False)


def feedback(comment: object) -> str:
    return json.dumps({"type": "feedback", "message": ID, "value": -1, "comment": comment})


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, ""),
        ("  \n ", ""),
        (" wrong\r\nprice\u202e ", "wrong\nprice"),
        ("a" * 500, "a" * 500),
        ("\U0001f600" * 250, "\U0001f600" * 250),
    ],
)
def test_a_comment_is_cleaned(sent, kept):
    assert wire.parse(feedback(sent)) == wire.Feedback(ID, -1, kept)


@pytest.mark.parametrize(
    ("sent", "code", "counts"),
    [
        ("a" * 501, "too_long", False),
        ("\U0001f600" * 250 + "a", "too_long", False),
        (5, "bad_frame", True),
        (["a"], "bad_frame", True),
        ("a\x00", "bad_frame", True),
        ("\ud83d", "bad_frame", True),
    ],
)
def test_a_comment_that_cannot_be_taken(sent, code, counts):
    refused = refusal(feedback(sent))
    assert (refused.code, refused.about, refused.counts) == (code, ID, counts)


def test_text_is_cleaned():
    assert wire.clean("  a\r\nb\rc\x07\u202ed\u2066\te\u0301 \n") == "a\nb\ncd\t\u00e9"
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert wire.clean(family) == family


@given(st.text())
def test_clean_text_stays_clean(text):
    try:
        cleaned = wire.clean(text)
    except ValueError:
        return
    assert wire.clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    cleaned.encode()


@given(st.text(), st.integers(0, 50))
def test_cut_keeps_a_beginning_and_splits_no_pair(text, limit):
    short = wire.cut(text, limit)
    assert text.startswith(short)
    assert wire.units(short) <= limit
    assert wire.units(short) >= min(limit - 1, wire.units(text))


@given(st.text(max_size=300) | st.binary(max_size=100))
def test_nothing_but_a_bad_frame_comes_of_anything(raw):
    with pytest.raises(wire.BadFrame):
        wire.parse(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(wire.UPWARDS),
    st.dictionaries(
        st.sampled_from(
            ["token", "rev", "v", "epoch", "page", "locale", "client_id", "text", "voice", "on",
             "message", "attempt", "value", "comment", "conversation", "open"]
        ),
        json_values | st.just(ID),
    ),
)  # fmt: skip
def test_any_fields_give_a_frame_or_a_bad_frame(kind, fields):
    try:
        frame = wire.parse(json.dumps({**fields, "type": kind}))
    except wire.BadFrame as refused:
        code = refused.code
    else:
        code = "bad_frame"
        assert type(frame).__module__ == "chat.wire"
    assert code in ("bad_frame", "too_long")


def test_frames_are_not_escaped():
    assert "é" in wire.encode(wire.delta(ID, 1, 0, "é"))


@given(st.text(), st.integers(min_value=1), st.integers(min_value=0))
def test_a_delta_is_encoded_as_every_frame_is(text: str, attempt: int, off: int) -> None:
    frame = (ID, attempt, off, text)
    assert wire.encoded_delta(*frame) == wire.encode(wire.delta(*frame))


def documented(section: str) -> set[str]:
    """The first column of the table under that heading of docs/protocol.md."""
    part = DOCS.split(f"### {section}", 1)[1].split("\n### ", 1)[0]
    return set(re.findall(r"^\| `(\w+)`", part, re.MULTILINE))


def test_docs_name_the_frames():
    assert documented("Upwards") == set(wire.UPWARDS)
    assert documented("Downwards") == set(wire.DOWNWARDS)


@pytest.mark.parametrize(("section", "side"), [("Upwards", "up"), ("Downwards", "down")])
def test_docs_name_the_fields(section, side):
    part = DOCS.split(f"### {section}", 1)[1].split("\n### ", 1)[0]
    for kind, example in EXAMPLES[side].items():
        row = re.search(rf"^\| `{kind}` \|(.*)$", part, re.MULTILINE)
        assert row, kind
        for name in example.keys() - {"type"}:
            assert f"`{name}`" in row[1], (kind, name)


def test_docs_name_the_codes():
    for code in get_args(wire.ErrorCode):
        assert f"`{code}`" in DOCS
    for name in dir(wire):
        if name.startswith("CLOSE_"):
            assert str(getattr(wire, name)) in DOCS, name
