"""The words by which the guided seller understands visitors, in its five languages: data only.

Patterns meet text as `reading.folded` leaves it: small letters, no accents, no signs but ' and -.
"""

import re
from enum import Enum, auto


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Kind(Enum):
    """What a visitor's line is, apart from any contact details in it."""

    QUESTION = auto()
    GREETING = auto()
    REMARK = auto()
    WELLBEING = auto()
    THANKS = auto()
    GOODBYE = auto()
    WHO = auto()
    INSULT = auto()
    PERSON = auto()
    CALLBACK = auto()
    WAITING = auto()
    YES = auto()
    NO = auto()
    FINE = auto()
    EMOJI = auto()
    UNCLEAR = auto()


# The commonest words of each language: they tell the language, and say nothing of the subject.
_COMMON = {
    "en": "the and is are was do does did can could would will you your i me my we our it its this "
    "that these those what which who when where how why have has had with for from about of to in "
    "on at an a not don't there if or but be been please tell want need get much many any some "
    "i'm i'd it's what's so as by one they them too also like know",
    "de": "der die das und ist sind war ich du sie wir ihr mein meine dein euer unser unsere es "
    "dies diese was welche welcher welches wer wann wo wie warum wieviel haben hat habe hatte mit "
    "für fuer von über zu zum zur im am auf aus bei ein eine einen einem einer nicht kein keine "
    "wenn oder aber bitte möchte kann können gibt mich mir uns auch noch den dem des viel man "
    "brauche will sich ihnen euch gern",
    "fr": "le la les et est sont je tu vous nous mon ma mes votre vos notre ce cette ces que quel "
    "quelle quels quelles qui quand où comment pourquoi combien avez avoir ai avec pour de du des "
    "sur à au aux un une ne pas si ou mais être s'il plaît voudrais peut peux pouvez faire ça cela "
    "a il elle y en dans par c'est j'ai qu'est d'un d'une l'on besoin",
    "es": "a el la los las y es son yo tú usted ustedes nosotros mi mis "
    "su sus nuestro este esta esto "
    "eso qué que cuál cuáles quién cuándo cuando dónde donde cómo como "
    "cuánto cuánta cuántos cuanto "
    "cuesta tiene tienen tengo hay con para por de del en al un una no si pero ser estar quiero "
    "puedo puede pueden me te se lo muy más necesito está",
    "pt": "o os as e é são eu tu você vocês nós meu minha seu sua nosso nossa este esta isto isso "
    "que qual quais quem quando onde como quanto quanta quantos custa tem têm tenho há com para "
    "a por de do da dos das em no na nos nas ao um uma não se mas ser estar quero posso pode podem "
    "me muito mais preciso está vou",
}
LANGUAGE_WORDS = {language: _words(words) for language, words in _COMMON.items()}
# Heard once, in a short line, these settle the language.
_TELLTALE = {
    "en": "hello thanks thank hey goodbye price hi yes please",
    "de": "hallo danke guten tschüss servus moin ja nein preis preise lieferung lieferzeit kosten "
    "kostet lieferkosten garantie rückgabe fahrrad grüezi bitte ich nicht",
    "fr": "bonjour bonsoir salut merci oui prix livraison garantie combien voudrais vélo "
    "au-revoir délai livrez devis",
    "es": "hola gracias adiós precio precios entrega envío garantía buenos buenas cuánto bicicleta "
    "quiero usted sí plazos plazo envíos hacéis",
    "pt": "olá oi obrigado obrigada preço preços entrega envio boa bom quanto bicicleta quero você "
    "vocês não sim tchau entregam prazo",
}
TELLTALE_WORDS = {language: _words(words) for language, words in _TELLTALE.items()}

