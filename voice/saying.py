"""How a written piece is said: without marks that are for the eye, prices and dates as words. Pure.

The language is guessed from the piece itself, by its smallest words, so that the same text is
always said in the same way; where nothing tells it, prices and dates stay as they are written.
"""

import re
from collections.abc import Callable
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import override

# Words that are frequent in one language and rare in the others.
_SMALL = {
    "en": "the is and you it for with our your can we are this that from have will of to i",
    "de": "der die das und ist sie für ein eine einen mit ich wir es nicht auf von zu im",
    "fr": "le les et est vous pour une avec des nous il dans pas votre du au je",
    "es": "el los las y es para con una usted del por su lo nuestro puede",
    "pt": "os as é para uma com você não em do da nosso pode seu ao",
    "it": "il gli è per una con di che nostro può del della si ai",
    "nl": "het een en van voor met u wij niet op onze kunt dat",
}
_LANGUAGES = {
    word: [code for code, words in _SMALL.items() if word in words.split()]
    for words in _SMALL.values()
    for word in words.split()
}
# One and many of each currency; what "/" and a dash between two numbers are said as.
_MONEY = {
    "en": {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds")},
    "de": {"$": ("Dollar", "Dollar"), "€": ("Euro", "Euro"), "£": ("Pfund", "Pfund")},
    "fr": {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("livre", "livres")},
    "es": {"$": ("dólar", "dólares"), "€": ("euro", "euros"), "£": ("libra", "libras")},
    "pt": {"$": ("dólar", "dólares"), "€": ("euro", "euros"), "£": ("libra", "libras")},
    "it": {"$": ("dollaro", "dollari"), "€": ("euro", "euro"), "£": ("sterlina", "sterline")},
    "nl": {"$": ("dollar", "dollar"), "€": ("euro", "euro"), "£": ("pond", "pond")},
}
_PER = {"en": "per", "de": "pro", "fr": "par", "es": "por", "pt": "por", "it": "al", "nl": "per"}
_UNTIL = {"en": "to", "de": "bis", "fr": "à", "es": "a", "pt": "a", "it": "a", "nl": "tot"}

_AMOUNT = r"\d+(?:[.,  ']\d{3})*(?:[.,]\d{1,2})?(?!\d)"
_PRICE = re.compile(
    rf"(?:(?P<before>[$€£])\s?(?P<a>{_AMOUNT})|(?<![\d.,])(?P<b>{_AMOUNT})\s?(?P<after>[$€£])(?!\w))"
    r"(?P<per>\s?/\s?(?=[^\W\d_]))?"
)
_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?![\w-])")
_RANGE = re.compile(r"(?<=\d)\s?–\s?(?=[$€£]?\d)")

_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)")
_ADDRESS = re.compile(
    r"<?\b(?:https?://|www\.)(?:www\.)?([^\s/<>()?#]+)[^\s<>()]*?(?=[.,;:!?]*(?:[\s<>()]|$))>?"
)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•‣–][ \t]+)+", re.MULTILINE)
_RULE = re.compile(r"^[ \t|:*_=-]*[-*_=]{2,}[ \t|:*_=-]*$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*", re.MULTILINE)
_EMPHASIS = re.compile(r"\*+|~~|`+|(?<![^\W_])_+|_+(?![^\W_])")
_PICTURES = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f☀-➿⬀-⯿\u200d\ufe0e\ufe0f\u20e3⌀-⏿▀-◿]+"
)
_ENDS = ".!?…:;,。！？、，；："


def guess(piece: str, before: str = "") -> str:
    """The language of `piece`, of those whose prices we can say; `before` where nothing tells."""
    counts: dict[str, int] = {}
    for word in re.findall(r"[^\W\d_]+", piece.lower()):
        for code in _LANGUAGES.get(word, ()):
            counts[code] = counts.get(code, 0) + 1
    best = max(counts.values(), default=0)
    found = [code for code, count in counts.items() if count == best]
    return found[0] if len(found) == 1 else before


def say(piece: str, language: str = "") -> str:
    """`piece` as it is read aloud, in one line; "" where there is nothing to say."""
    text = _IMAGE_OR_LINK.sub(r"\1", piece)
    text = _ADDRESS.sub(r"\1", text)
    text = _RULE.sub("", _FENCE.sub("", text))
    text = _PICTURES.sub(" ", _LINE_MARK.sub("", text))
    text = _cells(_EMPHASIS.sub("", text))
    if language:
        text = _as_words(text, language)
    said = _joined(text.splitlines())
    return said if any(letter.isalnum() for letter in said) else ""


def _cells(text: str) -> str:
    """A table's rows, cell after cell."""
    rows = []
    for row in text.split("\n"):
        if row.lstrip().startswith("|") or row.count("|") > 1:
            cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
            row = ", ".join(filter(None, cells))
        rows.append(row)
    return "\n".join(rows)


def _joined(lines: list[str]) -> str:
    """Lines as one, with a stop where a line ends without any."""
    whole = ""
    for line in (" ".join(line.split()) for line in lines):
        if not line:
            continue
        if whole:
            whole += " " if whole[-1] in _ENDS else ". "
        whole += line
    return whole


def _as_words(text: str, language: str) -> str:
    text = _RANGE.sub(f" {_UNTIL[language]} ", text)
    text = _PRICE.sub(_price(language), text)
    return _DATE.sub(_day(language), text)


def _price(language: str) -> Callable[[re.Match[str]], str]:
    def words(found: re.Match[str]) -> str:
        amount = (found["a"] or found["b"]).strip()
        one, many = _MONEY[language][found["before"] or found["after"]]
        per = f" {_PER[language]} " if found["per"] else ""
        return f"{amount} {one if amount == '1' else many}{per}"

    return words


def _day(language: str) -> Callable[[re.Match[str]], str]:
    def words(found: re.Match[str]) -> str:
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            return found[0]
        with override(language):
            return date_format(day, "DATE_FORMAT")

    return words
