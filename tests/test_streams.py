"""What arrives in a stream, without a network: events, chunks, tool calls in pieces."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.llm import Done, Event, Text, ToolCall
from chat.llm.completions import _Reply
from chat.llm.sse import LINE_LIMIT, EventReader, StreamBroken
from chat.llm.toolcalls import ToolCalls


# --- Tool calls -----------------------------------------------------------------------------------
def delta(index: int | None, id: str | None, name: str | None, args: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"function": {"name": name, "arguments": args}}
    if index is not None:
        found["index"] = index
    if id is not None:
        found["id"] = id
    return found


TWO = [("a", "f", "12"), ("b", "g", "34")]


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        pytest.param(
            [delta(0, "a", "f", "1"), delta(0, None, None, "2"), delta(1, "b", "g", "34")],
            TWO,
            id="as documented",
        ),
        pytest.param(
            [
                delta(0, "a", "f", "1"),
                delta(1, "b", "g", "3"),
                delta(0, None, None, "2"),
                delta(1, None, None, "4"),
            ],
            TWO,
            id="interleaved",
        ),
        pytest.param(
            [delta(0, "a", "f", "12"), delta(0, "b", "g", "34")], TWO, id="one index for all"
        ),
        pytest.param(
            [
                delta(None, "a", "f", "1"),
                delta(None, None, None, "2"),
                delta(None, "b", "g", "34"),
            ],
            TWO,
            id="no index",
        ),
        pytest.param(
            [
                delta(0, "a", "f", None),
                delta(0, "a", "f", "12"),
                delta(1, "b", "g", ""),
                delta(1, "", "", "34"),
            ],
            TWO,
            id="id and name repeated, null and empty pieces",
        ),
        pytest.param(
            [delta(None, None, "f", "12"), delta(None, None, "g", "34")],
            [("call_0", "f", "12"), ("call_1", "g", "34")],
            id="neither index nor id",
        ),
        pytest.param(
            [delta(0, "x", "f", "12"), delta(1, "x", "g", "34")],
            [("x", "f", "12"), ("call_1", "g", "34")],
            id="the same id twice",
        ),
        pytest.param(
            [delta(0, "a", "f", {"n": 1})], [("a", "f", '{"n": 1}')], id="arguments as an object"
        ),
        pytest.param(["nonsense", None, {"function": 3}], [("call_0", "unknown", "")], id="junk"),
    ],
)
def test_tool_calls_are_put_together(deltas: list[Any], calls: list[tuple[str, str, str]]) -> None:
    collected = ToolCalls()
    for each in deltas:
        collected.add([each])
    assert [(call.id, call.name, call.arguments) for call in collected.whole()] == calls


# --- What a chunk holds ---------------------------------------------------------------------------
def reply_of(*deltas: dict[str, Any], finish: str = "stop") -> list[Event]:
    """The events for these deltas, one piece of the network each."""
    reply = _Reply("m", ["save_lead"])
    events: list[Event] = []
    for number, each in enumerate((*deltas, {})):
        end = finish if number == len(deltas) else None
        chunk = {"choices": [{"delta": each, "finish_reason": end}]}
        if text := reply.feed(f"data: {json.dumps(chunk)}\n\n".encode()):
            events.append(Text(text))
    return [*events, *reply.last()]


def texts_of(*contents: str) -> list[str]:
    events = reply_of(*({"content": content} for content in contents))
    return [event.text for event in events if isinstance(event, Text)]


def test_halves_of_a_character_are_joined() -> None:
    assert texts_of("a\ud83d", "\ude00b") == ["a", "😀b"]


def test_lone_halves_and_nul_are_dropped() -> None:
    assert texts_of("a\ude00b\0", "c\ud83d", "d\ud83d") == ["ab", "c", "d"]


def test_a_refusal_is_shown_and_reasoning_is_not() -> None:
    assert reply_of({"reasoning_content": "Hm."}, {"refusal": "No."})[:-1] == [Text("No.")]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("length", "length"), ("content_filter", "content_filter"), ("eos", "stop")],
)
def test_reasons_for_the_end(finish: str, reason: str) -> None:
    assert reply_of({"content": "Hi"}, finish=finish)[-1] == Done(reason, None, "m")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "save_lead", "arguments": {"name": "Ann"}}',
        '```json\n{"name": "save_lead", "parameters": {"name": "Ann"}}\n```',
        '<tool_call>\n{"name": "save_lead", "arguments": {"name": "Ann"}}\n</tool_call>',
        '{{"name": "save_lead", "arguments": {"name": "Ann"}}}',
        '{"function": {"name": "save_lead", "arguments": "{\\"name\\": \\"Ann\\"}"}}',
    ],
)
def test_a_tool_call_written_as_text_is_one(written: str) -> None:
    call, done = reply_of(*({"content": letter} for letter in written))
    assert call == ToolCall("call_0", "save_lead", '{"name": "Ann"}')
    assert isinstance(done, Done)
    assert done.stop_reason == "tool_calls"


@pytest.mark.parametrize(
    "written", ['{"name": "other_tool", "arguments": {}}', '{"name": "save_lead", "argu', "```"]
)
def test_what_is_no_call_in_the_end_is_shown(written: str) -> None:
    assert "".join(texts_of(*written)) == written


@pytest.mark.parametrize("first", ["Hello", "{curly}", "`code`", "<b>", "1. One"])
def test_ordinary_first_words_are_not_held_back(first: str) -> None:
    assert texts_of(first, " there")[0] == first


# --- Events of the stream -------------------------------------------------------------------------
STREAM = (
    b"\xef\xbb\xbf: hello\r\nid: 1\r\nretry: 5\r\n\r\n"
    b"data: Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80\r\n\r\n"
    b"event: error\ndata:no space\n\ndata: two\ndata: lines\n\n\ndata\n\ndata: one\n\n"
    b":\n\rdata: cr\r\r"
)
EVENTS = [
    ("Grüße 😀", ""),
    ("no space", "error"),
    ("two\nlines", ""),
    ("", ""),
    ("one", ""),
    ("cr", ""),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_however_the_body_is_cut(cuts: list[int]) -> None:
    reader, edges = EventReader(), [0, *sorted(cuts), len(STREAM)]
    found = [e for a, b in pairwise(edges) for e in reader.feed(STREAM[a:b])]
    assert [*found, *reader.close()] == EVENTS


@pytest.mark.parametrize("before", [b"", b"data: a\n", b"event: b\n", b"dat", b"data: c\r"])
@pytest.mark.parametrize("whole", [b"data: x\n\n", b"data: x \r\n\r\n", b"data: x\n\ndata: y\n\n"])
def test_a_piece_that_is_one_event_reads_as_its_bytes_do(before: bytes, whole: bytes) -> None:
    at_once, bytewise = EventReader(), EventReader()
    found = [*at_once.feed(before), *at_once.feed(whole), *at_once.close()]
    body = before + whole
    single = [e for at in range(len(body)) for e in bytewise.feed(body[at : at + 1])]
    assert found == [*single, *bytewise.close()]


def test_the_last_event_needs_no_empty_line() -> None:
    reader = EventReader()
    assert reader.feed(b"data: [DONE]") == []
    assert [event.data for event in reader.close()] == ["[DONE]"]


@pytest.mark.parametrize("piece", [b"x" * 65536, b"data: " + b"x" * 60000 + b"\n"])
def test_what_never_ends_is_broken(piece: bytes) -> None:
    reader = EventReader()
    endless = (reader.feed(piece) for _ in range(LINE_LIMIT // len(piece) + 2))
    with pytest.raises(StreamBroken):
        list(endless)


@given(st.binary(max_size=300))
def test_no_bytes_break_a_reply_in_other_ways(body: bytes) -> None:
    reply = _Reply("m", ["save_lead"])
    text = reply.feed(b"data: " + body + b"\n\n") + reply.feed_end()
    text.encode()


KEYS = ["choices", "delta", "content", "tool_calls", "function", "finish_reason", "usage", "error"]
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_like)
def test_no_json_breaks_a_reply_in_other_ways(chunk: Any) -> None:
    reply = _Reply("m", ["save_lead"])
    reply.feed(f"data: {json.dumps({'choices': [chunk], 'usage': chunk})}\n\n".encode())
    reply.feed(f"data: {json.dumps(chunk)}\n\n".encode())
    list(reply.last())
