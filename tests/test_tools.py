"""Tool calls: what a model may do, and that it can do nothing else."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat.llm import ToolCall
from chat.tools import LIMITS, TOOLS, HandOver, Offer, Refused, SaveLead, parse

WORDS = (
    "Hi, I'm Anna-Lena Müller from Blue Heron GmbH.\n"
    "We need 25 bikes before 1 May.\n"
    "Mail me at Anna.Mueller@heron.example, or call +49 (0)171 / 234 56-78."
)


def save(words: str = WORDS, **arguments: Any) -> Any:
    return parse(ToolCall("1", "save_lead", json.dumps(arguments)), words)


def test_a_lead_in_the_visitors_own_words_is_saved() -> None:
    fields = {
        "name": "Anna-Lena Müller",
        "email": "anna.mueller@heron.example",
        "phone": "+49 (0)171 2345678",
        "company": "Blue Heron GmbH",
        "note": "Needs 25 bikes before 1 May.",
    }
    assert save(**fields) == SaveLead(fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "ANNA-LENA MÜLLER"),
        ("name", "Anna"),
        ("company", "blue heron"),
        ("email", "ANNA.MUELLER@HERON.EXAMPLE"),
        ("phone", "01712345678"),
        ("phone", "+4901712345678"),
        ("note", "Wants to be called on 0171 2345678."),
        ("note", "Wants 25 bikes, mail to anna.mueller@heron.example."),
        ("note", "Wants a quote; no numbers in it."),
    ],
)
def test_told_however_it_is_written(field: str, value: str) -> None:
    assert save(**{field: value}) == SaveLead({field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Bob"),
        ("name", "Anna Smith"),
        ("name", "25"),
        ("name", "Anna" * 31),
        ("company", "Heron Blue"),
        ("company", "Heron AG"),
        ("email", "human@example.com"),
        ("email", "mueller@heron.example"),
        ("email", "anna.mueller@heron"),
        ("email", "not an address"),
        ("phone", "555 0100 200"),
        ("phone", "25"),
        ("phone", "call 01712345678"),
        ("phone", "2345678 0171"),
        ("note", "Budget is 90000 euros."),
        ("note", "Reach them at boss@heron.example."),
        ("note", "x" * 1001),
        ("name", ["Anna"]),
        ("name", {"first": "Anna"}),
        ("phone", 1712345678),
        ("note", True),
    ],
)
def test_not_told_is_refused_and_the_rest_is_saved(field: str, value: Any) -> None:
    other = "company" if field == "name" else "name"
    told = {"name": "Anna", "company": "Blue Heron"}[other]
    assert save(**{other: told, field: value}) == SaveLead({other: told}, (field,))


def test_numbers_of_two_messages_do_not_run_into_each_other() -> None:
    words = "We need 50\n0171 2345678"
    assert save(words, phone="0171 2345678") == SaveLead({"phone": "0171 2345678"})
    assert isinstance(save(words, phone="5001712345678"), Refused)


def test_a_number_in_front_does_not_hide_a_phone_number() -> None:
    assert save("from 9 0171 2345678", phone="01712345678") == SaveLead({"phone": "01712345678"})


@pytest.mark.parametrize(
    ("words", "name"),
    [("我叫王伟", "王伟"), ("저는 김민수입니다", "김민수"), ("Ich bin Ayşe!", "Ayşe")],
)
def test_names_in_other_writings(words: str, name: str) -> None:
    assert save(words, name=name) == SaveLead({"name": name})


def test_an_address_beside_punctuation() -> None:
    assert save("(mailto:bo@x.example).", email="bo@x.example") == SaveLead(
        {"email": "bo@x.example"}
    )


def test_unknown_fields_are_dropped() -> None:
    assert save(name="Anna", discount="90 %", score=99) == SaveLead({"name": "Anna"})


def test_white_space_and_controls_are_cleaned() -> None:
    assert save(name=" Anna-Lena\n\x07 Müller ") == SaveLead({"name": "Anna-Lena Müller"})


def test_nothing_to_save_is_said() -> None:
    assert save(name="Bob") == Refused(
        "Not saved: name must be what the visitor wrote. Ask the visitor."
    )
    assert save() == Refused("Not saved: no value was given. Ask the visitor.")


def test_empty_and_null_mean_not_given() -> None:
    assert save(name="Anna", email="", phone=None) == SaveLead({"name": "Anna"})


@pytest.mark.parametrize(
    "arguments", ['{"reason": "wants a person"}', '```json\n{"reason": "wants a person"}\n```']
)
def test_hand_over_with_its_reason(arguments: str) -> None:
    assert parse(ToolCall("1", "hand_over", arguments), "") == HandOver("wants a person")


@pytest.mark.parametrize("arguments", ["", "{}", '{"reason": 3}', '{"reason": null}'])
def test_hand_over_needs_no_reason(arguments: str) -> None:
    assert parse(ToolCall("1", "hand_over", arguments), "") == HandOver("")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("drop_tables", "{}", "There is no such tool. Answer the visitor in words."),
        ("save_lead", '{"name": "Ann', "The arguments are not valid JSON."),
        ("save_lead", '{"note": NaN}', "The arguments are not valid JSON."),
        ("save_lead", '["Anna"]', "The arguments must be one JSON object."),
        ("save_lead", '"' + "x" * 1_000_000 + '"', "The arguments are too long."),
        ("save_lead", "[" * 16_000, "The arguments are not valid JSON."),
        ("save_lead", "9" * 16_000, "The arguments are not valid JSON."),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    name: str, arguments: str, message: str
) -> None:
    assert parse(ToolCall("1", name, arguments), WORDS) == Refused(message)


@pytest.mark.parametrize("bomb", ['{"a":' * 2500 + "1" + "}" * 2500, "[" * 8000 + "]" * 8000])
def test_nested_bombs_are_refused(bomb: str) -> None:
    assert isinstance(parse(ToolCall("1", "save_lead", bomb), WORDS), Refused)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.sampled_from(WORDS.split()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["save_lead", "hand_over", "offer_replies", "other"]),
    st.text()
    | st.dictionaries(st.sampled_from([*LIMITS, "reason", "replies", "x"]), values).map(json.dumps),
    st.text() | st.just(WORDS),
)
@example("save_lead", '{"name": "\\ud800", "note": "\\u0000"}', "\x00")
def test_any_call_is_answered(name: str, arguments: str, words: str) -> None:
    action = parse(ToolCall("1", name, arguments), words)
    if isinstance(action, SaveLead):
        assert action.fields
        assert all(len(value) <= LIMITS[field] for field, value in action.fields.items())
        assert "\x00" not in json.dumps(action.fields, ensure_ascii=False)
    if isinstance(action, Offer):
        assert 2 <= len(action.replies) <= 4
        assert all(0 < len(text) <= 80 for text in action.replies)


def offer(replies: Any) -> Any:
    return parse(ToolCall("1", "offer_replies", json.dumps({"replies": replies})), "")


@pytest.mark.parametrize(
    ("replies", "offered"),
    [
        (["Yes", "No"], ("Yes", "No")),
        (["  Desk\nOak ", "Elm\u0000"], ("Desk Oak", "Elm")),
        (["Yes", "Yes", "No"], ("Yes", "No")),
        (["A", "B", "C", "D", "E"], ("A", "B", "C", "D")),
        (["Yes", 5, None, "", "x" * 81, "No"], ("Yes", "No")),
    ],
)
def test_quick_replies_are_short_lines(replies: Any, offered: tuple[str, ...]) -> None:
    assert offer(replies) == Offer(offered)


@pytest.mark.parametrize("replies", [None, "Yes", [], ["Yes"], ["Yes", "Yes"], {"a": "b"}, [["a"]]])
def test_what_is_no_choice_is_not_offered(replies: Any) -> None:
    assert isinstance(offer(replies), Refused)


def test_what_the_website_signed_need_not_be_said() -> None:
    ada = {"name": "Ada Byron", "email": "ada@visitor.example"}

    def told(**fields: str) -> Any:
        call = ToolCall("1", "save_lead", json.dumps(fields))
        return parse(call, "Yes, please", ada)

    assert told(**ada) == SaveLead(ada)
    assert told(name="Ada Byron", email="eve@visitor.example") == SaveLead(
        {"name": "Ada Byron"}, ("email",)
    )
    assert isinstance(told(company="ada@visitor.example"), Refused)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("words", ["a" * 200_000, "1 " * 100_000, "@" * 200_000, "1@a." * 50_000])
def test_long_words_take_no_long_time(words: str) -> None:
    fields = {"name": "Anna", "email": "b@c.example", "phone": "0171234567", "note": "1 a@b.c"}
    assert isinstance(save(words, **fields), Refused | SaveLead)


def test_schemas_allow_nothing_else() -> None:
    assert [tool.name for tool in TOOLS] == ["save_lead", "hand_over", "offer_replies"]
    assert all(tool.parameters["additionalProperties"] is False for tool in TOOLS)
    assert set(TOOLS[0].parameters["properties"]) == set(LIMITS)
