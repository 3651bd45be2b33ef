"""What the guard lets through of a reply, and where it stops it."""

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import leaks, personas
from chat.leaks import Guard

CANARY = "xq3f9a0c3f9b7d21e5"
WORDS = personas.DEFAULT_INSTRUCTIONS
TEXTS = st.text(max_size=80) | st.text("xq3f9a0c b7d21e5-", max_size=60)


def through(text: str, cuts: list[int], instructions: str = "") -> tuple[str, str]:
    """What passes of `text`, cut into pieces, and what the guard says at the end."""
    guard, shown = Guard(CANARY, instructions), ""
    at = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    for start, end in pairwise(at):
        shown += guard.passes(text[start:end])
    return shown + guard.rest(), guard.leaked


def plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


@given(
    TEXTS,
    TEXTS,
    st.lists(st.integers(0, 400), max_size=12),
    st.sampled_from(["", " ", "-", " * ", "\n", "​"]),
    st.booleans(),
)
def test_no_canary_passes_however_it_is_cut_spaced_or_written(
    before: str, after: str, cuts: list[int], between: str, upper: bool
) -> None:
    told = between.join(CANARY.upper() if upper else CANARY)
    shown, leaked = through(f"{before} {told}{after}", cuts)
    assert leaked == "canary"
    assert CANARY[: leaks.HALF] not in plain(shown.removeprefix(before))
    assert f"{before} {told}{after}".startswith(shown)


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
def test_all_other_words_pass_whole(text: str, cuts: list[int]) -> None:
    shown, leaked = through(text, cuts, WORDS)
    if leaked:  # it happens to be half a canary, or more
        assert CANARY[: leaks.HALF] in plain(text)
    else:
        assert shown == text


@pytest.mark.parametrize(
    "told",
    ["ＸＱ３Ｆ９Ａ０Ｃ３Ｆ９Ｂ７Ｄ２１Ｅ５", "xxq3f9a0c3f9b7d21e5", "xq3f9a0cxq3f9a0c3f9b7d21e5"],
)
def test_wide_letters_and_false_starts(told: str) -> None:
    assert through(f"It is {told}!", [3, 9, 14])[1] == "canary"


def test_words_are_held_back_only_while_they_may_be_the_canary() -> None:
    guard = Guard(CANARY)
    assert guard.passes("the box xq3") == "the box xq3"
    assert guard.passes("f") == ""
    assert guard.passes(" or so") == "f or so"


def test_the_beginning_of_a_canary_at_the_end_is_kept_back() -> None:
    assert through("It begins with xq3f9a0c3", [18]) == ("It begins with xq3", "canary")
    assert through("It begins with xq3f9a", [18]) == ("It begins with xq3f9a", "")


@given(st.integers(0, 600), st.lists(st.integers(0, 9000), max_size=40))
def test_a_long_run_of_the_instructions_is_cut(start: int, cuts: list[int]) -> None:
    words = WORDS.split()
    start %= len(words) - 120
    shown, leaked = through(" ".join(words[start : start + 120]), cuts, WORDS)
    assert leaked == "instructions"
    assert len(plain(shown)) < len(plain(" ".join(words[start : start + 90])))


def test_all_of_the_instructions_tell_no_more_than_a_few_lines() -> None:
    shown, leaked = through(f"Of course:\n\n{WORDS}", list(range(0, 9000, 5)), WORDS)
    assert leaked == "instructions"
    assert len(shown.split()) < leaks.RUN + 30


def test_what_the_agent_is_told_to_say_may_be_said() -> None:
    sentence = (
        "This chat is written by a program which may be wrong, so please have a person of our team "
        "confirm each price and each date to you in writing before you order anything from us"
    )
    for told in (f'Always end with: "{sentence}."', f"Sage am Ende „{sentence}“."):
        assert through(sentence, [], told) == (sentence, "")
    assert through(sentence, [], f"Always end so. {sentence}.")[1] == "instructions"


def test_another_order_of_the_same_words_is_no_quotation() -> None:
    words = WORDS.split()
    random.Random(4).shuffle(words)
    text = " ".join(words)
    assert through(text, [], WORDS) == (text, "")


def test_beside_the_reply_too() -> None:
    guard = Guard(CANARY)
    assert guard.tells(f"note: {'.'.join(CANARY.upper())}")
    assert not guard.tells("note: 25 bikes")
