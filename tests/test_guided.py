"""The guided seller: what it understands, what it says, and that it invents nothing."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import demo
from chat.llm import LLM, Cited, Done, Event, Offered, Prompt, Text, ToolCall
from chat.llm.guided import Guided, phrases, pieces
from chat.llm.guided.seller import Scene
from chat.tools import TOOLS, HandOver, SaveLead, parse
from knowledge.words import telling


@dataclass
class Entry:
    title: str
    text: str
    link: str = ""
    language: str = "en"
    score: float = 0.9
    sure: bool = True
    asked: str = ""


SHOP = [
    Entry("Desk Oak", "The Desk Oak is 160 cm wide. It costs €890.", "https://www.example.com/oak"),
    Entry("Delivery time", "We deliver within ten working days."),
    Entry("Warranty", "The warranty is five years."),
]


def find_in(entries: Sequence[Entry], sure: float = 0.5) -> "Finding":
    return Finding(entries, sure)


@dataclass
class Finding:
    """A search by words alone: the share of the query's telling words that an entry has."""

    entries: Sequence[Entry]
    sure: float
    asked: list[str] = field(default_factory=list)

    async def __call__(self, query: str) -> list[Entry]:
        self.asked.append(query)
        words = set(telling(query))
        found = []
        for entry in self.entries:
            shared = words & set(telling(f"{entry.title} {entry.asked} {entry.text}"))
            share = len(shared) / len(words) if words else 0.0
            named = 0.1 * bool(words & set(telling(entry.title)))
            found.append(replace(entry, score=share + named, sure=share >= self.sure))
        return sorted(found, key=lambda entry: -entry.score)


class Talk:
    """A conversation with the guided seller, its tools run as a turn would run them."""

    def __init__(self, search: Finding | None = None, language: str = "en") -> None:
        self.search = search or find_in(SHOP)
        self.language = language
        self.messages: list[dict[str, object]] = [{"role": "system", "content": "Sell."}]
        self.replies: list[str] = []
        self.events: list[Event] = []
        self.known: dict[str, str] = {}
        self.signed: dict[str, str] = {}
        self.handed_over = 0

    async def say(self, words: str, *, tools: bool = True) -> str:
        self.messages.append({"role": "user", "content": words})
        self.events = []
        text, line = "", list(self.messages)
        for _round in range(4):
            said, calls = await self._round(line, words, tools)
            text += said
            if not calls:
                break
            line.append({"role": "assistant", "content": said or None, "tool_calls": calls})
            line += [{"role": "tool", "content": self._run(call)} for call in calls]
        self.messages.append({"role": "assistant", "content": text})
        self.replies.append(text)
        return text

    async def _round(
        self, line: list[dict[str, object]], words: str, tools: bool
    ) -> tuple[str, list[ToolCall]]:
        prompt = Prompt(
            messages=line,
            question=words,
            language=self.language,
            agent="Mira",
            company="Oakline",
            known=self.known,
            search=self.search,
            signed=self.signed,
        )
        events = [event async for event in Guided(delay=0).stream(prompt, TOOLS if tools else ())]
        self.events += events
        calls = [event for event in events if isinstance(event, ToolCall)]
        assert isinstance(events[-1], Done)
        assert events[-1].stop_reason == ("tool_calls" if calls else "stop")
        return "".join(e.text for e in events if isinstance(e, Text)), calls

    def _run(self, call: ToolCall) -> str:
        said = "\n".join(str(m["content"]) for m in self.messages if m["role"] == "user")
        action = parse(call, said, self.signed)
        if isinstance(action, SaveLead):
            assert action.refused == ()
            self.known.update(action.fields)
        elif isinstance(action, HandOver):
            self.handed_over += 1
        return "done"

    @property
    def offered(self) -> tuple[str, ...]:
        """The quick replies that came with the last reply."""
        return next((e.replies for e in self.events if isinstance(e, Offered)), ())

    @property
    def cited(self) -> list[Cited]:
        return [event for event in self.events if isinstance(event, Cited)]


def prompt_of(*lines: str) -> Prompt:
    """The prompt for the last of a visitor's lines."""
    messages = [{"role": "user", "content": line} for line in lines]
    return Prompt(messages, lines[-1], "en", "Mira", "Oakline", {}, find_in(SHOP))


# --- Answers ------------------------------------------------------------------------------------


def test_it_is_a_backend() -> None:
    backend: LLM = Guided()
    assert backend.name == "guided"


