"""What the guided seller understands: kinds of lines, contact details, languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.llm.guided import reading
from chat.llm.guided.contacts import contacts
from chat.llm.guided.vocabulary import Kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Hi there!", Kind.GREETING),
        ("Guten Tag", Kind.GREETING),
        ("Merci beaucoup !", Kind.THANKS),
        ("gracias, adiós", Kind.GOODBYE),
        ("no thanks", Kind.NO),
        ("não, obrigado", Kind.NO),
        ("Are you a bot?", Kind.WHO),
        ("Sind Sie ein Mensch?", Kind.WHO),
        ("you stupid bot", Kind.INSULT),
        ("Rufen Sie mich bitte an", Kind.CALLBACK),
        ("👍🎉", Kind.EMOJI),
        ("?", Kind.UNCLEAR),
        ("How many persons can sit at it?", Kind.QUESTION),
        ("Hi, what does it cost?", Kind.QUESTION),
        ("I don't want to talk to a person", Kind.QUESTION),
    ],
)
def test_lines_are_told_apart(words: str, kind: Kind) -> None:
    assert reading.kind_of(words) is kind


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("write to anna.berg+x@mail.example.co.uk.", {"email": "anna.berg+x@mail.example.co.uk"}),
        ("+49 (0)171 / 234 56 78", {"phone": "+49 (0)171 / 234 56 78"}),
        ("my number is 555-123-4567", {"phone": "555-123-4567"}),
        ("Rückruf unter 0171 2345678 bitte", {"phone": "0171 2345678"}),
        ("Ich heiße Jürgen von Stein", {"name": "Jürgen von Stein"}),
        ("je m'appelle chloé", {"name": "chloé"}),
        ("Me llamo José García.", {"name": "José García"}),
        ("O meu nome é João da Silva", {"name": "João da Silva"}),
        ("Hi, I'm Anna", {"name": "Anna"}),
        ("I'm Anna, I want a desk", {"name": "Anna"}),
        ("We are from Blue Heron GmbH", {"company": "Blue Heron GmbH"}),
        ("Is it €1,290,000 or 4.990.000 EUR?", {}),
        ("my order 20231234567 is late", {}),
        ("Bestellnummer: 0012345678", {}),
        ("can I have it on 22.11.2026 or 2026-12-01", {}),
        ("I am looking for a desk", {}),
        ("Ich bin Lehrer.", {}),
        ("I'm Interested", {}),
        ("hello @anna", {}),
    ],
)
def test_contact_details_are_found_and_nothing_else(words: str, found: dict[str, str]) -> None:
    assert contacts(words) == found


@given(st.text(max_size=200))
def test_contact_details_always_stand_in_the_words(words: str) -> None:
    assert all(value in words for value in contacts(words, "ask_name").values())


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("What does it cost?", "en"),
        ("Wie lange dauert die Lieferung?", "de"),
        ("Combien ça coûte ?", "fr"),
        ("¿Cuánto cuesta la entrega?", "es"),
        ("Quanto custa a entrega?", "pt"),
    ],
)
@pytest.mark.parametrize("default", ["en-US", "de", "pt-BR", "it"])
def test_the_visitors_words_show_their_language(words: str, language: str, default: str) -> None:
    assert reading.language_of([words], default) == language


def test_words_that_show_no_language_leave_it_as_it_was() -> None:
    assert reading.language_of(["Wie geht das?", "4711"], "en") == "de"
    assert reading.language_of(["hola, ¿cuánto cuesta?", "a plazos?"], "en") == "es"
    assert reading.language_of(["4711"], "pt-BR") == "pt"
    assert reading.language_of(["4711"], "it-IT") == "en"
