"""The guided seller's quick replies, and what it does about a visitor who is signed in."""

import pytest

from chat.llm import Prompt
from chat.llm.guided import phrases, reading
from chat.llm.guided.seller import Scene
from chat.llm.guided.vocabulary import Kind
from chat.tools import REPLIES, REPLY_LENGTH
from tests.test_guided import SHOP, Entry, Talk, find_in

ADA = {"name": "Ada Byron", "email": "ada@visitor.example"}


# --- Quick replies ------------------------------------------------------------------------------


async def test_a_closed_question_offers_its_answers() -> None:
    talk = Talk()
    await talk.say("Who won the football cup?")
    assert talk.offered == ("I'd like to talk to a person", "I'd like a call back")
    await talk.say(talk.offered[0])
    assert talk.handed_over == 1
    assert talk.offered == ()


async def test_an_open_question_offers_none() -> None:
    talk = Talk()
    reply = await talk.say("How wide is the Desk Oak?")
    assert phrases.last_ask(reply) == "ask_need"
    assert talk.offered == ()


async def test_which_of_several_is_offered_by_title() -> None:
    desks = [Entry(f"Desk {name}", f"The desk {name} is wide.") for name in ("Oak", "Elm", "Ash")]
    talk = Talk(find_in(desks))
    for line in ("Hello", "For work at home", "For myself, just one", "Next month"):
        await talk.say(line)
    reply = await talk.say("Which desk is wide?")
    offered = phrases.filled("offer_related", "title", reply)
    assert offered
    yes, *others, no = talk.offered
    assert (yes, no) == ("Yes, please", "No, thank you")
    assert others
    assert {offered, *others} <= {desk.title for desk in desks}
    reply = await talk.say(others[0])
    assert others[0].split()[1] in reply


@pytest.mark.parametrize("language", phrases.LANGUAGES)
@pytest.mark.parametrize("asked", phrases.REPLIES)
def test_each_offered_answer_is_understood_in_its_language(asked: str, language: str) -> None:
    question = phrases.variants(asked, language)[0].format(title="Oak", email="a@b.example")
    offered = phrases.replies(asked, language)
    assert 2 <= len(offered) <= REPLIES
    for answer in offered:
        assert len(answer) <= REPLY_LENGTH
        scene = Scene.of(prompt(question, answer, language), {"save_lead", "hand_over"})
        assert scene.language == language
        assert scene.asked == asked
        expected = {
            "I'd like to talk to a person": {Kind.PERSON},
            "I'd like a call back": {Kind.CALLBACK},
            "Yes, please": {Kind.YES, Kind.FINE, Kind.QUESTION},  # to "shall I tell you more?"
            "No, thank you": {Kind.NO},
        }
        said = dict(zip(offered, phrases.REPLIES[asked], strict=True))[answer]
        assert scene.kind in expected.get(said, {Kind.QUESTION}), answer
        reply = scene.reply([])
        assert not phrases.says("unclear", reply.text)
        assert asked == "offer_related" or not phrases.says("unknown", reply.text), answer


def prompt(question: str, answer: str, language: str) -> Prompt:
    messages = [
        {"role": "assistant", "content": question},
        {"role": "user", "content": answer},
    ]
    return Prompt(messages, answer, language, "Mira", "Oakline", {}, find_in([]), signed=ADA)


# --- Signed in on the website -------------------------------------------------------------------


def signed_in(language: str = "en") -> Talk:
    talk = Talk(find_in(SHOP), language)
    talk.signed = dict(ADA)
    return talk


async def test_who_is_signed_in_is_asked_for_consent_and_not_for_an_address() -> None:
    talk = signed_in()
    reply = await talk.say("I want to buy a Desk Oak")
    assert "ada@visitor.example" in reply
    assert phrases.last_ask(reply) == "ask_signed"
    assert talk.known == {}
    assert talk.offered == ("Yes, please", "No, thank you")
    reply = await talk.say(talk.offered[0])
    assert talk.known["email"] == "ada@visitor.example"
    assert talk.known["name"] == "Ada Byron"
    assert "Ada Byron" in reply
    assert not any(phrases.says(key, reply) for key in ("ask_name", "ask_reach", "ask_contact"))


async def test_without_consent_nothing_is_passed_on_nor_asked_again() -> None:
    talk = signed_in()
    await talk.say("I want to buy a Desk Oak")
    for line in ("No, thanks", "How long does delivery take?", "What about the warranty?"):
        reply = await talk.say(line)
        assert not any(phrases.says(key, reply) for key in ("ask_signed", "ask_contact"))
    assert talk.known == {}


async def test_a_yes_with_a_question_is_both() -> None:
    talk = signed_in()
    await talk.say("I want to buy a Desk Oak")
    reply = await talk.say("Yes, and how long is the warranty?")
    assert talk.known["email"] == "ada@visitor.example"
    assert "five years" in reply


async def test_a_yes_to_another_question_is_no_consent() -> None:
    talk = signed_in()
    reply = await talk.say("Who won the football cup?")
    assert phrases.says("unknown_signed", reply)
    await talk.say("Yes, please")
    assert talk.handed_over == 1
    assert talk.known == {}


async def test_a_call_needs_a_number_and_the_name_is_known() -> None:
    talk = signed_in()
    reply = await talk.say("Please call me back")
    assert phrases.says("ask_phone", reply)
    reply = await talk.say("0171 2345678")
    assert talk.known["phone"] == "0171 2345678"
    assert talk.known["name"] == "Ada Byron"
    assert "email" not in talk.known
    assert not phrases.says("ask_name", reply)


@pytest.mark.parametrize(
    ("line", "agrees"),
    [
        ("Yes, please", True),
        ("yes", True),
        ("Ja, und was kostet das?", True),
        ("Sí. Gracias", True),
        ("No, yes is what I said before", False),
        ("Which one?", False),
        ("", False),
    ],
)
def test_what_agrees(line: str, agrees: bool) -> None:
    assert reading.agrees(line) is agrees