# Of the telltale words those that name a subject.
_SUBJECTS = _words(
    "lieferung lieferzeit lieferkosten garantie rückgabe fahrrad livraison vélo délai devis "
    "entrega envío envíos garantía bicicleta plazos plazo envio prazo"
)
STOP = frozenset().union(*LANGUAGE_WORDS.values(), *TELLTALE_WORDS.values()) - _SUBJECTS
# What is asked of a thing, without naming one: "and how much is it?"
ASKING = _words(
    """
    much many cost costs price prices expensive long big heavy fast far high often kostet kosten
    preis preise teuer lange gross groß schwer schnell weit hoch prix coute coûte cher longtemps
    grand lourd vite loin precio precios cuesta cuestan caro cara tiempo grande pesa lejos preço
    preços custa custam tempo pesa longe colour color farbe couleur cor more mehr plus más mais
    include included inklusive inclus incluido incluído then ok okay so dann alors entonces então
    and what about well
    """
)
PRICE = re.compile(
    r"\b(?:how much|cost\w*|pric\w*|expensive|wie ?viel|kost\w*|preis\w*|"
    r"teuer|combien|prix|coute\w*|"
    r"cher|cuanto (?:cuesta|vale|es|sale)|cuesta\w*|precio\w*|quanto (?:custa|e|fica)|custa\w*|"
    r"preco\w*)\b"
)
REFERS = re.compile(
    r"\b(?:it|its|that|this|them|those|these|they|dieses|diese|davon|dafur|ca|cela|celui-ci|"
    r"celle-ci|eso|esto|ese|esa|isso|isto|ele|ela|esse|essa|dele|dela)\b"
    r"|\b(?:kostet|ist|hat|kann|wiegt|passt|braucht|wird|geht|dauert) (?:es|er|sie|das)\b"
    r"|\bdas$"
)
TOO_DEAR = re.compile(
    r"\b(?:expensive|pric(?:e)?y|too much|cheaper|over (?:my|our) budget|teuer|billiger|gunstiger|"
    r"trop cher|moins cher|tres cher|car[oa]s?|mas barat[oa]|mais barat[oa])\b"
)
BUDGET = re.compile(
    r"\b(?:budget|spend|at most|no more than|afford|ausgeben|hochstens|maximal|depenser|"
    r"au maximum|presupuesto de|gastar|como maximo|orcamento de|no maximo)\b"
)
GOES_ON = re.compile(
    r"(?:ok |okay |alors |entao |entonces |also )?"
    r"(?:and|und|et|y|e|also|what about|how about|auch|mais|que tal)\b"
)
BUYING = re.compile(
    r"\b(?:buy|purchase|order (?:one|it|now|a|the)|to order|quote|an offer|i(?:'ll| will) take|"
    r"kaufen|bestellen|angebot|nehme ich|acheter|commander|devis|comprar|encargar|presupuesto|"
    r"cotizacion|encomendar|orcamento|test ride|test drive|trial|demo|probefahrt|probefahren|"
    r"essayer|essai|probar|prueba|experimentar)\b"
)

