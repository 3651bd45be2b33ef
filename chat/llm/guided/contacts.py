"""Finds a visitor's name, e-mail, phone and company in their words. Every value stands in them."""

import re

from chat.llm.guided.vocabulary import STOP

_EMAIL = re.compile(r"[\w.%+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
# Digits with the separators that people use; what is no phone number is sorted out below.
_NUMBERS = re.compile(r"(?<![\w@#€$£.,+-])(?:\+|\()?\(?\d[\d ().\-/\u00a0]{4,24}\d(?![\w@])")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})")
_LOCAL = re.compile(r"\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}")  # as North Americans write it
_MONEY_AFTER = re.compile(
    r"\s*(?:[€$£%]|eur|usd|gbp|chf|brl|euros?|dollars?|pounds?|reais|kg|km|cm|mm|wh|kwh|l\b)", re.I
)
_NOT_A_PHONE = re.compile(
    r"(?:[€$£#]|\b(?:eur|usd|gbp|chf|r\$|order|invoice|customer|article|item|serial|ticket|"
    r"bestell\w*|rechnung\w*|kunden\w*|artikel\w*|auftrag\w*|commande|facture|client|article|"
    r"pedido|factura|fatura|cliente|encomenda|iban|zip|plz|code)\W*(?:nr|no|n[º°o]|num\w*|nummer|"
    r"id|is|ist|est|es|é|de)?\W*)\s*$",
    re.I,
)
_PHONE_WORD = re.compile(
    r"\b(?:phone|call|tel|telephone|mobile|cell|number|whatsapp|reach|telefon\w*|handy\w*|mobil\w*|"
    r"nummer|erreich\w*|ruf\w*|anruf\w*|t[ée]l[ée]phone|portable|num[ée]ro|appel\w*|rappel\w*|"
    r"tel[ée]fono|m[óo]vil|celular|llam\w*|n[úu]mero|telefone|telem[óo]vel|ligu?\w*)\b",
    re.I,
)

_PARTICLES = r"(?:von|van|der|den|de|da|do|dos|das|del|la|le|di|el|al|bin|y|zu|ter)"
_CAPITAL = r"[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,30}"
_WORD = r"[^\W\d_][\w'’-]{0,30}"
_PROPER = rf"{_CAPITAL}(?:\s+(?:{_PARTICLES}\s+){{0,2}}{_CAPITAL}){{0,3}}"
# After these a name follows, however it is written.
_NAMED = re.compile(
    r"\b(?:my (?:full )?name is|my name's|the name is|name\s*:|mein name ist|ich hei(?:ß|ss)e|"
    r"je m['’]appelle|mon nom est|me llamo|mi nombre es|(?:o )?meu nome (?:é|e)|(?:eu )?me chamo|"
    r"chamo-me)\s+",
    re.I,
)
# After these something else may follow as well: only capital letters make it a name.
_MAYBE_NAMED = re.compile(
    r"\b(?:i am|i'm|i’m|this is|call me|ich bin|hier ist|hier spricht|je suis|c'est|moi c'est|"
    r"soy|aqu[ií] es|(?:eu )?sou(?: [oa])?|aqui [ée](?: [oa])?)\s+",
    re.I,
)
_COMPANY = re.compile(
    r"\b(?i:i work (?:at|for)|we are from|i(?:'m| am) (?:with|from)|company(?: name)? is|"
    r"our company,?|company\s*:|"
    r"ich arbeite (?:bei|für)|(?:die |unsere |meine )?firma(?: hei(?:ß|ss)t| ist)?:?|"
    r"unternehmen(?: hei(?:ß|ss)t| ist)?:?|je travaille (?:chez|pour)|"
    r"(?:mon |notre )?(?:entreprise|société)(?: est| s'appelle)?:?|trabajo (?:en|para)|"
    r"(?:mi |nuestra )?empresa(?: es| se llama)?:?|trabalho (?:na|no|para)|"
    r"(?:a )?(?:minha|nossa) empresa(?: é| se chama)?:?)\s+("
    + _PROPER
    + r"(?:\s+(?:&|und|and|et|e)"
    r"\s+" + _CAPITAL + r")?)"
)
_LEGAL = re.compile(
    rf"({_CAPITAL}(?:\s+(?:&\s+)?{_CAPITAL}){{0,3}}\s+"
    r"(?:GmbH(?: & Co\. KG)?|AG|UG|KG|e\.K\.|Ltd\.?|Limited|Inc\.?|LLC|Corp\.?|SARL|SAS|S\.A\.|"
    r"S\.L\.|Lda\.?|Ltda\.?|B\.V\.|BV))(?!\w)"
)

# What people are, or say, where a name could stand.
_OTHER_WORDS = """
    yes no yeah nope sure ok okay thanks thank hello hi hey please maybe later not nothing none what
    why how when where who i you we it a an the interested looking just here fine good great sorry
    happy new also still back sure ready busy curious english american british canadian german
    french spanish portuguese italian dutch swiss austrian brazilian mexican from in at on with
    ja nein doch gerne gern danke bitte hallo guten vielleicht nicht nichts kein keine was wie wann
    wo wer ich sie wir es interessiert kunde kundin student studentin lehrer lehrerin deutscher
    neu auf aus bei der die das ein eine
    oui non merci bonjour salut peut-etre pas rien quoi comment quand je vous nous intéressé
    français française allemand client cliente étudiant un une le la de
    sí si gracias hola quizás nada qué cómo cuándo yo usted interesado cliente estudiante español
    española de uno una el los
    sim não nao obrigado obrigada olá ola talvez nada como quando eu você interessado brasileiro
    brasileira português portuguesa um uma o os do da
    bis ende by until end next soon week month year days today tomorrow nächste nächsten nächster
    woche monat jahr heute morgen bald sofort demain aujourd'hui bientôt semaine mois mañana hoy
    semana mes hoje amanhã mês january february march april june july august september october
    november december januar februar märz mai juni juli oktober dezember family familie firma
    contact contacts write reach kontakt schreiben contacto contato regards cheers best grüße
    mfg cordialement saludos abraços
    email e-mail mail phone tel telephone mobile telefon handy nummer number company firma
    """
