"""A token is what the server signed, whole, for one site and thirty days: or it is nothing."""

import json
import string
import time
import uuid
from typing import Any

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from chat import tokens
from chat.identity import Signed

MINE = tokens.Identity(
    "demo", uuid.UUID(int=7), uuid.UUID(int=9), "de", Signed("42", "a@b.example")
)
TOKEN = tokens.issue(MINE)
LETTERS = string.ascii_letters + string.digits + "-_:."


def refused(token: str) -> bool:
    try:
        tokens.read(token)
    except tokens.BadToken:
        return True
    return False


def test_a_token_says_who_holds_it() -> None:
    assert tokens.read(TOKEN) == MINE


def test_no_single_bit_may_flip() -> None:
    for at in range(len(TOKEN)):
        for bit in range(7):
            flipped = chr(ord(TOKEN[at]) ^ 1 << bit)
            assert refused(TOKEN[:at] + flipped + TOKEN[at + 1 :])


def test_no_character_may_be_another_or_missing() -> None:
    for at in range(len(TOKEN)):
        assert refused(TOKEN[:at] + TOKEN[at + 1 :])
        assert refused(TOKEN[:at])
        for letter in set(LETTERS) - {TOKEN[at]}:
            assert refused(TOKEN[:at] + letter + TOKEN[at + 1 :])


@given(st.lists(st.tuples(st.integers(0, len(TOKEN)), st.text(LETTERS, max_size=3)), max_size=4))
def test_no_mixture_of_changes_is_taken(changes: list[tuple[int, str]]) -> None:
    token = TOKEN
    for at, text in changes:
        token = token[:at] + text + token[at + len(text) :]
    assert token == TOKEN or refused(token)


@given(st.text(max_size=200) | st.text(LETTERS, max_size=200) | st.binary().map(bytes.hex))
def test_nothing_made_up_is_taken(text: str) -> None:
    assert refused(text)


@given(st.text(LETTERS, min_size=1, max_size=40))
def test_a_signature_goes_with_its_own_words_alone(payload: str) -> None:
    words, time, signature = TOKEN.rsplit(":", 2)
    assert refused(f"{payload}:{time}:{signature}")
    assert refused(f"{words}:{payload}:{signature}")
    assert refused(f"{words}:{time}:{payload}")


PAYLOAD = ["demo", uuid.UUID(int=7).hex, uuid.UUID(int=9).hex, ""]


@pytest.mark.parametrize(
    "token",
    [
        signing.dumps(PAYLOAD),
        signing.dumps(PAYLOAD, salt="django.contrib.sessions"),
        signing.dumps(PAYLOAD, salt="chat.visitor-token", key="another key"),
        signing.b64_encode(json.dumps(PAYLOAD).encode()).decode(),
        signing.b64_encode(json.dumps(PAYLOAD).encode()).decode() + "::",
        "eyJhbGciOiJub25lIn0.eyJzaXRlIjoiZGVtbyJ9.",
        "." + TOKEN,
        TOKEN + ":",
        " " + TOKEN,
        TOKEN + "\n",
        TOKEN * 2,
    ],
)
def test_another_signature_or_none_is_not_ours(token: str) -> None:
    assert refused(token)


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        None,
        "demo",
        PAYLOAD[:3],
        ["demo", "x", "y", ""],
        ["demo", 1, 2, ""],
        [*PAYLOAD, 1, 2, 3, 4, 5],
    ],
)
def test_what_is_signed_but_no_identity_is_refused(payload: Any) -> None:
    assert refused(signing.dumps(payload, salt="chat.visitor-token"))


def test_thirty_days_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now, token = time.time(), tokens.issue(MINE)
    monkeypatch.setattr("time.time", lambda: now + tokens.MAX_AGE - 5)
    assert tokens.read(token) == MINE
    monkeypatch.setattr("time.time", lambda: now + tokens.MAX_AGE + 5)
    assert refused(token)


def test_an_earlier_key_holds_while_it_is_named(settings: Settings) -> None:
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "a new one, just as long and made of many different letters 987"
    assert refused(TOKEN)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert tokens.read(TOKEN) == MINE
