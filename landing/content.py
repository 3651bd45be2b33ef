"""What the landing page says about the product: the one place to edit.

Words between `backticks` are shown as code. Everything else is plain text.
"""

from typing import NamedTuple


class Feature(NamedTuple):
    title: str
    text: str
    icon: str  # an SVG path on a 24 by 24 grid


class Step(NamedTuple):
    title: str
    text: str


class Hello(NamedTuple):
    """A question as a visitor might ask it."""

    language: str  # as HTML names it
    text: str


class Question(NamedTuple):
    question: str
    answer: str


class Link(NamedTuple):
    title: str
    address: str


NAME = "Sales Agent"
TITLE = "Sales Agent: an open-source AI sales agent you host yourself"
DESCRIPTION = (
    "An open-source AI sales agent you host yourself: it answers visitors from your own knowledge, "
    "hands over to a person, and brings you leads."
)
SITE = "demo"  # the public key of the site that chats on this page
SOURCE = ""  # where the source code lies; the footer links to it once this is set
LICENCE = "Sales Agent is free software under the MIT licence."

MENU = [
    Link("Features", "#features"),
    Link("How it works", "#start"),
    Link("Developers", "#developers"),
    Link("Self-hosting", "#host"),
    Link("Questions", "#questions"),
]

# --- The top -------------------------------------------------------------------------------------
KICKER = "Open source (MIT) · self-hosted · Django"
HEADLINE = "The sales agent that knows your business"
LEAD = (
    "It answers your visitors the moment they ask, from the knowledge you give it, and says so "
    "when it does not know. A person is one sentence away, and every lead reaches your team."
)
DEMO_NOTE = "The chat on this page is the product itself, selling made-up cargo bikes."

PICTURE_LABEL = (
    "A conversation in the chat: a visitor asks which cargo bike suits two children and the "
    "agent recommends one with its price; then about a test ride, which it offers at once."
)
PICTURE_STOP, PICTURE_MOVE = "Stop the picture", "Let the picture move"
# What the visitor says in the moving pictures of landing page and README (docs/landing.md).
PICTURE = ["Which bike is best for two kids?", "Can I take a test ride?"]
TALK = ["Does a dog fit in?", "Great, please call me: Robin Vale, +1 555 010 2233"]

# --- Features ------------------------------------------------------------------------------------
FEATURES_TITLE = "Sells the way your best people do"
FEATURES = [
    Feature(
        "Answers from what you know",
        "Products, prices, delivery, returns: it looks them up in your own knowledge and names its "
        "source. What it does not know, it says it does not know.",
        "M5 4.5h9a3 3 0 0 1 3 3V20H8a3 3 0 0 1-3-3zM17 20h2V7M8.5 9h5M8.5 12.5h5",
    ),
    Feature(
        "A person is one sentence away",
        "When somebody asks for a human, your staff hear of it by e-mail at once. They see the "
        "whole conversation, so nobody has to say anything twice.",
        "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 19.5c0-3 2.5-5 6-5s6 2 6 5M16 11a3 3 0 0 "
        "0 0-6M18 14.8c1.9.7 3 2.3 3 4.7",
    ),
    Feature(
        "Leads in their own words",
        "Name, e-mail, phone and need, noted while the talk goes on. Only what the visitor "
        "really wrote is kept, next to the lines it came from.",
        "M4 5.5h16v10H9.5L5.5 19v-3.5H4zM8 9h8M8 12h5",
    ),
    Feature(
        "Not a word lost",
        "Replies go on while a page reloads, a tunnel swallows the phone or a server restarts. "
        "What a visitor writes without a connection is sent as soon as it is back.",
        "M4.5 12a7.5 7.5 0 0 1 13-5l2 2M19.5 4.5V9H15M19.5 12a7.5 7.5 0 0 1-13 5l-2-2M4.5 19.5"
        "V15H9",
    ),
    Feature(
        "You decide how it sells",
        "How it greets, what it may promise, when it asks for the next step: staff edit it in "
        "the admin, publish with one click, and every version is kept.",
        "M5 7h6M15 7h4M5 17h4M13 17h6M13 4.5v5M11 14.5v5M5 12h10M19 12h0M17 9.5v5",
    ),
    Feature(
        "Light on your pages",
        "One small script, and nothing more until somebody wants to talk. No cookies, no "
        "trackers, no foreign servers, and no style of yours touched.",
        "M13 3.5L5.5 13.5H12l-1 7 7.5-10H12z",
    ),
]

# --- How it works --------------------------------------------------------------------------------
STEPS_TITLE = "From nothing to a first conversation"
STEPS = [
    Step(
        "Start it",
        "Clone it and say `make run`: that sets up everything, with a demo to talk to. It needs "
        "Python 3.11, no account and no key.",
    ),
    Step(
        "Tell it what you know",
        "Write down products, prices and answers in the admin, and how the agent should sell. It "
        "uses them from the next question on.",
    ),
    Step(
        "Paste one tag",
        "The chat appears on your website, and the first questions arrive with names and numbers "
        "attached.",
    ),
]

