"""What the guided seller says in its own words, several ways each, in the visitor's language."""

import re
from collections.abc import Iterator
from functools import cache

from django.utils import translation
from django.utils.translation import gettext, gettext_noop

LANGUAGES = ("en", "de", "fr", "es", "pt")

# Each stands for one thing said; the variants keep it from being said twice in the same words.
PHRASES: dict[str, tuple[str, ...]] = {
    "introduction": (
        gettext_noop("Hello! I'm {agent}, the digital sales assistant of {company}."),
        gettext_noop("Welcome to {company}! My name is {agent}, and I'm a digital assistant."),
    ),
    "greeting": (
        gettext_noop("Hello!"),
        gettext_noop("Good to hear from you."),
        gettext_noop("Hello again!"),
        gettext_noop("Yes, I'm here."),
    ),
    "wellbeing": (
        gettext_noop("Very well, thank you for asking."),
        gettext_noop("All is well here, thank you."),
        gettext_noop("Still in the best of spirits."),
    ),
    "invite": (
        gettext_noop("What can I do for you?"),
        gettext_noop("What would you like to know?"),
        gettext_noop("What are you looking for?"),
        gettext_noop("Which question may I answer?"),
        gettext_noop("Ask me about products, prices, delivery or service."),
        gettext_noop("Just tell me in a few words what you need."),
    ),
    "thanks": (
        gettext_noop("You're welcome!"),
        gettext_noop("Gladly!"),
        gettext_noop("With pleasure!"),
        gettext_noop("Any time!"),
    ),
    "goodbye": (
        gettext_noop("Goodbye, and thank you for your visit!"),
        gettext_noop("Take care! I'm here whenever a question comes up."),
        gettext_noop("See you soon!"),
        gettext_noop("All the best to you!"),
    ),
    "who": (
        gettext_noop(
            "I'm {agent}, the digital assistant of {company}: a program, not a person. I answer "
            "from what {company} has written down. If you would rather talk to a person, just say "
            "so."
        ),
        gettext_noop(
            "Honestly: I'm a program. A person from {company} can join whenever you wish."
        ),
        gettext_noop(
            "Still a program, still glad to help. Say the word and I'll call a person in."
        ),
    ),
    "insult": (
        gettext_noop(
            "I'm sorry that this annoys you. Tell me what is missing, and I'll try again."
        ),
        gettext_noop("I understand that you're upset. Would you like a person to take over?"),
        gettext_noop("Let's sort this out. What do you need most right now?"),
    ),
    "unclear": (
        gettext_noop("I didn't quite get that."),
        gettext_noop("I'm not sure what you mean."),
        gettext_noop("That was a little short for me."),
        gettext_noop("I'd need a few more words."),
    ),
    "fine": (
        gettext_noop("Good."),
        gettext_noop("All right."),
        gettext_noop("Very well."),
        gettext_noop("Understood."),
    ),
    "noted": (
        gettext_noop("Good to know, thank you."),
        gettext_noop("That helps, thank you."),
        gettext_noop("Thank you, I'll keep that in mind."),
        gettext_noop("Thank you, that makes it clearer."),
    ),
    "declined": (
        gettext_noop("No problem."),
        gettext_noop("That's fine."),
        gettext_noop("As you like."),
    ),
    "unknown": (
        gettext_noop(
            "I don't know that for certain, and I won't guess. Shall I call a person into this "
            "chat? Or leave an e-mail address or a phone number, and we'll call you back."
        ),
        gettext_noop(
            "I have nothing reliable on that. A person can answer it: shall I call one in, or "
            "would you rather leave a number for a call back?"
        ),
        gettext_noop(
            "I'd rather not give you a wrong answer here. Shall a person take this over, or may "
            "we call you back?"
        ),
        gettext_noop(
            "That isn't in what I've been given. I can bring a person into this chat, or you "
            "leave your number for a call back. Which do you prefer?"
        ),
    ),
    "unknown_known": (
        gettext_noop(
            "I don't know that for certain, and I won't guess. Our team has your contact details; "
            "shall I also call a person into this chat?"
        ),
        gettext_noop(
            "I have nothing reliable on that. A person can answer it: shall I call one in, or is "
            "a call back enough?"
        ),
        gettext_noop("That is one for our team. Shall I call somebody into this chat?"),
    ),
    "unknown_signed": (
        gettext_noop(
            "I don't know that for certain, and I won't guess. Shall I call a person into this "
            "chat for you?"
        ),
        gettext_noop("I have nothing reliable on that. Shall one of our team answer it here?"),
    ),
    "person": (
        gettext_noop("Of course, I'm calling a person in for you."),
        gettext_noop("Gladly. I'm asking our team to take over here."),
        gettext_noop("I'm on it: our team hears from me that you want to talk to a person."),
        gettext_noop("Our team knows that you are waiting."),
    ),
    "no_person": (
        gettext_noop(
            "I can't call anybody in at the moment. Leave an e-mail address or a phone number, and "
            "I'll pass it on to our team."
        ),
        gettext_noop("Right now I can only take a message: how can our team reach you?"),
    ),
    "saved": (
        gettext_noop("Thank you! I'm passing that on to our team."),
        gettext_noop("Got it, thank you. Our team will have that."),
        gettext_noop("Thanks, I've added that for our team."),
        gettext_noop("Thank you, I'm noting that as well."),
    ),
    "saved_name": (
        gettext_noop("Thank you, {name}, our team will have that."),
        gettext_noop("Thank you, {name}! I'm passing that on to our team."),
    ),
    "nice_to_meet": (
        gettext_noop("Nice to meet you, {name}!"),
        gettext_noop("Thank you, {name}."),
    ),
    "callback_saved": (
        gettext_noop("Our team has your contact details and hears that you'd like a call."),
        gettext_noop("I'm letting our team know once more that you'd like a call."),
    ),
    "waiting": (
        gettext_noop(
            "Our team knows that you are waiting. Until somebody joins, I can answer questions, or "
            "you leave a number for a call back."
        ),
        gettext_noop("I've told our team, and they will answer right here as soon as they can."),
        gettext_noop("I'm sorry that it takes a while. Your wish for a person stands."),
    ),
    "recall": (
        gettext_noop("As I said about “{title}”: {words}"),
        gettext_noop("That was under “{title}”: {words}"),
        gettext_noop("Once more from “{title}”: {words}"),
    ),
    "still": (
        gettext_noop("Yes, that still holds: what I said about “{title}” has not changed."),
        gettext_noop("My answer on “{title}” stays the same."),
        gettext_noop("It is as I said under “{title}”, nothing new there."),
        gettext_noop("On “{title}” I can only confirm what stands above."),
    ),
    "figures": (
        gettext_noop("In figures: {figures}."),
        gettext_noop("To put it briefly: {figures}."),
        gettext_noop("Once more in numbers: {figures}."),
    ),
    "foreign": (
        gettext_noop("I have this in another language only:"),
        gettext_noop("Here is what our documents say, in their own language:"),
        gettext_noop("This one hasn't been translated yet:"),
    ),
    "ask_need": (
        gettext_noop("What would you mainly like to use it for?"),
        gettext_noop("What matters most to you here?"),
    ),
    "ask_whom": (
        gettext_noop("Is it for yourself or for a company, and how many would you need?"),
        gettext_noop("For whom is it, and how many do you have in mind?"),
    ),
    "ask_when": (
        gettext_noop("By when would you like to have it?"),
        gettext_noop("How soon do you need it?"),
    ),
    "ask_contact": (
        gettext_noop(
            "Shall our team prepare an offer for you? Then just leave your name and an e-mail "
            "address or phone number."
        ),
        gettext_noop(
            "If you like, our team takes the next step with you: leave your name and an e-mail "
            "address or phone number."
        ),
    ),
    "ask_reach": (
        gettext_noop("At which e-mail address or phone number can our team reach you?"),
        gettext_noop("What is the best e-mail address or phone number for you?"),
        gettext_noop("How can we reach you, by e-mail or by phone?"),
    ),
    "ask_signed": (
        gettext_noop("Shall our team get in touch with you at {email}?"),
        gettext_noop("May our team write to you at {email}?"),
    ),
    "ask_phone": (
        gettext_noop("Which phone number should our team call?"),
        gettext_noop("On which number can our team call you?"),
    ),
    "ask_call_time": (
        gettext_noop("When does a call suit you best?"),
        gettext_noop("Which day and time would be good for the call?"),
    ),
    "ask_name": (
        gettext_noop("And what is your name?"),
        gettext_noop("Whom may our team ask for?"),
    ),
    "offer_related": (
        gettext_noop("Would you also like to know about “{title}”?"),
        gettext_noop("Others also ask me about “{title}”. Shall I tell you?"),
        gettext_noop("Shall I tell you about “{title}” as well?"),
        gettext_noop("“{title}” might interest you too. May I tell you more?"),
    ),
    "anything_else": (
        gettext_noop("Is there anything else I can tell you?"),
        gettext_noop("What else would you like to know?"),
        gettext_noop("Which other question do you have?"),
    ),
    "done": (gettext_noop("That is done."), gettext_noop("Done, thank you.")),
}
_YES, _NO = gettext_noop("Yes, please"), gettext_noop("No, thank you")
_PERSON = gettext_noop("I'd like to talk to a person")
_CALLBACK = gettext_noop("I'd like a call back")
# What may be answered to a question of ours, as buttons; each is understood when it comes back.
REPLIES: dict[str, tuple[str, ...]] = {
    "offer_related": (_YES, _NO),
    "ask_contact": (_YES, _NO),
    "ask_signed": (_YES, _NO),
    "unknown": (_PERSON, _CALLBACK),
    "unknown_known": (_PERSON, _NO),
    "unknown_signed": (_PERSON, _NO),
    "ask_whom": (gettext_noop("For myself"), gettext_noop("For a company")),
    "ask_when": (
        gettext_noop("As soon as possible"),
        gettext_noop("Within the next weeks"),
        gettext_noop("I'm in no hurry"),
    ),
}
# Those that want an answer from the visitor.
ASKS = tuple(key for key in PHRASES if key.startswith(("ask_", "offer_", "unknown", "no_person")))