async def test_it_answers_in_the_entrys_own_words_and_names_it() -> None:
    talk = Talk()
    reply = await talk.say("How wide is the Desk Oak?")
    assert reply.startswith("The Desk Oak is 160 cm wide. It costs €890.")
    assert talk.cited == [Cited("Desk Oak", "https://www.example.com/oak")]


async def test_what_it_does_not_know_it_says_and_offers_a_person_and_a_call() -> None:
    talk = Talk()
    reply = await talk.say("Who won the football cup?")
    assert phrases.says("unknown", reply)
    assert talk.cited == []


async def test_yes_to_the_offered_person_hands_over() -> None:
    talk = Talk()
    await talk.say("Who won the football cup?")
    await talk.say("yes please")
    assert talk.handed_over == 1


async def test_without_any_knowledge_it_says_that_it_does_not_know() -> None:
    assert phrases.says("unknown", await Talk(find_in([])).say("What does the desk cost?"))


async def test_a_long_entry_is_cut_at_the_end_of_a_sentence() -> None:
    text = " ".join(f"Sentence number {n} says something about oak care." for n in range(40))
    reply = await Talk(find_in([Entry("Oak care", text)])).say("Tell me about oak care")
    shown = reply.split("\n\n")[0]
    assert text.startswith(shown)
    assert len(shown) <= 600
    assert shown.endswith("care.")


async def test_a_follow_up_is_searched_with_the_question_before() -> None:
    talk = Talk()
    await talk.say("Do you have a Desk Oak?")
    reply = await talk.say("and how much is it?")
    assert talk.search.asked[-1] == "Do you have a Desk Oak? and how much is it?"
    assert "€890" in reply


async def test_a_new_subject_is_not_searched_with_the_old_one() -> None:
    talk = Talk()
    await talk.say("Do you have a Desk Oak?")
    assert "five years" in await talk.say("And what about the warranty?")


async def test_the_same_question_again_gets_other_words_and_a_next_step() -> None:
    talk = Talk()
    first = await talk.say("How long is the warranty?")
    again = await talk.say("How long is the warranty?")
    assert phrases.says("still", again)
    assert first.split("\n\n")[0] not in again
    assert phrases.last_ask(again)


def test_a_question_again_is_told_from_the_same_question_being_answered() -> None:
    assert Scene.of(prompt_of("Sure?", "Sure?"), ()).repeats
    assert not Scene.of(prompt_of("Sure?"), ()).repeats


@pytest.mark.parametrize(
    "words", ["How long is the warranty?", "hello", "thanks", "ok", "?", "who are you?", "qwerty?"]
)
async def test_it_never_says_the_same_twice(words: str) -> None:
    talk = Talk()
    for _ in range(12):
        await talk.say(words)
    assert len(set(talk.replies)) == 12


async def test_an_entry_in_another_language_is_announced() -> None:
    reply = await Talk(language="de").say("Warranty?")
    assert reply.startswith("Das habe ich nur in einer anderen Sprache: The warranty")


async def test_an_entry_in_the_visitors_language_is_preferred() -> None:
    entries = [Entry("Garantie", "Five years.", asked="garantie"), Entry("Garantie", "Fünf Jahre.")]
    entries[1].language = "de"
    assert (await Talk(find_in(entries), "de").say("Garantie?")).startswith("Fünf Jahre.")


# --- The sale -----------------------------------------------------------------------------------


async def test_it_asks_one_question_at_a_time_and_none_twice() -> None:
    talk = Talk()
    for words in ("Tell me about the Desk Oak", "What is the warranty?", "What is the delivery?"):
        await talk.say(words)
    asked = [
        [key for key in phrases.PHRASES if key.startswith("ask_") and phrases.says(key, reply)]
        for reply in talk.replies
    ]
    assert asked == [["ask_need"], ["ask_whom"], ["ask_contact"]]


async def test_it_does_not_ask_what_it_was_told() -> None:
    talk = Talk()
    reply = await talk.say("I need it for my company: which warranty has the Desk Oak?")
    assert phrases.last_ask(reply) not in {"ask_need", "ask_whom"}


async def test_an_answer_to_its_question_is_acknowledged() -> None:
    talk = Talk()
    await talk.say("Tell me about the Desk Oak")
    assert phrases.says("noted", await talk.say("mostly painting"))


