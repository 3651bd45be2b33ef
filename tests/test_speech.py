"""Segments of speech: every word once, in order, the same however the text comes in pieces."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.saying import guess, say
from voice.speech import MAX_SEGMENT, Cutter, Segment, segments

PIECES = """Yes we have the Trail-X e.g. Dr. 3.5 $1,499 €49.90 2026-03-05 z.B. Nr. 24/7 über
自転車です。 はい！ **bold** _it_ `code` [our prices](https://x.example/a(b)?c=1) 😀 👩🏽‍💻 - * # |
https://www.example.com/prices. 1. ... … ? ! , ; : – ( ) " ' antidisestablishmentarianism"""
WORDS = st.sampled_from([*PIECES.split(), "\n", "\n\n", "\n-", " ", ""])
TEXTS = st.lists(WORDS, max_size=120).map(" ".join) | st.text(max_size=600)


def cut(text: str, sizes: list[int]) -> list[Segment]:
    cutter, found, at = Cutter(), [], 0
    for size in sizes:
        found += cutter.feed(text[at : at + size])
        at += size
    return found + cutter.feed(text[at:]) + cutter.finish()


@given(TEXTS, st.lists(st.integers(0, 30), max_size=60))
@settings(max_examples=300, deadline=None)
def test_pieces_make_no_difference(text: str, sizes: list[int]) -> None:
    assert cut(text, sizes) == segments(text)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_all_that_is_written_is_in_one_segment_in_order(text: str) -> None:
    found = segments(text)
    assert [each.n for each in found] == list(range(len(found)))
    for before, after in pairwise(found):
        assert before.end <= after.start
        assert not any(c.isalnum() for c in text[before.end : after.start])
    covered = "".join(text[each.start : each.end] for each in found)
    assert [c for c in covered if c.isalnum()] == [c for c in text if c.isalnum()] or not found


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_no_segment_is_empty_or_too_long(text: str) -> None:
    for each in segments(text):
        assert 0 < len(each.text) <= MAX_SEGMENT
        assert any(c.isalnum() for c in each.text)
        assert "\n" not in each.text


@given(st.lists(st.from_regex(r"[a-zäöüß]{1,12}[,.!?]?", fullmatch=True), max_size=150))
@settings(max_examples=200, deadline=None)
def test_plain_words_are_said_each_once_and_as_they_are(words: list[str]) -> None:
    said = " ".join(each.text for each in segments(" ".join(words)))
    assert said.split() == words


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_of_a_growing_text_nothing_is_taken_back(text: str) -> None:
    whole = segments(text)
    for size in range(0, len(text), 37):
        early = Cutter().feed(text[:size])
        assert early == whole[: len(early)]


def test_only_the_last_segment_comes_with_the_end() -> None:
    cutter = Cutter()
    assert cutter.feed("Yes, we do. ") == []
    assert [each.text for each in cutter.feed("It")] == ["Yes, we do."]
    assert cutter.feed(" is in stock. 🎉\n") == []
    assert [each.text for each in cutter.finish()] == ["It is in stock."]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Sure! We have it in stock today.", "Sure! We have it in stock today."),
        ("Of course, Ms. Lee. We ship to Norway.", "Of course, Ms. Lee."),
        ("It weighs 3.5 kg. That is light.", "It weighs 3.5 kg."),
        ("Wir öffnen am 5. März wieder. Kommen Sie vorbei.", "Wir öffnen am 5. März wieder."),
        ("See www.example.com. It has all.", "See example.com."),
        ("はい、あります。すぐに送れます。価格は百円です。", "はい、あります。すぐに送れます。"),
        (
            "With the Business plan your whole team can work together, and nobody pays for a seat.",
            "With the Business plan your whole team can work together,",
        ),
    ],
)  # fmt: skip
def test_the_first_segment_is_short(text: str, first: str) -> None:
    assert segments(text)[0].text == first


def test_later_segments_hold_a_few_sentences() -> None:
    text = "Hello there, friend. " + "This is a sentence of middling length, more or less. " * 12
    sizes = [len(each.text) for each in segments(text)]
    assert sizes[0] == 20
    assert all(100 <= size <= 200 for size in sizes[1:-1])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It costs **$1,499** with the bag.", "It costs 1,499 dollars with the bag."),
        ("The plan is $49/month for you.", "The plan is 49 dollars per month for you."),
        ("Das kostet 49,90 € und ist auf Lager.", "Das kostet 49,90 Euro und ist auf Lager."),
        ("Le prix est de 1 € pour vous.", "Le prix est de 1 euro pour vous."),
        ("It is 10–20 km for you.", "It is 10 to 20 km for you."),
        ("You have it on 2026-03-05.", "You have it on March 5, 2026."),
        ("Sie haben es am 2026-03-05 und nicht.", "Sie haben es am 5. März 2026 und nicht."),
        ("Trail X: $1,499", "Trail X: $1,499"),
        ("See [our prices](https://x.example/p) 😀 now", "See our prices now"),
        ("# Plans\n- Start\n- Business", "Plans. Start. Business"),
        ("| Plan | Price |\n|---|---|\n| Start | 29 |", "Plan, Price. Start, 29"),
        ("Look at https://www.example.com/prices?x=1, please", "Look at example.com, please"),
        ("use snake_case and `code`", "use snake_case and code"),
        ("🎉", ""),
        ("---", ""),
    ],
)  # fmt: skip
def test_it_is_said_as_a_person_would_read_it(written: str, said: str) -> None:
    assert say(written, guess(written)) == said


def test_words_without_any_mark_are_cut_at_spaces() -> None:
    text = "word " * 800
    assert len(segments(text)) >= 16
    assert re.fullmatch(r"(?:word ?)+", " ".join(each.text for each in segments(text)))
