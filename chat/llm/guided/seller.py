"""Decides what the guided seller says: pure, from the conversation and what a search found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from chat.llm import Cited, Found, ToolCall
from chat.llm.guided import phrases, reading
from chat.llm.guided.contacts import contacts, without
from chat.llm.guided.excerpts import cut, joined, sentences, shortened, sums
from chat.llm.guided.heard import Heard
from chat.llm.guided.vocabulary import Kind

_NEAR = 0.1  # of score: what is as good an answer as the best
_NEAR_OWN = 0.25  # what the visitor's own language may cost
_NOTE = 300
_TITLE = 60  # characters of a title that fits on a button
# What is asked after an answer, in this order; after each only if nothing told it already.
_QUALIFYING = ("ask_need", "ask_whom", "ask_contact", "ask_when")
_NEED_ASKS = {"ask_need", "ask_whom", "ask_when"}
_CONTACT_ASKS = {"ask_contact", "ask_reach", "ask_phone", "ask_name"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said, what it was made from, and which tools are called after it."""

    text: str
    cited: tuple[Cited, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    offers: tuple[str, ...] = ()  # answers to the question it ends with


class Scene(Heard):
    """What the guided seller does about what it heard."""

    # --- What to look for -----------------------------------------------------------------------

    @property
    def queries(self) -> list[str]:
        """What to search for, the likeliest first; nothing where no answer is looked for."""
        if self.kind is not Kind.QUESTION:
            return []
        if self.asked == "offer_related" and reading.kind_of(self.question) is Kind.YES:
            return [phrases.filled("offer_related", "title", self.own[-1])]
        if self._answers and self.asked in {"ask_when", "ask_contact", "ask_call_time"}:
            return []
        if self._call_wish and self._adds and reading.told("ask_call_time", [self.words]):
            return []  # when to call
        subject = next((line for line in reversed(self.visitors) if reading.telling(line)), "")
        if not subject or self._answers or reading.finds_it_dear(self.words):
            return [self.words]
        both = f"{subject} {self.words}"
        if not reading.telling(self.words):
            return [both]
        if reading.refers_back(self.words) or reading.goes_on(self.words):
            return [self.words, both]
        return [self.words]

    def settles(self, found: Sequence[Found]) -> bool:
        """Whether a search found something that answers and was not said before."""
        best = next((entry for entry in found if entry.sure), None)
        return best is not None and bool(self._untold(best))

    @cached_property
    def _answers(self) -> bool:
        """Whether the newest words answer our question rather than ask one."""
        if reading.is_asking(self.words) or reading.asks_price(self.words):
            return False
        told_anyway = len(self.words.split()) <= 4 and any(
            reading.told(ask, [self.words]) for ask in _NEED_ASKS
        )
        return self.asked in {*_NEED_ASKS, "ask_call_time"} or (
            self.asked == "ask_contact" and told_anyway
        )

    @cached_property
    def _adds(self) -> bool:
        """Whether somebody whom we can reach adds a word for our team: "Saturday is fine"."""
        few = len(self.words.split()) <= 6 or self.asked == "ask_call_time"
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
            text, cited = self._say("person" if "hand_over" in self.tools else "no_person"), None
        elif self.kind is Kind.CALLBACK or (self._call_wish and self.given):
            text, cited = self._call_back(), None
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
        text = self._unlike_before(text)
        return Reply(text, source, calls, self._offers(text, cited, sure))

    def after_tools(self) -> Reply:
        """Ends a reply whose tools have run; says something only if nothing was said yet."""
        return Reply("" if self.own and self.own[-1].strip() else self._say("done"))

    def _answer(self, sure: Sequence[Found]) -> tuple[str, Found | None]:
        entry = self._choose(sure)
        if entry and self._answers and not self._meant(entry):
            entry = None
        tells = not reading.is_asking(self.words) and any(
            reading.told(ask, [self.words]) for ask in _NEED_ASKS
        )
        if entry is None and (self._answers or self._adds or tells):
            opening = self._say("noted")
            return joined(opening, self._next_step(sure) or self._say("anything_else")), None
        if entry is None:
            return self._unknown(), None
        untold = self._untold(entry)
        if not untold and not self.repeats and not self._price_again(entry):
            return self._recalled(entry), entry
        if not untold:
            again = self._again(entry)
            step = self._next_step(sure, after=entry) or self._say("anything_else")
            return joined(again, step), entry
        opening = self._say("noted") if self._answers else ""
        if not self._speaks(entry):
            opening = joined(opening, self._say("foreign"))
        text = f"{opening} {untold}".strip()
        step = self._next_step(sure, after=entry)
        return (f"{text}\n\n{step}" if step else text), entry

    def _unknown(self) -> str:
        if self.reachable:
            return self._say("unknown_known")
        return self._say("unknown_signed" if self.wrote_from else "unknown")

    def _choose(self, sure: Sequence[Found]) -> Found | None:
        """The entry to answer from: the best, or the best untold one where it was told before."""
        if not sure:
            return None
        best = sure[0]
        near = [entry for entry in sure if entry.score > best.score - _NEAR]
        own = [e for e in sure if self._speaks(e) and e.score > best.score - _NEAR_OWN]
        # One's own language first, then the one that most can read.
        best = own[0] if own else max(near, key=lambda entry: entry.language[:2] == "en")
        if self.repeats or self._untold(best):
            return best
        if reading.asks_price(self.words) and sums(best.text):
            return best
        if reading.refers_back(self.words) or self._answers:
            return next((entry for entry in sure if self._untold(entry)), best)
        return next((entry for entry in near if self._untold(entry)), best)

    def _meant(self, entry: Found) -> bool:
        """Whether words that answer our question ask for this entry as well."""
        named = reading.telling(self.words) & reading.telling(entry.title)
        return bool(self._untold(entry)) and (bool(named) or len(self.words.split()) > 4)

    def _untold(self, entry: Found) -> str:
        """What of an entry has not been said yet, at most shortened."""
        told = "\n".join(self.own)
        said = sentences(entry.text)
        first = next((n for n, s in enumerate(said) if s.strip() not in told), len(said))
        return shortened("".join(said[first:]).strip())

    def _again(self, entry: Found) -> str:
        if self._price_again(entry) and not self.repeats:
            return self._say("figures", figures="; ".join(sums(entry.text)[:4]))
        return self._say("still", title=entry.title)

    def _price_again(self, entry: Found) -> bool:
        """Whether a price is asked for, and nothing else that the entry says something about."""
        also = reading.telling(self.words) & reading.telling(entry.text)
        only = not also - reading.telling(entry.title)
        return only and reading.asks_price(self.words) and bool(sums(entry.text))

    def _recalled(self, entry: Found) -> str:
        """What was said before and answers this other question as well: its fitting sentence."""
        asked = reading.telling(self.words)
        sentence = max(sentences(entry.text), key=lambda s: len(asked & reading.telling(s)))
        return self._say("recall", title=entry.title, words=sentence.strip())

    def _call_back(self) -> str:
        if "save_lead" not in self.tools:
            return self._say("no_person")
        name = self.given.get("name", "")
        opening = self._say("nice_to_meet", name=name) if name else ""
        if not self.reachable:
            return joined(opening, self._say("ask_phone" if self.wrote_from else "ask_reach"))
        heard = self._say("callback_saved")
        return joined(opening, heard, self._next_step() or self._say("anything_else"))

    def _talk(self) -> str:
        kind = self.kind
        if kind is Kind.WAITING:
            return self._say("waiting")
        if kind is Kind.YES and self.asked in _CONTACT_ASKS:
            return joined(self._say("fine"), self._say("ask_reach"))
        if kind is Kind.NO and self.asked:
            return joined(self._say("declined"), self._say("anything_else"))
        if kind in {Kind.GREETING, Kind.REMARK} and not self.own:
            return joined(self._say("introduction"), self._say("invite"))
        if kind in {Kind.WHO, Kind.INSULT, Kind.GOODBYE}:
            return self._say(kind.name.lower())
        if kind is Kind.THANKS:
            return joined(self._say("thanks"), self._next_step() or self._say("anything_else"))
        if kind in {Kind.YES, Kind.NO, Kind.FINE}:
            heard = "noted" if self.asked else "fine"
            return joined(self._say(heard), self._next_step() or self._say("anything_else"))
        opening = {
            Kind.GREETING: "greeting",
            Kind.REMARK: "greeting",
            Kind.WELLBEING: "wellbeing",
            Kind.EMOJI: "fine",
        }.get(kind, "unclear")
        return joined(self._say(opening), self._say("invite"))

    def _thank(self) -> str:
        if not self.reachable:
            if "name" in self.given:
                opening = self._say("nice_to_meet", name=self.given["name"])
            else:
                opening = self._say("noted")
            contact_asked = self.asked in _CONTACT_ASKS or self.asked.startswith("unknown")
            step = self._say("ask_reach") if contact_asked else self._next_step()
            return joined(opening, step or self._say("invite"))
        return joined(self._thanks_for_contact(), self._next_step() or self._say("anything_else"))

    def _thanks_for_contact(self) -> str:
        if "save_lead" not in self.tools:
            return self._say("noted")
        if name := self.given.get("name"):
            return self._say("saved_name" if self.reachable else "nice_to_meet", name=name)
        return self._say("saved")

    def _next_step(self, sure: Sequence[Found] = (), after: Found | None = None) -> str:
        """One question that moves the sale on and was not asked or answered before, or nothing."""
        unreached = self._wants_call and self.reachable and not self._fields.get("phone")
        if unreached and not self._has_asked("ask_phone"):
            return self._say("ask_phone")
        if self.reachable and not self.named and not self._has_asked("ask_name"):
            return self._say("ask_name")
        for ask in self._order_of_asks():
            if ask == "ask_contact" and self.wrote_from:
                ask = "ask_signed"
            if not self._has_asked(ask) and not reading.told(ask, [*self.visitors, self.question]):
                return self._say(ask, email=self.wrote_from)
        related = next(
            (
                entry
                for entry in sure
                if entry is not after
                and (after is None or entry.score > after.score - _NEAR)
                and self._untold(entry)
                and self._may_offer(entry)
            ),
            None,
        )
        return self._say("offer_related", title=related.title) if related else ""

    def _order_of_asks(self) -> list[str]:
        if self._wants_call and self._fields.get("phone"):
            return ["ask_call_time"]
        if self._wants_call or self._person_called:
            return []  # who waits for a person has been asked enough
        order = list(_QUALIFYING)
        if reading.wants_to_buy(self.question):
            order.remove("ask_contact")
            order.insert(0, "ask_contact")
        elif len(self.visitors) < 2:  # not before some help
            order.append(order.pop(order.index("ask_contact")))
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

    def _offers(self, text: str, cited: Found | None, sure: Sequence[Found]) -> tuple[str, ...]:
        """Answers to the question that `text` ends with; other titles beside the offered one."""
        asked = phrases.last_ask(text)
        answers = phrases.replies(asked, self.language)
        if asked != "offer_related":
            return answers
        offered = phrases.filled(asked, "title", text)
        others = [
            entry.title
            for entry in sure
            if entry is not cited
            and entry.title != offered
            and len(entry.title) <= _TITLE
            and self._speaks(entry)
            and self._untold(entry)
        ]
        return (answers[0], *others[:2], *answers[1:])

    # --- Which tools ----------------------------------------------------------------------------

    def _calls(self, *, adds: bool) -> tuple[ToolCall, ...]:
        calls = []
        fields = self._added() if adds else self._lead()
        if fields and "save_lead" in self.tools:
            calls.append(("save_lead", fields))
        if self.kind is Kind.PERSON and "hand_over" in self.tools:
            calls.append(("hand_over", {"reason": cut(self.question, _NOTE)}))
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
        wish = self.question if self.kind is Kind.CALLBACK else self._call_wish
        if wish and wish not in self.known.get("note", ""):
            new["note"] = cut(wish, _NOTE)
        if self.signed.get("name") and not self._fields.get("name"):
            new["name"] = self.signed["name"]
        return {**self._qualities(), **new}

    def _added(self) -> dict[str, str]:
        """What somebody adds whom we can reach: when, for how much, or just a word."""
        told = _qualities(self.question, self.asked)
        return told or {"note": cut(self.question, _NOTE)}

    def _qualities(self) -> dict[str, str]:
        """Need, budget and timing as the visitor stated them, those that nobody has noted."""
        found = {"need": self._need()}
        for line, before in (*self.earlier, (self.question, self.own[-1] if self.own else "")):
            found.update(_qualities(line, phrases.last_ask(before)))
        return {name: line for name, line in found.items() if line and not self.known.get(name)}

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
        return cut(best, _NOTE)

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


# Quick replies to the question for the time.
_TIMES = {it for language in phrases.LANGUAGES for it in phrases.replies("ask_when", language)}


def _qualities(line: str, asked: str) -> dict[str, str]:
    """The budget and the time that a line of the visitor states; `asked` is what it answers."""
    found = {}
    answers = asked == "ask_when" and (line in _TIMES or reading.told("ask_call_time", [line]))
    if answers or reading.told("ask_when", [line]):
        found["timing"] = cut(line, _NOTE)
    if reading.states_budget(line) and sums(line):
        found["budget"] = cut(line, _NOTE)
    return found