GREETING = (
    r"hi+|hello|hey+|hiya|howdy|good (?:morning|afternoon|evening|day)|hallo|hallochen|huhu|"
    r"guten (?:tag|morgen|abend)|moin(?: moin)?|servus|gruss gott|gruezi|bonjour|bonsoir|salut|"
    r"coucou|hola|buenos dias|buenas(?: tardes| noches)?|ola|oi|bom dia|boa (?:tarde|noite)|"
    r"greetings|hlo|helo|heya|is (?:any|some)(?:body|one) (?:there|here)|any(?:body|one) there|"
    r"(?:ist )?(?:da )?jemand da|il y a quelqu'un|hay alguien(?: ahi)?|(?:tem|esta) alguem(?: ai)?"
)
_WELLBEING = (
    r"how are you(?: doing)?(?: today)?|how(?:'s| is) it going|how do you do|"
    r"wie geht(?:'?s| es ihnen| es dir)?(?: dir| ihnen)?|"
    r"(?:comment )?ca va(?: bien)?|comment allez(?:-| )vous|como esta(?:s| usted)?|que tal|"
    r"tudo (?:bem|bom)|como vai(?: voce)?|como esta"
)
_THANKS = (
    r"(?:many |big )?thanks(?: a lot| so much)?|thank you(?: so much| very much)?|thx|ty|cheers|"
    r"(?:vielen |besten |herzlichen |lieben )?dank(?:e)?(?: schon| sehr|"
    r" dir| ihnen)?|dankeschon|merci"
    r"(?: beaucoup| bien)?|(?:muchas |mil )?gracias|(?:muito )?obrigad[oa]|valeu"
)
_GOODBYE = (
    r"(?:good ?)?bye+(?: bye)?|see you(?: later| soon)?|have a (?:nice|good|great) (?:day|evening|"
    r"weekend|one)|that(?:'s| is| was) (?:all|it)|tschuss\w*|tschau|ciao|auf wiedersehen|"
    r"bis (?:bald|dann|spater)|(?:einen )?schonen (?:tag|abend)(?: noch)?|das war(?:'s| es| alles)|"
    r"au revoir|bonne (?:journee|soiree)|a bientot|c'est tout|adios|"
    r"hasta (?:luego|pronto|la vista)|"
    r"eso es todo|tchau|adeus|ate (?:logo|mais|breve)|e so isso|good night|gute nacht|bonne nuit"
)
_WHO = (
    r"(?:who|what)(?:'s| is| are) (?:you|this)(?: exactly)?|are you (?:even |really |"
    r"actually )?(?:an? )?(?:real|human|bot|robot|"
    r"machine|ai|person|computer|chatbot|program|chatgpt)\b.*|(?:is this|am i (?:talking|speaking) "
    r"(?:to|with)) (?:a |an )?(?:real|human|bot|robot|machine|ai|person|computer|chatbot)\b.*|"
    r"what(?:'s| is) your name|how old are you|are you (?:married|single|alive|conscious)|"
    r"do you have (?:feelings|a (?:boy|girl)friend|a soul)|"
    r"(?:wer|was) (?:bist du|sind sie|seid ihr)(?: eigentlich)?|(?:bist du|sind sie) (?:ein |eine |"
    r"echt)\w*.*|wie heisst du|wie heissen sie|"
    r"qui (?:es-tu|etes-vous|es tu|etes vous)|(?:es-tu|etes-vous|tu es|vous etes) "
    r"(?:un|une) (?:robot|bot|humain|machine|ia|vraie personne|personne|programme)\b.*|"
    r"comment (?:tu t'appelles|vous appelez-vous)|"
    r"quien (?:eres|es usted)|(?:eres|es usted|"
    r"estoy hablando con) (?:un |una )?(?:robot|bot|humano|"
    r"humana|maquina|ia|persona)\b.*|como te llamas|"
    r"quem (?:e voce|es tu|fala)|(?:voce e|es|estou falando com|estou a falar com) (?:um |uma )?"
    r"(?:robo|bot|humano|humana|maquina|ia|pessoa)\b.*|qual (?:e )?(?:o )?(?:seu|teu) nome"
)
_FINE = (
    r"ok(?:ay|ey)?|k|great|perfect|cool|nice|super|good|fine|alright|"
    r"all right|i see|understood|got it|"
    r"wonderful|excellent|awesome|interesting|gut|toll|prima|perfekt|"
    r"alles klar|verstehe|verstanden|"
    r"schon|genial|parfait|tres bien|d'accord|bien|entendu|perfecto|vale|de acuerdo|muy bien|"
    r"entiendo|estupendo|perfeito|otimo|optimo|muito bem|entendi|legal|ta bom|certo|good to know|"
    r"sounds good|klingt gut|lol|haha\w*|hehe|wow|hm+|mhm|aha|oh"
)
_YES = (
    r"yes+|yeah|yep|yup|sure|of course|absolutely|definitely|gladly|go ahead|please do|i would|"
    r"ja+|jawohl|jap|jo|klar|gern(?:e)?|sicher|naturlich|auf jeden fall|unbedingt|"
    r"oui|ouais|bien sur|volontiers|avec plaisir|si|claro(?: que si)?|por supuesto|desde luego|"
    r"con gusto|sim|com certeza|pode ser|con mucho gusto"
)
_NO = (
    r"no+|nope|nah|not (?:now|yet|really|today)|no need|rather not|maybe later|later|"
    r"nein|nee|ne|lieber nicht|(?:jetzt |noch )?nicht|vielleicht spater|spater|kein bedarf|"
    r"non|pas (?:maintenant|encore|vraiment)|plus tard|ahora no|todavia no|mas tarde|"
    r"nao|agora nao|ainda nao|mais tarde|depois|kein interesse|not interested"
)
_INSULT = (
    r"fuck\w*|shit\w*|stupid|dumb|idiot\w*|asshole|bitch|moron|useless|crap|bullshit|"
    r"arsch\w*|scheiss\w*|dumm\w*|blod\w*|verpiss\w*|depp|merde|connard\w*|conne?|salope|putain|"
    r"debile|mierda|gilipollas|cabron\w*|estupid\w*|pendejo|inutil|imbecil|merda|porra|burro|"
    r"caralho|foda\w*"
)
FILLER = _words(
    """
    you so very much and then please a lot for the your help now all that is it was there again
    today my oh ah well just everyone everybody friend sir madam dear to du sie ihr und dann bitte
    fur die ihre deine hilfe jetzt nochmal zusammen mein lieber et alors votre aide pour tout le
    monde vous tu y entonces por su ayuda todo amigo e entao pela sua ajuda tudo de a o la el me
    i'm im bin je i would like that'd be do one i'd mich auch mir auf in un und s'il plait favor
    mucho mas muito mais information info answer antwort bot agent ich finde find this service
    sind ist es est are be what really wirklich absolut total completely it's c'est esto tu's
    """
)

