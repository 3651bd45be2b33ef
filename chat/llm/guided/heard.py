"""What the guided seller makes of a conversation: who said what, and what is wanted now. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from chat.llm import ChatMessage, Prompt
from chat.llm.guided import phrases, reading
from chat.llm.guided.contacts import contacts, without
from chat.llm.guided.vocabulary import Kind

_NAMELESS = "Sales assistant"  # where no persona has been published


@dataclass(frozen=True)
class Heard:
    """A conversation as the guided seller sees it at the visitor's newest words."""

    question: str
    language: str
    agent: str
    company: str
    own: Sequence[str]  # the agent's lines so far, oldest first
    earlier: Sequence[tuple[str, str]]  # the visitor's, each after the line of ours before it
    known: Mapping[str, str]
    signed: Mapping[str, str]  # name and e-mail, where the website has signed them
    tools: Collection[str]
    _spoken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, prompt: Prompt, tools: Collection[str]) -> Self:
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
            signed=prompt.signed,
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
        return self._contacts(self.question, self.asked)

    def _contacts(self, words: str, asked: str) -> dict[str, str]:
        """Contact details in the words; those that the website signed, where words agree to it."""
        if asked == "ask_signed" and reading.agrees(words):
            return {**self.signed, **contacts(words, asked)}
        return contacts(words, asked)

    @cached_property
    def words(self) -> str:
        """The newest words less contact details and greeting."""
        return reading.without_greeting(without(self.question, self.given))

    @cached_property
    def kind(self) -> Kind:
        kind = reading.kind_of(self.words if self.given else self.question)
        if self._person_called and (
            kind in {Kind.GREETING, Kind.UNCLEAR} or reading.is_impatient(self.question)
        ):
            return Kind.WAITING
        if kind is Kind.QUESTION and reading.kind_of(self.words) is Kind.REMARK:
            return Kind.REMARK  # after a greeting
        if self.given and kind not in {Kind.PERSON, Kind.CALLBACK} and not self._asks_besides:
            return Kind.FINE
        if kind is Kind.YES and self.asked == "offer_related":
            return Kind.QUESTION
        if kind is Kind.YES and (self.asked.startswith("unknown") or self._offered_person):
            return Kind.PERSON
        return kind

    @property
    def _person_called(self) -> bool:
        return any(phrases.says(key, line) for key in ("person", "waiting") for line in self.own)

    @cached_property
    def _wants_call(self) -> bool:
        """Whether a call back is wished for, now or in an earlier line."""
        return self.kind is Kind.CALLBACK or bool(self._call_wish)

    @cached_property
    def _call_wish(self) -> str:
        """The earlier line that wished for a call, or nothing."""
        lines = reversed(self.visitors)
        return next((line for line in lines if reading.kind_of(line) is Kind.CALLBACK), "")

    @property
    def _offered_person(self) -> bool:
        line = self.own[-1] if self.own else ""
        return not self.asked and (phrases.says("insult", line) or phrases.says("who", line))

    @cached_property
    def _asks_besides(self) -> bool:
        words = len(self.words.split())
        return words > 4 or (words > 1 and reading.is_asking(self.words))

    @cached_property
    def _fields(self) -> dict[str, str]:
        return {**self._told_before, **self.known, **self.given}

    @property
    def reachable(self) -> bool:
        return bool(self._fields.get("email") or self._fields.get("phone"))

    @cached_property
    def _told_before(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for line, before in self.earlier:
            fields.update(self._contacts(line, phrases.last_ask(before)))
        return fields

    @property
    def named(self) -> bool:
        return bool(self._fields.get("name") or self.signed.get("name"))

    @property
    def wrote_from(self) -> str:
        """The address that the website signed and nobody has passed on yet, or nothing."""
        return "" if self.reachable else self.signed.get("email", "")

    @cached_property
    def repeats(self) -> bool:
        """Whether the visitor has asked just this before."""
        same = reading.telling(self.words) or reading.folded(self.words)
        return any(
            same == (reading.telling(line) or reading.folded(line))
            for line in map(reading.without_greeting, self.visitors)
        )


def _words(message: ChatMessage) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""