_NO_NAMES = frozenset(_OTHER_WORDS.split())

_NOT_BARE = (_NO_NAMES | STOP) - {"da", "do", "de", "la", "le", "del", "dos", "das", "den", "der"}
_GAP = "\ufffc"  # stands where a value was


def contacts(words: str, asked: str = "") -> dict[str, str]:
    """The contact details in a visitor's words, by field of the lead.

    `asked` is the key of the question of ours that these words answer, if one was asked.
    """
    found: dict[str, str] = {}
    if email := _EMAIL.search(words):
        found["email"] = email[0].rstrip(".-_'")
    rest = _EMAIL.sub(" \n ", words)
    wanted = asked in {"ask_contact", "ask_reach", "ask_phone", "unknown", "no_person"}
    if phone := _phone(rest, wanted=wanted):
        found["phone"] = phone
        rest = rest.replace(phone, " \n ")
    if company := (_COMPANY.search(rest) or _LEGAL.search(rest)):
        found["company"] = company[1].strip()
        rest = rest.replace(company[0], " \n ")
    context = bool(found) or asked in {"ask_name", "ask_contact", "ask_reach"}
    named = asked == "ask_name"
    reached = "email" in found or "phone" in found
    bare = _name(rest, context=context, bare=named or reached or wanted, lower=named)
    # Where a name was not all that was asked for, a single word may be anything.
    if bare and (named or reached or " " in bare or _introduced(rest)):
        found["name"] = bare
    return found


def _introduced(text: str) -> bool:
    return bool(_NAMED.search(text) or _MAYBE_NAMED.search(text))


def without(words: str, found: dict[str, str]) -> str:
    """A visitor's words less the contact details in them, and the clauses that only gave those."""
    for value in sorted(found.values(), key=len, reverse=True):
        words = words.replace(value, _GAP)
    clauses = [
        clause.replace(_GAP, " ")
        for clause in re.split(r"(?<=[.!?,;])\s+|\n", words)
        if _GAP not in clause or "?" in clause or len(clause.split()) > 6
    ]
    return " ".join(" ".join(clauses).split()).strip(" ,;")


def _phone(text: str, *, wanted: bool) -> str:
    for match in _NUMBERS.finditer(text):
        number = match[0].strip(" .-/")
        digits = sum(c.isdigit() for c in number)
        if not 7 <= digits <= 15 or _DATE.search(number) or _MONEY_AFTER.match(text, match.end()):
            continue
        before = text[max(0, match.start() - 30) : match.start()]
        if _NOT_A_PHONE.search(before):
            continue
        international = number.startswith(("+", "(+", "00"))
        shaped = (number.startswith(("0", "(0")) and digits >= 8) or _LOCAL.fullmatch(number)
        if international or shaped or wanted or _PHONE_WORD.search(text):
            return number
    return ""


def _name(text: str, *, context: bool, bare: bool, lower: bool) -> str:
    if (named := _NAMED.search(text)) and (name := _given(text[named.end() :])):
        return name
    for maybe in _MAYBE_NAMED.finditer(text):
        name = _proper(text[maybe.end() :])
        comma = text[maybe.end() + len(name) :].startswith(",")
        told = context or " " in name or (comma and not maybe[0].lower().startswith("ich"))
        # "Ich bin Lehrer" is no name, "Ich bin Anna Berg" is, and so is "I'm Anna, anna@...".
        if name and (told or _greets(text[: maybe.start()], maybe[0])):
            return name
    return _bare(text, lower=lower) if bare else ""


def _greets(before: str, opening: str) -> bool:
    short = before.strip(" ,.!-\n")
    return (bool(short) and len(short) <= 20) or opening.lower().startswith(("call", "hier", "aqu"))


def _given(text: str) -> str:
    """A name at the start of `text`: with capitals as far as they go, else one word or two."""
    if proper := _proper(text):
        return proper
    small = re.match(rf"{_WORD}(?:\s+{_WORD})?(?=\s*(?:$|[,.!;\n]))|{_WORD}", text)
    return small[0] if small and small[0].lower() not in _NO_NAMES else ""


def _proper(text: str) -> str:
    found = re.match(_PROPER, text)
    if not found or any(word.lower() in _NO_NAMES for word in found[0].split()[:1]):
        return ""
    return found[0].rstrip(".-'’")


def _bare(text: str, *, lower: bool) -> str:
    """A name that stands alone: one to four words of letters, small ones only where `lower`."""
    text = re.sub(r"[^.!?\n]*\?", "\n", text)  # a question holds no name
    for part in re.split(r"[\n,;:.!|/()]+|\s-\s", text):
        part = part.strip()
        bare_words = part.split()
        if (
            1 <= len(bare_words) <= 4
            and re.fullmatch(rf"{_WORD}(?:\s+{_WORD}){{0,3}}", part)
            and not any(word.lower() in _NOT_BARE for word in bare_words)
            and (re.fullmatch(_PROPER, part) or (lower and len(bare_words) <= 2))
        ):
            return part
    return ""