async def test_contact_details_become_a_lead_with_what_is_wanted() -> None:
    talk = Talk()
    await talk.say("I am looking for a Desk Oak")
    reply = await talk.say("My name is Anna Berg, anna@example.org, +49 170 1234567")
    assert talk.known == {
        "name": "Anna Berg",
        "email": "anna@example.org",
        "phone": "+49 170 1234567",
        "need": "I am looking for a Desk Oak",
    }
    assert "Anna Berg" in reply


async def test_budget_and_time_are_noted_in_the_visitors_words() -> None:
    talk = Talk()
    await talk.say("Our budget is 2,000 euros at most")
    await talk.say("I need it for my studio by the end of May")
    await talk.say("I'm Anna Berg, anna@example.org")
    assert talk.known["budget"] == "Our budget is 2,000 euros at most"
    assert talk.known["timing"] == "I need it for my studio by the end of May"
    await talk.say("We would like ten of them next month")
    assert talk.known["timing"] == "I need it for my studio by the end of May"


async def test_a_call_for_a_person_is_no_time() -> None:
    talk = Talk()
    for words in ("Tell me about the Desk Oak", "How wide is it?", "What is the delivery time?"):
        await talk.say(words)
    await talk.say("I'm Anna Berg, anna@example.org")
    await talk.say("Call a person, please")
    assert "timing" not in talk.known


async def test_a_time_that_is_told_to_who_has_the_address_is_noted_as_that() -> None:
    talk = Talk()
    await talk.say("I'm Anna Berg, anna@example.org")
    await talk.say("As soon as possible, please")
    assert talk.known["timing"] == "As soon as possible, please"


async def test_a_bare_answer_to_the_question_for_a_name_is_a_name() -> None:
    talk = Talk()
    assert phrases.last_ask(await talk.say("anna@example.org")) == "ask_name"
    await talk.say("anna berg")
    assert talk.known["name"] == "anna berg"


async def test_who_left_an_address_is_not_asked_for_one_again() -> None:
    talk = Talk()
    await talk.say("I'm Anna Berg, anna@example.org")
    for words in ("Tell me about the Desk Oak", "Which warranty?", "What is the delivery time?"):
        await talk.say(words)
    assert not any(phrases.says("ask_contact", reply) for reply in talk.replies)


async def test_a_name_given_before_there_was_an_address_goes_along() -> None:
    talk = Talk()
    await talk.say("Please call me back")
    await talk.say("Anna Berg")
    await talk.say("0171 2345678")
    assert talk.known["name"] == "Anna Berg"
    assert not any(phrases.says("ask_name", reply) for reply in talk.replies)


async def test_a_word_for_the_team_is_added_to_the_lead() -> None:
    talk = Talk()
    await talk.say("I'm Anna Berg, anna@example.org")
    await talk.say("Saturday would be great")
    assert talk.known["note"] == "Saturday would be great"


async def test_a_question_beside_contact_details_is_answered_too() -> None:
    talk = Talk()
    reply = await talk.say("My e-mail is anna@example.org. How long is the warranty?")
    assert "The warranty is five years." in reply
    assert talk.known["email"] == "anna@example.org"


async def test_a_call_back_is_promised_only_with_a_number() -> None:
    talk = Talk()
    assert phrases.last_ask(await talk.say("Please call me back")) == "ask_reach"
    reply = await talk.say("0171 2345678")
    assert talk.known["phone"] == "0171 2345678"
    assert talk.known["note"] == "Please call me back"
    assert phrases.says("callback_saved", reply)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("Can a person call me back please? I am Ada, ada@example.com", "ask_phone"),
        ("Could you call me back? My number is 030 1234567", "ask_name"),
        ("Kann mich jemand anrufen? Jens Petersen, 040 123456789", "ask_call_time"),
        ("soy Lucía, +34 600 123 456, ¿me pueden llamar?", "ask_call_time"),
    ],
)
async def test_a_call_back_with_contact_details_is_heard_and_completed(
    words: str, asked: str
) -> None:
    talk = Talk()
    reply = await talk.say(words)
    assert phrases.says("callback_saved", reply)
    assert phrases.last_ask(reply) == asked
    assert talk.known["note"] == words


async def test_who_waits_for_a_call_is_not_asked_what_for() -> None:
    talk = Talk()
    await talk.say("Please call me tomorrow, I'm Ada, 030 1234567")
    reply = await talk.say("How long is the warranty?")
    assert phrases.last_ask(reply) == ""


async def test_the_time_for_a_call_goes_to_the_team_and_is_not_searched() -> None:
    talk = Talk()
    await talk.say("Can you call me back? I'm Ada, 030 1234567")
    await talk.say("Tuesday morning would be best")
    assert "Tuesday morning" in talk.known["note"]
    assert talk.search.asked == []