_TALK_EN = r"(?:talk|speak|chat|write|connect\w*|transfer\w*|put me through|hand me over|get me)"
_SOMEONE_EN = (
    r"(?:human|person|people|someone|somebody|agent|colleague|staff|team|adviso?r|expert|employee|"
    r"manager|representative|rep|sales ?(?:person|man|woman|team|rep)?)"
)
PERSON = re.compile(
    rf"\b{_TALK_EN}\b(?: me)?(?: (?:to|with))? ?(?:a |an |some |your |the |one of your )?"
    rf"(?:real |live |actual |human |sales )?{_SOMEONE_EN}\b"
    r"|\b(?:real|live|actual) (?:human|person|agent|people)\b|\b(?:a|any) human\b"
    r"|^(?:human|agent|person|operator|representative)(?: please)?$"
    r"|\b(?:mit|an|zu) (?:\w+ ){0,3}?(?:mensch\w*|mitarbeiter\w*|person|berater\w*|kolleg\w*|"
    r"jemand\w*|team|verkauf\w*|verkaufer\w*) (?:\w+ ){0,3}?"
    r"(?:sprechen|reden|schreiben|chatten|verbinden|verbunden|weiterleiten|telefonieren)"
    r"|\b(?:echte[rn]?|richtige[rn]?) (?:mensch\w*|person|mitarbeiter\w*|berater\w*)"
    r"|^(?:mensch|mitarbeiter|berater)(?: bitte)?$"
    r"|\bverbinden sie mich\b"
    r"|\b(?:parler|discuter|echanger|joindre|contacter|passez-moi|passer)\b.{0,20}?\b(?:humain|"
    r"personne|quelqu'un|conseill\w+|collaborat\w+|vendeu\w+|equipe|commercial\w*)"
    r"|\bvraie personne\b|\bun humain\b"
    r"|\b(?:hablar|chatear|conect\w+|comunic\w+|pas(?:ar|e|a)\w*|contactar)\b.{0,20}?\b(?:persona|"
    r"human[oa]|alguien|agente|asesor\w*|comercial|emplead[oa]|vendedor\w*|equipo)"
    r"|\bpersona real\b|\bun humano\b"
    r"|\b(?:falar|conversar|cont[ac]+tar|passar|"
    r"passe)\b.{0,20}?\b(?:pessoa|human[oa]|alguem|atendente|"
    r"agente|consultor\w*|vendedor\w*|colega|equipa|equipe)"
    r"|\bpessoa (?:real|de verdade)\b|\bum humano\b"
)
CALLBACK = re.compile(
    r"\b(?:call|phone|ring) me(?: back)?(?! [a-z]+ing)\b|\bcall ?back\b|"
    r"\bgive me a (?:call|ring)\b|"
    r"\bruf\w* (?:sie |ihr )?mich\b|\bruckruf\w*|\bzuruckrufen\b|\brappel\w+|\bappelez-moi\b|"
    r"\bllam[ae]r?n?me\b|\bm'appeler\b|\bmich (?:\w+ )?anrufen\b|\bque me llam\w+|"
    r"\bdevolver la llamada\b|"
    r"\bme (?:pued\w+|podr\w+) llamar\b|\bpod\w+(?:-| )me ligar\b|"
    r"\bligu?\w*-me\b|\bme lig(?:u\w+|ar)\b|\bligar-me\b|"
    r"\b(?:can|could) (?:you|someone|somebody|anyone|anybody|a person) call\b|"
    r"\bque quelqu'un m'appelle\b"
)
# Said while a person has been called: no question, only impatience.
WAITING = re.compile(
    r"(?:(?:right )?now|hurry(?: up)?|asap|still waiting|i(?:'m| am) (?:still )?waiting|how long"
    r"(?: (?:does|will) (?:it|this|that) take| do i have to wait)?|where (?:is|are) (?:he|she|they|"
    r"the person|everybody|everyone)|sofort|jetzt|beeil\w*|ich warte(?: noch)?|wie lange(?: noch)?|"
    r"maintenant|vite|j'attends(?: toujours)?|ahora(?: mismo)?|ya|estoy esperando|agora|"
    r"(?:ainda )?estou a espera|estou esperando|well)(?: please| bitte)?"
)
# Told to begin a talk, nothing is asked: "I saw your bikes on the street".
REMARK = re.compile(
    r"(?:i|we|my \w+|a friend(?: of mine)?) (?:just |have |'ve |recently )*(?:saw|seen|heard (?:of|"
    r"about)|came across|discovered|found|noticed|like|love)\b (?:of |about )?"
    r"(?:you|your|this|one of)\b.*|(?:ich|wir) (?:habe|haben) .*\b(?:gesehen|gehort|entdeckt)|"
    r"(?:j'ai|nous avons|on a) (?:vu|decouvert|trouve) (?:vo[st]\w*|votre)\b.*|"
    r"(?:he|hemos) (?:visto|descubierto|oido) .*|(?:eu )?(?:vi|vimos|descobri) (?:a |as |o |os )?"
    r"(?:vossa|sua|vosso|seu)\w*\b.*"
)
CALLED = re.compile(
    r"\bcall me (?!back|at|on|later|tomorrow|today|please|now|when|as|if|under|any)"
)
NOT = re.compile(
    r"\b(?:don't|dont|do not|not|no need|never|nicht|kein\w*|ne|pas|"
    r"no (?:quiero|necesito|hace)|nao)\b"
    r"[^.?!]{0,30}$"
)
SMALL_TALK = tuple(
    (kind, re.compile(rf"(?<![\w'])(?:{pattern})(?![\w'])"))
    for kind, pattern in (
        (Kind.WHO, _WHO),
        (Kind.INSULT, _INSULT),
        (Kind.WELLBEING, _WELLBEING),
        (Kind.GOODBYE, _GOODBYE),
        (Kind.NO, _NO),
        (Kind.YES, _YES),
        (Kind.THANKS, _THANKS),
        (Kind.GREETING, GREETING),
        (Kind.FINE, _FINE),
    )
)