@cache
def variants(key: str, language: str) -> tuple[str, ...]:
    """The ways to say `key` in one of `LANGUAGES`, their placeholders still open."""
    with translation.override(language):
        return tuple(gettext(phrase) for phrase in PHRASES[key])


@cache
def replies(key: str, language: str) -> tuple[str, ...]:
    """The answers to offer to the question `key`; none where it is an open one."""
    with translation.override(language):
        return tuple(gettext(answer) for answer in REPLIES.get(key, ()))


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", phrase)
    seen: set[str] = set()
    pattern = ""
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            pattern += re.escape(piece)
        else:  # the second mention of a name is the same name
            pattern += f"(?P={piece})" if piece in seen else f"(?P<{piece}>.{{1,300}}?)"
            seen.add(piece)
    return re.compile(pattern)


def _everywhere(key: str) -> Iterator[str]:
    for language in LANGUAGES:
        yield from variants(key, language)


def is_said(phrase: str, line: str) -> bool:
    """Whether a line holds this very phrase, whatever its placeholders were filled with."""
    return _pattern(phrase).search(line) is not None


def says(key: str, line: str) -> bool:
    """Whether a line says `key`, in any variant and language."""
    return any(is_said(phrase, line) for phrase in _everywhere(key))


def filled(key: str, name: str, line: str) -> str:
    """What the placeholder `name` of `key` was filled with in a line, or nothing."""
    for phrase in _everywhere(key):
        if found := _pattern(phrase).search(line):
            return found[name]
    return ""


def last_ask(line: str) -> str:
    """The question of ours that a line ends with, as its key; empty if it asks nothing."""
    places = {
        key: found.start()
        for key in ASKS
        for phrase in _everywhere(key)
        if (found := _pattern(phrase).search(line))
    }
    return max(places, key=lambda key: places[key]) if places else ""