# --- Languages -----------------------------------------------------------------------------------
LANGUAGES_TITLE = "Asked in German, answered in German"
LANGUAGES_TEXT = (
    "A model answers in the language your visitor writes, from knowledge you keep in one. The "
    "guided seller, which needs no model, speaks English, German, French, Spanish and Portuguese. "
    "The chat’s own words come in fifteen languages, Arabic and Hebrew from right to left."
)
VOICE_TEXT = (
    "It reads its answers aloud while it is still writing them, once a visitor asks for it, and "
    "listens where they would rather talk: by their own browser, or by a voice of your choice."
)
HELLOS = [
    Hello("de", "Passt das Rad durch eine normale Tür?"),
    Hello("fr", "Livrez-vous aussi à Lyon ?"),
    Hello("es", "¿Cuánto cuesta la versión eléctrica?"),
    Hello("ar", "هل يمكنني تجربة الدراجة؟"),
    Hello("en", "Can I talk to a person?"),
]

# --- For developers ------------------------------------------------------------------------------
DEVELOPERS_TITLE = "One tag, and no surprises behind it"
DEVELOPERS_TEXT = (
    "Anywhere in your pages, in the head or the body. What follows is fetched when somebody "
    "reaches for it."
)
TAG_LABEL, CODE_LABEL = "The tag to copy", "Your own code and the chat"
CODE = """\
// Before or after the chat has loaded:
SalesChat.open();
SalesChat.prefill("I would like a test ride");

// For your own analytics; no word of a conversation is in it
SalesChat.on("reply", ({ role }) => count("chat reply", role));

// Who is signed in, proved by your server
SalesChat.identify({ id, email, name, hash });"""
DEVELOPERS = [
    Step(
        "Your page stays yours",
        "A custom element in a shadow root: no style leaks in or out. It runs under a strict "
        "Content-Security-Policy and Trusted Types.",
    ),
    Step(
        "Yours to steer",
        'Any button opens it with `data-sales-chat="open"`, a small JavaScript interface does the '
        "rest. Colours, corners and font follow CSS variables.",
    ),
    Step(
        "A protocol on paper",
        "The widget is one client of a documented WebSocket protocol with a plain HTTP fallback. "
        "Write another one for your app.",
    ),
]

# --- Self-hosting --------------------------------------------------------------------------------
HOST_TITLE = "Yours, on your own machine"
HOST_TEXT = (
    "A plain Django project with a test suite you can read. Conversations and leads stay in your "
    "database. Words leave your server only for the language model you choose, and one on your own "
    "machine will do."
)
HOST_POINTS = [
    "SQLite on a laptop, PostgreSQL and Redis in production",
    "A Procfile to deploy; `manage.py check --deploy` names what is missing",
    "OpenAI or any server that speaks its protocol; without one, a guided seller answers from your "
    "knowledge",
    "Survives restarts in the middle of a sentence",
]

# --- Open questions ------------------------------------------------------------------------------
QUESTIONS_TITLE = "What people ask before they start"
QUESTIONS = [
    Question(
        "What does it cost?",
        "The software is free, for companies too. You pay for the machine it runs on and, if you "
        "use a hosted language model, for the words that model reads and writes. Without a model "
        "there is nothing else to pay.",
    ),
    Question(
        "Will it make things up?",
        "It is told to answer from your knowledge, shows the entry an answer came from, and says "
        "when it does not know. A language model can still be wrong; the guided seller cannot "
        "invent anything, because it only quotes you.",
    ),
    Question(
        "Where do my visitors’ words go?",
        "Into your own database. If you set a hosted model, the conversation also goes to its "
        "provider to be answered. No cookies are set and no third party is asked for anything.",
    ),
    Question(
        "Does it slow my website down?",
        "The tag loads a script of under 2 kB, without waiting and after your page. The rest, "
        "under 20 kB, is fetched when somebody reaches for the chat.",
    ),
    Question(
        "Can a person take over?",
        "A visitor who asks for a person is told that one will be in touch, and your staff get an "
        "e-mail with a link to the whole conversation.",
    ),
    Question(
        "Can it speak?",
        "Yes, and listen. Nothing of it begins before a visitor asks, and one tap ends it.",
    ),
]

# --- The end -------------------------------------------------------------------------------------
CLOSING_TITLE = "Ask it something difficult"
CLOSING_TEXT = (
    "A price it does not know, a promise it must not make, a question in another language."
)
FOOTER = [
    Link("Chat on a page of its own", f"/chat/{SITE}"),
    Link("For staff", "/admin/"),
]
