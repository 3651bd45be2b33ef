"""Finding entries by their words, in any language; pure, and in memory."""

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Scripts written without spaces: a run of them is cut into pairs of characters.
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECES = re.compile(f"[{_UNSPACED}]+|[^\\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_MOST_TOKENS = 120  # of a query; more say nothing new and cost time

# Words that say nothing about a subject, folded; a query of these alone matches nothing.
_EMPTY_WORDS = """
a about all also am an and any anything are as at be been but by can cannot could did do does
doing don for from get give go got had has have he help her here hi hello his how if in into is
isn it its just know let like ll look looking may me might more much my need no not of ok okay on
one or our out please re really say see she should show so some something tell than thank thanks
that the their them then there these they thing things this those to too up us ve very want was we
well were what when where which who why will with would yes you your aber als auch auf aus bei bin
bis bitte danke das dass dein dem den der des die dies diese dieser doch du ein eine einem einen
einer er es euch euer fur gibt haben habe hallo hast hat ich ihr ihre im ist ja kann kannst kein
keine konnen man mehr mein meine mich mir mit mochte nach nein nicht noch nur ob oder ohne sein
sich sie sind uber um und uns unser vom von wann war warum welche wenn wer werden wie wir wird wo
zu zum zur au aux avec avez avoir bonjour ce ces cette comment dans de elle en est et etes etre
faire il ils je la le les leur ma mais merci mes moi mon ne nos notre nous ou par pas peut peux
plus pour pouvez pourquoi quand que quel quelle quelles quels qui quoi sa se ses si son sont sur
ta te tu un une veux vos votre vous y al como con cual cuando cuanto del donde el ella ellos eres
esta estan este esto gracias hacer hay hola las lo los mi mis muy o para pero por porque puede
puedo quien quiero ser sin sobre soy su sus tener tiene tienen una unos usted ustedes yo ao aos
com da dos ela ele eles em essa esse eu fazer foi isso mas meu minha na nas nao num numa obrigado
ola onde os pela pelo pode posso qual quando quanto quem quero sao seu sua tem tenho uma voce
什么 可以 怎么 你们 我们 多少 哪里 有没 没有 请问 这个 那个 是什 么样 吗 的 了
呢 我 你 您 是 在 有 个 です ます くだ ださ さい
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


def tokens(text: str) -> list[str]:
    """The searchable words of a text: case and accents folded, unspaced scripts in pairs."""
    found: list[str] = []
    for piece in _PIECES.findall(_folded(text)):
        if len(piece) == 1 or not _IS_UNSPACED.match(piece):
            found.append(piece)
        else:
            found.extend(piece[i : i + 2] for i in range(len(piece) - 1))
    return found


def telling(text: str) -> list[str]:
    """Those tokens that say something about the subject, in order."""
    return [token for token in tokens(text) if _tells(token)]


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare)


def _tells(token: str) -> bool:
    if token in _EMPTY:
        return False
    return len(token) > 1 or token.isdigit() or bool(_IS_UNSPACED.match(token))


def _alike(one: str, other: str) -> bool:
    """Whether two words look like forms of the same: they differ in a short ending only."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared >= 4 and max(len(one), len(other)) - shared <= max(2, shared // 2)


@dataclass(frozen=True, slots=True)
class Wording:
    """What of an entry is searched."""

    title: str
    questions: Sequence[str]
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """How well an entry's words fit a query's."""

    share: float  # of what the query tells, weighed by rarity, found in the entry; 0 to 1
    named: bool  # the query names the entry: its title, or one of its ways to ask


class Lexicon:
    """The words of a collection's entries, ready to be matched by many threads at once."""

    _TITLE, _QUESTION, _TEXT, _FORM = 1.0, 0.95, 0.6, 0.8

    def __init__(self, entries: Sequence[Wording]) -> None:
        self._size = len(entries)
        self._found: dict[str, dict[int, float]] = defaultdict(dict)
        self._names: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._asked: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for number, entry in enumerate(entries):
            self._add(number, telling(entry.text), self._TEXT)
            for question in entry.questions:
                asked = telling(question)
                self._add(number, asked, self._QUESTION)
                self._asked[tuple(asked)].add(number)
            title = telling(entry.title)
            self._add(number, title, self._TITLE)
            self._names[tuple(title)].add(number)
        self._names.pop((), None)
        self._asked.pop((), None)
        self._longest_name = max(map(len, self._names), default=0)
        self._beginnings: dict[str, list[str]] = defaultdict(list)
        for token in self._found:
            if len(token) >= 4:
                self._beginnings[token[:4]].append(token)

    def match(self, query: str) -> dict[int, Match]:
        """The entries that share words with the query, by their number."""
        told = telling(query)[:_MOST_TOKENS]
        shares: dict[int, float] = defaultdict(float)
        total = 0.0
        for token in dict.fromkeys(told):
            holding = self._entries_with(token)
            rarity = math.log(1 + (self._size - len(holding) + 0.5) / (len(holding) + 0.5))
            total += rarity
            for number, quality in holding.items():
                shares[number] += rarity * quality
        named = self._named(told)
        return {number: Match(share / total, number in named) for number, share in shares.items()}

    def _add(self, number: int, told: Iterable[str], weight: float) -> None:
        for token in told:
            entries = self._found[token]
            entries[number] = max(entries.get(number, 0.0), weight)

    def _entries_with(self, token: str) -> dict[int, float]:
        entries = dict(self._found.get(token, {}))
        for form in self._beginnings.get(token[:4], ()):
            if form != token and _alike(form, token):
                for number, weight in self._found[form].items():
                    entries[number] = max(entries.get(number, 0.0), self._FORM * weight)
        return entries

    def _named(self, told: Sequence[str]) -> set[int]:
        """Entries whose whole title stands in the query, or one of whose questions is the query.

        A title of one word names its entry only where few entries know the word.
        """
        named = self._names.get(tuple(told), set()) | self._asked.get(tuple(told), set())
        for length in range(1, min(len(told), self._longest_name) + 1):
            for start in range(len(told) - length + 1):
                name = tuple(told[start : start + length])
                if length > 1 or self._is_rare(name[0]):
                    named |= self._names.get(name, set())
        return named

    def _is_rare(self, token: str) -> bool:
        return len(token) >= 3 and len(self._found.get(token, ())) <= max(1, self._size // 10)