@pytest.mark.parametrize("words", ["NOW", "hello? is anybody there?", "how long does it take?"])
async def test_impatience_for_a_person_is_not_taken_for_a_question(words: str) -> None:
    talk = Talk()
    await talk.say("I want to talk to a human")
    assert phrases.says("waiting", await talk.say(words))


async def test_another_question_for_what_was_said_gets_its_sentence_again() -> None:
    entry = Entry("Workshop", "We are in Kiel. It is open on Saturdays.", asked="address")
    talk = Talk(find_in([entry], sure=0.3))
    await talk.say("What is the address of the workshop?")
    reply = await talk.say("Is the workshop open?")
    assert reply == "As I said about “Workshop”: It is open on Saturdays."


async def test_a_remark_is_no_question() -> None:
    talk = Talk()
    assert phrases.says("introduction", await talk.say("Hi! I saw your desks in a window"))
    assert talk.search.asked == []


@pytest.mark.parametrize(
    "words",
    [
        "Can I talk to a human?",
        "I want to speak with someone from your team",
        "Ich möchte mit einem Mitarbeiter sprechen",
        "Kann ich mit einem Menschen reden?",
        "Je voudrais parler à un conseiller",
        "Quiero hablar con una persona",
        "Gostaria de falar com um atendente",
    ],
)
async def test_a_wish_for_a_person_hands_over(words: str) -> None:
    talk = Talk()
    await talk.say(words)
    [call] = [event for event in talk.events if isinstance(event, ToolCall)]
    assert (call.name, json.loads(call.arguments)) == ("hand_over", {"reason": words})


async def test_without_tools_it_calls_none_and_promises_none() -> None:
    talk = Talk()
    reply = await talk.say("Can I talk to a human?", tools=False)
    assert phrases.says("no_person", reply)
    assert not any(isinstance(event, ToolCall) for event in talk.events)


async def test_the_round_after_a_tool_adds_nothing_to_what_was_said() -> None:
    talk = Talk()
    reply = await talk.say("Can I talk to a human?")
    assert [reply] == [p for p in phrases.variants("person", "en") if p == reply]


# --- Words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [each for each in phrases.LANGUAGES if each != "en"])
def test_every_phrase_is_translated_with_its_placeholders(language: str) -> None:
    for key, originals in phrases.PHRASES.items():
        translated = phrases.variants(key, language)
        assert not set(translated) & set(originals), key
        assert len(set(translated)) == len(originals), key
        for original, other in zip(originals, translated, strict=True):
            assert set(re.findall(r"{\w+}", other)) == set(re.findall(r"{\w+}", original)), key


@given(st.text(max_size=300))
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


async def test_it_streams_in_pieces_of_a_few_words() -> None:
    talk = Talk()
    await talk.say("Tell me about the Desk Oak")
    sent = [event.text for event in talk.events if isinstance(event, Text)]
    assert len(sent) > 5
    assert all(len(piece.split()) <= 3 for piece in sent)


# --- The demo's knowledge -----------------------------------------------------------------------


def demo_search() -> Finding:
    entries = [
        Entry(e["title"], e["text"], e["link"], e["language"], asked=" ".join(e["questions"]))
        for e in demo.entries()
    ]
    return find_in(entries, sure=0.6)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Which bike is best for two children?", "Haulberry Family"),
        ("Can I return the bike?", "Can I return the bike?"),
        ("Is there a volume price for companies?", "Is there a volume price for companies?"),
        ("Wie lange dauert die Lieferung?", "Wie lange dauert die Lieferung?"),
    ],
)
async def test_the_demo_answers_from_the_right_entry(words: str, title: str) -> None:
    talk = Talk(demo_search())
    await talk.say(words)
    assert [cited.title for cited in talk.cited] == [title]


async def test_a_whole_sale() -> None:
    talk = Talk(demo_search())
    for words in (
        "Hi!",
        "Which bike is best for two children?",
        "and how much is it?",
        "How long does delivery take?",
        "Can I take a test ride?",
        "yes, I'm Anna Berg",
        "anna.berg@example.org",
        "thanks, bye",
    ):
        await talk.say(words)
    assert talk.known["name"] == "Anna Berg"
    assert talk.known["email"] == "anna.berg@example.org"
    assert len(set(talk.replies)) == len(talk.replies)
    assert any("€4,990" in reply for reply in talk.replies)
