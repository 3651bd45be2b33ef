"""Which campaign led a visitor here, by the `utm_` parameters of a page's address. Pure.

Anybody can write such an address: what it says is bounded, and nothing in it is unseen.
"""

from urllib.parse import parse_qsl, urlsplit

LENGTH = 200  # of a campaign in one line
PART = 200  # characters of one parameter
_UTM = {f"utm_{name}" for name in ("source", "medium", "campaign", "term", "content")}


def parameters(url: str) -> dict[str, str]:
    """What its parameters say: source, medium, campaign, term, content; of two the first."""
    try:
        pairs = parse_qsl(urlsplit(url).query, max_num_fields=100)
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in _UTM and (text := _seen(value)):
            found.setdefault(name[4:], text)
    return found


def in_a_line(url: str) -> str:
    """Source, medium and campaign, as `newsletter / email / spring`; "" where there is none."""
    told = parameters(url)
    parts = (told.get(name, "") for name in ("source", "medium", "campaign"))
    return " / ".join(part for part in parts if part)[:LENGTH].rstrip()


def _seen(value: str) -> str:
    """In one line, without what is not seen: escapes of an address stand for any character."""
    kept = "".join(sign if sign.isprintable() else " " for sign in value)
    return " ".join(kept.split())[:PART].rstrip()