QUESTION_WORDS = _words(
    """
    what which who when where how why is are do does did can could will would should tell show
    was welche welcher welches wer wann wo wie warum ist sind gibt haben hat kann konnen konnt
    que quel quelle quels quelles qui quand ou comment pourquoi combien est-ce avez peut pouvez
    cual cuales quien cuando donde como cuanto cuanta cuantos tiene tienen hay puedo puede pueden
    qual quais quem quando onde quanto quanta quantos tem ha posso pode podem voces
    """
)

TOLD = {
    "ask_call_time": re.compile(
        r"\b(?:today|tomorrow|tonight|morning|afternoon|evening|noon|(?:mon|tues|wednes|thurs|fri|"
        r"satur|sun)day|heute|morgen|vormittag\w*|nachmittag\w*|abend\w*|montag|dienstag|mittwoch|"
        r"donnerstag|freitag|samstag|demain|aujourd'hui|matin|apres-midi|lundi|mardi|mercredi|jeudi|"
        r"vendredi|samedi|hoy|manana|tarde|lunes|martes|miercoles|jueves|viernes|sabado|hoje|amanha|"
        r"manha|segunda|terca|quarta|quinta|sexta|\d{1,2} ?(?:am|pm|uhr|h))\b"
    ),
    "ask_whom": re.compile(
        r"\b(?:compan(?:y|ies)|firm|business|fleet|employees|myself|"
        r"my (?:family|wife|husband|kids?|"
        r"children|son|daughter)|(?:two|three|four|five|"
        r"\d+) (?:\w+ )?(?:bikes|pieces|units|people|kids|"
        r"children|employees|users|seats|cargo)|\d+ (?:\w+ )?bikes|city|council|municipal\w*|"
        r"department|agency|school|nursery|kindergarten|bakery|stadt|gemeinde|backerei|schule|mairie|"
        r"ayuntamiento|camara municipal|firma|betrieb|unternehmen|flotte|mitarbeiter\w*|fur mich|"
        r"meine[rn]? (?:familie|frau|mann|kinder\w*)|privat|entreprise|societe|flotte|salaries|"
        r"pour moi|ma famille|mes enfants|empresa|negocio|flota|empleados|para mi\b|mi familia|"
        r"mis hijos|frota|funcionarios|para mim|minha familia|meus filhos)\b"
    ),
    "ask_when": re.compile(
        r"\b(?:asap|as soon as possible|urgent\w*|(?:next|this) (?:week|month|year|spring|summer|"
        r"autumn|fall|winter)|by (?:the )?(?:end|january|february|march|april|may|june|july|august|"
        r"september|october|november|december|christmas)|so bald wie|"
        r"dringend|nachste[rn]? (?:woche|"
        r"monat|jahr)|bis (?:ende|januar|februar|marz|april|mai|juni|juli|august|september|oktober|"
        r"november|dezember|weihnachten)|des que possible|urgent|(?:semaine|mois|annee) prochaine?|"
        r"lo antes posible|urgente|(?:semana|mes|ano) (?:que viene|"
        r"proxim[oa])|proxim[oa] (?:semana|"
        r"mes|ano)|o quanto antes|que vem)\b"
    ),
    "ask_need": re.compile(
        r"\b(?:i (?:want|need|would like|'d like) (?:it |something |"
        r"one )?(?:for|to)|looking for|so that i|"
        r"use it (?:for|to)|for (?:our|my) |brauche|"
        r"(?:for|have) (?:\w+ ){0,3}(?:kids|children|dogs?|school|shopping|commut\w+|work)|"
        r"suche|um \w+ .* zu|zum \w+en|besoin|"
        r"cherche|pour (?:\w+er|mes|mon|"
        r"ma)|necesito|busco|para (?:\w+[aei]r|mis|mi)|preciso|procuro|"
        r"para (?:\w+[aei]r|meus|minha))\b"
    ),
}
