"""Decides what the guided seller says: pure, from the conversation and what a search found."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from chat.llm import ChatMessage, Cited, Found, Prompt, ToolCall
from chat.llm.guided import phrases, reading
from chat.llm.guided.contacts import contacts, without
from chat.llm.guided.vocabulary import Kind

_NEAR = 0.1  # of score: what the visitor's own language may cost
LONGEST_ANSWER = 600  # characters of an entry; cut at the end of a sentence
_NOTE = 300
_NAMELESS = "Sales assistant"  # where no persona has been published
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”“»)]*(?:\s+|$)|\n+")
_MONEY = re.compile(
    r"(?:[€$£]|EUR|USD|GBP|CHF|R\$)\s?\d[\d.,  ]*\d|(?:[€$£]|R\$)\s?\d|"
    r"\d[\d.,  ]*\s?(?:€|EUR\b|USD\b|GBP\b|CHF\b|euros?\b|dollars?\b)"
)
# What is asked after an answer, in this order; after each only if nothing told it already.
_QUALIFYING = ("ask_need", "ask_whom", "ask_contact", "ask_when")
_NEED_ASKS = {"ask_need", "ask_whom", "ask_when"}
_CONTACT_ASKS = {"ask_contact", "ask_reach", "ask_name"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said, what it was made from, and which tools are called after it."""

    text: str
    cited: tuple[Cited, ...] = ()
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True)
class Scene:
    """A conversation as the guided seller sees it at the visitor's newest words."""

    question: str
    language: str
    agent: str
    company: str
    own: Sequence[str]  # the agent's lines so far, oldest first
    earlier: Sequence[tuple[str, str]]  # the visitor's, each after the line of ours before it
    known: Mapping[str, str]
    tools: Collection[str]
    _spoken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, prompt: Prompt, tools: Collection[str]) -> "Scene":
        own = [_words(m) for m in prompt.messages if m["role"] == "assistant"]
        earlier: list[tuple[str, str]] = []
        before = ""
        for message in prompt.messages:
            if message["role"] == "assistant":
                before = _words(message) or before
            elif message["role"] == "user":
                earlier.append((_words(message).strip(), before))
        question = prompt.question.strip() or (earlier[-1][0] if earlier else "")
        newest = question  # perhaps several messages, all of them at the end of `earlier`
        while earlier and earlier[-1][0] and newest.endswith(earlier[-1][0]):
            newest = newest.removesuffix(earlier.pop()[0]).rstrip()
        return cls(
            question=question,
            language=reading.language_of([*(e[0] for e in earlier), question], prompt.language),
            agent=prompt.agent or _NAMELESS,
            company=prompt.company,
            own=[line for line in own if line],
            earlier=earlier,
            known=prompt.known,
            tools=tools,
        )

    @cached_property
    def visitors(self) -> list[str]:
        """The visitor's lines without the newest."""
        return [line for line, _before in self.earlier]

    # --- What the visitor said ------------------------------------------------------------------

    @cached_property
    def asked(self) -> str:
        """The key of the question that our last line asked, or nothing."""
        return phrases.last_ask(self.own[-1]) if self.own else ""

    @cached_property
    def given(self) -> dict[str, str]:
        """The contact details in the newest words."""
        return contacts(self.question, self.asked)

    @cached_property
    def words(self) -> str:
        """The newest words less contact details and greeting."""
        return reading.without_greeting(without(self.question, self.given))

    @cached_property
    def kind(self) -> Kind:
        kind = reading.kind_of(self.words if self.given else self.question)
        if self.given and kind not in {Kind.PERSON, Kind.CALLBACK} and not self._asks_besides:
            return Kind.FINE
        if kind is Kind.YES and self.asked == "offer_related":
            return Kind.QUESTION
        if kind is Kind.YES and (self.asked.startswith("unknown") or self._offered_person):
            return Kind.PERSON
        return kind

    @property
    def _offered_person(self) -> bool:
        line = self.own[-1] if self.own else ""
        return not self.asked and (phrases.says("insult", line) or phrases.says("who", line))

    @cached_property
    def _asks_besides(self) -> bool:
        words = len(self.words.split())
        return words > 4 or (words > 1 and reading.is_asking(self.words))

    @cached_property
    def reachable(self) -> bool:
        fields = {**self._told_before, **self.known, **self.given}
        return bool(fields.get("email") or fields.get("phone"))

    @cached_property
    def _told_before(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for line, before in self.earlier:
            fields.update(contacts(line, phrases.last_ask(before)))
        return fields

    @property
    def named(self) -> bool:
        return bool({**self._told_before, **self.known, **self.given}.get("name"))

    @cached_property
    def repeats(self) -> bool:
        """Whether the visitor has asked just this before."""
        same = reading.telling(self.words) or reading.folded(self.words)
        return any(
            same == (reading.telling(line) or reading.folded(line))
            for line in map(reading.without_greeting, self.visitors)
        )

    # --- What to look for -----------------------------------------------------------------------

    @property
    def queries(self) -> list[str]:
        """What to search for, the likeliest first; nothing where no answer is looked for."""
        if self.kind is not Kind.QUESTION:
            return []
        if self.asked == "offer_related" and reading.kind_of(self.question) is Kind.YES:
            return [phrases.filled("offer_related", "title", self.own[-1])]
        if self._answers and self.asked in {"ask_when", "ask_contact"}:
            return []
        subject = next((line for line in reversed(self.visitors) if reading.telling(line)), "")
        if not subject or self._answers or reading.finds_it_dear(self.words):
            return [self.words]
        both = f"{subject} {self.words}"
        if not reading.telling(self.words):
            return [both]
        if reading.refers_back(self.words):
            return [both, self.words]
        return [self.words, both] if reading.goes_on(self.words) else [self.words]

    def settles(self, found: Sequence[Found]) -> bool:
        """Whether a search found something that answers and was not said before."""
        return any(entry.sure and self._untold(entry) for entry in found)

    @cached_property
    def _answers(self) -> bool:
        """Whether the newest words answer our question rather than ask one."""
        if reading.is_asking(self.words) or reading.asks_price(self.words):
            return False
        told_anyway = len(self.words.split()) <= 4 and any(
            reading.told(ask, [self.words]) for ask in _NEED_ASKS
        )
        return self.asked in _NEED_ASKS or (self.asked == "ask_contact" and told_anyway)

    @cached_property
    def _adds(self) -> bool:
        """Whether somebody whom we can reach adds a word for our team: "Saturday is fine"."""
        few = len(self.words.split()) <= 6
        return (
            few
            and self.kind is Kind.QUESTION
            and self.reachable
            and not self.given
            and not self.repeats
            and bool(reading.telling(self.words))
            and not reading.is_asking(self.question)
        )

    # --- What to say ----------------------------------------------------------------------------

    def reply(self, found: Sequence[Found]) -> Reply:
        """The reply to the newest words; `found` is what the search gave for `queries`."""
        self._spoken.clear()
        sure = [entry for entry in found if entry.sure]
        calls = self._calls(adds=self._adds and not sure)
        if self.kind is Kind.PERSON:
            text, cited = self._person(), None
        elif self.given and not (
            self.kind is Kind.QUESTION and (sure or reading.is_asking(self.words))
        ):
            text, cited = self._thank(), None
        elif self.kind is Kind.QUESTION:
            text, cited = self._answer(sure)
            if self.given:
                text = f"{self._thanks_for_contact()} {text}"
        else:
            text, cited = self._talk(), None
        source = (Cited(cited.title, cited.link),) if cited else ()
        return Reply(self._unlike_before(text), source, calls)

    def after_tools(self) -> Reply:
        """Ends a reply whose tools have run; says something only if nothing was said yet."""
        return Reply("" if self.own and self.own[-1].strip() else self._say("done"))

    def _answer(self, sure: Sequence[Found]) -> tuple[str, Found | None]:
        entry = self._choose(sure)
        if entry and self._answers and not self._meant(entry):
            entry = None
        if entry is None and (self._answers or self._adds):
            opening = self._say("noted")
            return _joined(opening, self._next_step(sure) or self._say("anything_else")), None
        if entry is None:
            return self._say("unknown_known" if self.reachable else "unknown"), None
        untold = self._untold(entry)
        if not untold:
            again = self._again(entry)
            step = self._next_step(sure, after=entry) or self._say("anything_else")
            return _joined(again, step), entry
        opening = self._say("noted") if self._answers else ""
        if not self._speaks(entry):
            opening = _joined(opening, self._say("foreign"))
        text = f"{opening} {untold}".strip()
        step = self._next_step(sure, after=entry)
        return (f"{text}\n\n{step}" if step else text), entry

    def _choose(self, sure: Sequence[Found]) -> Found | None:
        """The entry to answer from: the best, or the best untold one where it was told before."""
        if not sure:
            return None
        best = sure[0]
        near = [entry for entry in sure if entry.score > best.score - _NEAR]
        # One's own language first, then the one that most can read.
        best = max(near, key=lambda entry: (self._speaks(entry), entry.language[:2] == "en"))
        if self.repeats or self._untold(best):
            return best
        if reading.asks_price(self.words) and _MONEY.search(best.text):
            return best
        if reading.refers_back(self.words) or self._answers:
            return next((entry for entry in sure if self._untold(entry)), best)
        return best

    def _meant(self, entry: Found) -> bool:
        """Whether words that answer our question ask for this entry as well."""
        named = reading.telling(self.words) & reading.telling(entry.title)
        return bool(self._untold(entry)) and (bool(named) or len(self.words.split()) > 4)

    def _untold(self, entry: Found) -> str:
        """What of an entry has not been said yet, at most shortened."""
        told = "\n".join(self.own)
        sentences = _sentences(entry.text)
        first = next((n for n, s in enumerate(sentences) if s.strip() not in told), len(sentences))
        return _shortened("".join(sentences[first:]).strip())

    def _again(self, entry: Found) -> str:
        sums = list(dict.fromkeys(match.strip() for match in _MONEY.findall(entry.text)))[:4]
        if sums and reading.asks_price(self.words) and not self.repeats:
            return self._say("figures", figures="; ".join(sums))
        return self._say("still", title=entry.title)

    def _talk(self) -> str:
        kind = self.kind
        if kind is Kind.CALLBACK:
            return self._say("callback_saved" if self.reachable else "ask_reach")
        if kind is Kind.YES and self.asked in _CONTACT_ASKS:
            return _joined(self._say("fine"), self._say("ask_reach"))
        if kind is Kind.NO and self.asked:
            return _joined(self._say("declined"), self._say("anything_else"))
        if kind is Kind.GREETING and not self.own:
            return _joined(self._say("introduction"), self._say("invite"))
        if kind in {Kind.WHO, Kind.INSULT, Kind.GOODBYE}:
            return self._say(kind.name.lower())
        if kind is Kind.THANKS:
            return _joined(self._say("thanks"), self._next_step() or self._say("anything_else"))
        if kind in {Kind.YES, Kind.NO, Kind.FINE}:
            heard = "noted" if self.asked else "fine"
            return _joined(self._say(heard), self._next_step() or self._say("anything_else"))
        opening = {
            Kind.GREETING: "greeting",
            Kind.WELLBEING: "wellbeing",
            Kind.EMOJI: "fine",
        }.get(kind, "unclear")
        return _joined(self._say(opening), self._say("invite"))

    def _person(self) -> str:
        if "hand_over" not in self.tools:
            return self._say("no_person")
        return self._say("person")

    def _thank(self) -> str:
        if not self.reachable:
            if "name" in self.given:
                opening = self._say("nice_to_meet", name=self.given["name"])
            else:
                opening = self._say("noted")
            contact_asked = self.asked in _CONTACT_ASKS or self.asked.startswith("unknown")
            step = self._say("ask_reach") if contact_asked else self._next_step()
            return _joined(opening, step or self._say("invite"))
        return _joined(self._thanks_for_contact(), self._next_step() or self._say("anything_else"))

    def _thanks_for_contact(self) -> str:
        if "save_lead" not in self.tools:
            return self._say("noted")
        if name := self.given.get("name"):
            return self._say("saved_name" if self.reachable else "nice_to_meet", name=name)
        return self._say("saved")

    def _next_step(self, sure: Sequence[Found] = (), after: Found | None = None) -> str:
        """One question that moves the sale on and was not asked or answered before, or nothing."""
        if self.reachable and not self.named and not self._has_asked("ask_name"):
            return self._say("ask_name")
        for ask in self._order_of_asks():
            if not self._has_asked(ask) and not reading.told(ask, [*self.visitors, self.question]):
                return self._say(ask)
        related = next(
            (e for e in sure if e is not after and self._untold(e) and self._may_offer(e)), None
        )
        return self._say("offer_related", title=related.title) if related else ""

    def _order_of_asks(self) -> list[str]:
        order = list(_QUALIFYING)
        if reading.wants_to_buy(self.question):
            order.remove("ask_contact")
            order.insert(0, "ask_contact")
        if self.reachable or self._has_asked("ask_reach"):
            order.remove("ask_contact")
        return order

    def _speaks(self, entry: Found) -> bool:
        """Whether an entry is in the visitor's language."""
        return entry.language.split("-")[0].lower() == self.language

    def _may_offer(self, entry: Found) -> bool:
        title = entry.title.strip()
        return self._speaks(entry) and not any(
            phrases.filled("offer_related", "title", line) == title for line in self.own
        )

    def _has_asked(self, key: str) -> bool:
        return any(phrases.says(key, line) for line in self.own)

    # --- Which tools ----------------------------------------------------------------------------

    def _calls(self, *, adds: bool) -> tuple[ToolCall, ...]:
        calls = []
        fields = {"note": _cut(self.question, _NOTE)} if adds else self._lead()
        if fields and "save_lead" in self.tools:
            calls.append(("save_lead", fields))
        if self.kind is Kind.PERSON and "hand_over" in self.tools:
            calls.append(("hand_over", {"reason": _cut(self.question, _NOTE)}))
        turn = len(self.own)
        return tuple(
            ToolCall(f"guided-{turn}-{n}", name, json.dumps(arguments, ensure_ascii=False))
            for n, (name, arguments) in enumerate(calls)
        )

    def _lead(self) -> dict[str, str]:
        """What is new for the lead, in the visitor's words; the need comes with the first way."""
        fields = {**self._told_before, **self.given}
        new = {name: value for name, value in fields.items() if self.known.get(name) != value}
        # A name alone can't be called: it waits in the conversation until there is a way to reach.
        if not self.reachable or (not self.given and self.kind is not Kind.CALLBACK):
            return {}
        if not self.known.get("note") and (need := self._need()):
            new["note"] = need
        return new

    def _need(self) -> str:
        """The line of the visitor that says most about what they want, word for word."""
        said = [*self.earlier, (self.question, self.own[-1] if self.own else "")]
        best, most = "", (False, False, 0)
        for line, before in said:
            details = contacts(line, phrases.last_ask(before))
            rest = without(line, details)
            rank = (not details, reading.told("ask_need", [rest]), len(reading.telling(rest)))
            if rank[2] and reading.kind_of(rest) is Kind.QUESTION and rank > most:
                best, most = line, rank
        return _cut(best, _NOTE)

    # --- Words ----------------------------------------------------------------------------------

    def _say(self, key: str, **values: str) -> str:
        """The first way to say `key` that was not used yet, else the one used longest ago."""
        lines = [*self.own, *self._spoken]

        def last_use(phrase: str) -> int:
            uses = [n for n, line in enumerate(lines) if phrases.is_said(phrase, line)]
            return uses[-1] if uses else -1

        phrase = min(phrases.variants(key, self.language), key=last_use)
        text = phrase.format(agent=self.agent, company=self.company, **values)
        self._spoken.append(text)
        return text

    def _unlike_before(self, text: str) -> str:
        """`text`, or `text` with another ending, where the very same was said before."""
        if text not in self.own:
            return text
        endings = [
            phrase
            for key in ("anything_else", "invite")
            for phrase in phrases.variants(key, self.language)
        ]
        openings = ["", *phrases.variants("fine", self.language)]
        for ending in endings:
            for opening in openings:
                other = " ".join(filter(None, (opening, text, ending)))
                if ending not in text and other not in self.own:
                    return other
        return text


def _words(message: ChatMessage) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _sentences(text: str) -> list[str]:
    """A text in pieces that end where sentences or lines do; joined they are the text."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    cuts = [0, *(end for end in ends if end < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if text[a:b]]


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_ANSWER:
        return text
    kept = ""
    for sentence in _sentences(text):
        if kept and len(kept) + len(sentence.rstrip()) > LONGEST_ANSWER:
            break
        kept += sentence
    return kept.strip()


def _cut(text: str, longest: int) -> str:
    """The beginning of a text, whole words only."""
    return text if len(text) <= longest else text[:longest].rsplit(maxsplit=1)[0]
