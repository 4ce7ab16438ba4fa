"""Settings: one file, read top to bottom. Whatever differs between installations comes from
the environment, or from a git-ignored `.env` beside manage.py, which the environment overrides.

Outside DEBUG the app refuses to start on a missing or sample secret, and says what to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from accounts.sealing import MasterKeyError, parse_master_keys
from config.redis_connection import LongPollConnection

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)


# Secrets -------------------------------------------------------------------------------

SECRETS_HINT = (
    "`make run` writes both secrets into .env once; to make one by hand: "
    'python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'
)
DEBUG_SECRET_KEY = "django-insecure-for-debugging-on-this-machine-only"  # noqa: S105
DEBUG_MASTER_KEYS = ["debug:aG9sZGZhc3QgZGVidWcga2V5LCBub3QgYSBzZWNyZXQ="]

SECRET_KEY = env.str("SECRET_KEY", default="") or (DEBUG_SECRET_KEY if DEBUG else "")
"""Signs sessions, password-reset links and form tokens."""

if not DEBUG:
    if not SECRET_KEY:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set. Set it to a random text. {SECRETS_HINT}"
        )
    if (
        len(SECRET_KEY) < 32
        or len(set(SECRET_KEY)) < 10
        or SECRET_KEY.startswith("django-insecure")
    ):
        raise ImproperlyConfigured(
            "SECRET_KEY is a sample or can be guessed. Set it to at least 32 random "
            f"characters. {SECRETS_HINT}"
        )

try:
    MASTER_KEYS = parse_master_keys(
        env.list("MASTER_KEYS", default=[]) or (DEBUG_MASTER_KEYS if DEBUG else []),
        samples=[] if DEBUG else DEBUG_MASTER_KEYS,
    )
except MasterKeyError as problem:
    raise ImproperlyConfigured(f"MASTER_KEYS: {problem} {SECRETS_HINT}") from None
"""Master keys by id, newest first: the first one seals the users' provider keys, every one
opens what it sealed. An old one may go when no key in the admin names it any more."""


# Addresses -----------------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
"""The host names this installation answers to. Sockets trust it as well, so a wildcard would
let every web page open a socket in the name of its visitor."""

if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS=* switches the check of the origin off. Name the hosts this "
        "installation is reached by, for example ALLOWED_HOSTS=chat.example.org."
    )

ORIGINS = [origin.rstrip("/") for origin in env.list("ORIGINS", default=[])]
"""Origins (scheme://host[:port]) that are ours although a request may look otherwise from
here, as behind a proxy that ends TLS. They may post forms and open sockets."""

for origin in ORIGINS:
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}":
        raise ImproperlyConfigured(
            f"ORIGINS: {origin!r} is no origin. Write scheme://host or scheme://host:port, "
            "for example ORIGINS=https://chat.example.org."
        )

CSRF_TRUSTED_ORIGINS = ORIGINS
CSRF_FAILURE_VIEW = "accounts.page_account.csrf_failure"

PROXIES = env.int("PROXIES", default=0)
"""How many proxies of ours stand in front and set X-Forwarded-For and X-Forwarded-Proto. At 0
nobody is believed, and behind a proxy all visitors would share one rate limit."""

ALLAUTH_TRUSTED_PROXY_COUNT = PROXIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXIES else None

HTTPS = bool(ORIGINS) and all(origin.startswith("https://") for origin in ORIGINS)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS


# What it is made of --------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # before staticfiles: it brings its own runserver
    "accounts",
    "chat",
    "streaming",
    "allauth",
    "allauth.account",
    "channels",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "config.request_queue.record_request_usage",  # first, so that it counts the work of all
    "config.security.add_security_headers",  # before static files, so that they carry them too
    "config.request_validation.reject_malformed_requests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.anonymous_limits.limit_anonymous_sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.page_account.SameAccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

DEFAULT_EXCEPTION_REPORTER_FILTER = "config.security.AlwaysRedact"

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

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
                "accounts.page_account.account_context",
                "accounts.context_processors.sign_up_context",
            ],
        },
    },
]

DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 2**20
"""Bytes a form may have. The longest message is 400,000 characters, and a browser without
scripts writes one of them in up to twelve."""

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True


# The database: the truth ---------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", default="sqlite:///holdfast.sqlite3")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SQLITE = {
    # A transaction takes the write lock when it begins, so that it waits for it (up to
    # `timeout` seconds) instead of failing half-way with “database is locked”.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # FULL: what was committed survives a power cut. Text is shown only after its commit.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
}
POSTGRESQL = {
    # Requests can't keep connections per thread under ASGI; without a pool each would make a
    # new one. Every process has such a pool: their sum must stay below the server's
    # max_connections. Up to six are kept by those who read and write streams.
    # After `timeout` it is found out whether the server is away or only busy: config/postgresql.
    # Attempts to connect pause longer and longer: whoever comes later begins anew.
    # What a crowd needed is given back, one connection every `max_idle` seconds: each takes
    # megabytes of the server.
    "pool": {
        "min_size": 1,
        "max_size": 16,
        "max_idle": 3,
        "timeout": 2,
        "reconnect_timeout": 1,
    },
    # What is asked again and again is planned once: docs/decisions/joins.md.
    "server_side_binding": True,
    "prepare_threshold": 5,
    # A process that was frozen in the middle of a transaction keeps its locks, and whoever
    # needs the same rows would wait for it. Shorter than a lease, longer than any pause of a
    # busy machine.
    "options": "-c idle_in_transaction_session_timeout=10s",
}


def _build_database_settings(url: str) -> dict[str, Any]:
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    is_sqlite = database["ENGINE"] == "django.db.backends.sqlite3"
    database["OPTIONS"] = (SQLITE if is_sqlite else POSTGRESQL) | database.get("OPTIONS", {})
    if is_sqlite:
        database["ENGINE"] = "config.sqlite"
        # A relative path is relative to the project, wherever the command was started.
        database["NAME"] = str(BASE_DIR / database["NAME"])
        # A file in tests as well: threads can't share a database in memory.
        database["TEST"] = {"NAME": f"{database['NAME']}.test"}
    else:
        database |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "ENGINE": "config.postgresql"}
    return database


DATABASES = {"default": _build_database_settings(DATABASE_URL)}

# Rate limits must hold across processes and restarts, and without Redis. Nothing that comes from
# the database is unpickled: whoever can write to it would run code here.
CACHES = {"default": {"BACKEND": "accounts.cache.JSONDatabaseCache"}}
SESSION_ENGINE = "accounts.session_store"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
"""What a page says once is kept by the browser, not in a session of whoever comes by."""


# Redis: only a doorbell ----------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="")
"""Empty: one process does everything, with a channel layer in memory."""

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels.layers.InMemoryChannelLayer",
        # A membership that expires (after a day by default) would go unnoticed.
        "CONFIG": {"capacity": 10_000, "group_expiry": 10 * 365 * 24 * 60 * 60},
    }
}
if REDIS_URL:
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "streaming.sealed_layer.SealedLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": REDIS_URL,
                    # A subscriber waits for as long as nothing happens; redis-py's own
                    # default would end every quiet one after 5 seconds.
                    "socket_timeout": None,
                    "socket_connect_timeout": 2,
                    "socket_keepalive": True,
                    "health_check_interval": 15,
                    # Not for `rediss://`, where redis-py takes its own with TLS in any case.
                    "connection_class": LongPollConnection,
                }
            ]
        },
    }


# Streams -------------------------------------------------------------------------------

EMBEDDED_WORKER = env.bool("EMBEDDED_WORKER", default=not REDIS_URL)
"""Whether the web process also runs the streams."""

DRAIN_SECONDS = env.float("DRAIN_SECONDS", default=5 if EMBEDDED_WORKER else 30)
"""How long running replies may go on after SIGTERM before they are handed over."""

TITLES = env.bool("TITLES", default=True)
"""Whether conversations are given titles by the cheapest model of the provider they use."""

STREAMS_PER_WORKER = env.int("STREAMS_PER_WORKER", default=200)
STREAMS_PER_USER = env.int("STREAMS_PER_USER", default=10)
"""How many streams run at once; further ones wait in the queue and say so."""

DEMO_STREAMS = env.int("DEMO_STREAMS", default=max(1, STREAMS_PER_WORKER // 5))
KEYLESS_STREAMS = env.int("KEYLESS_STREAMS", default=max(1, STREAMS_PER_WORKER // 2))
"""How many of a worker's streams may be of the demo, and of servers that need no key: whoever has
an account can fill these, and the rest is for people with keys."""

STREAM_POOLS = {"demo": DEMO_STREAMS, "keyless": KEYLESS_STREAMS}

MAX_UNFINISHED_PER_USER = env.int("MAX_UNFINISHED_PER_USER", default=30)
"""How many replies of one person may run or wait; further messages are refused."""

MAX_MESSAGES_PER_MINUTE = env.int("MAX_MESSAGES_PER_MINUTE", default=120)
MAX_CHARS_PER_MINUTE = env.int("MAX_CHARS_PER_MINUTE", default=600_000)
MAX_CHARS_PER_DAY = env.int("MAX_CHARS_PER_DAY", default=20_000_000)
"""What one person may send: messages, other versions and continuations, and the characters that
are stored for them. A single one is always taken, however long, from who sent nothing in that
minute or day."""
SOCKETS_PER_USER = env.int("SOCKETS_PER_USER", default=100)
"""How many sockets a person may have open in one web process: each open page has one."""

FOLD_AFTER = env.int("FOLD_AFTER", default=24 * 60 * 60)
"""Seconds after its end when a stream's chunks are folded into its message."""


# Providers -----------------------------------------------------------------------------

OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="")
ANTHROPIC_BASE_URL = env.str("ANTHROPIC_BASE_URL", default="")
GOOGLE_GEMINI_BASE_URL = env.str("GOOGLE_GEMINI_BASE_URL", default="")
"""Another server that speaks the provider's protocol, as a proxy does. Empty: the provider's
own. Users can't choose one: their keys go where the administrator says."""

COMPATIBLE_PROVIDERS = env.json("COMPATIBLE_PROVIDERS", default=[])
"""Servers that speak OpenAI's Chat Completions, as Ollama, vLLM, llama.cpp and OpenRouter do, each
a row: [{"id": "ollama", "name": "Ollama", "url": "http://127.0.0.1:11434/v1", "needs_key": false,
"models": ["llama3.3"]}]. Where a key is needed its list adds to the models."""


# Accounts ------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "accounts.hashers.SerialPBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
"""The first makes new hashes; the others read those of an account that was brought along."""

AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "accounts.forms.SignUpForm",
    "reset_password": "accounts.forms.PasswordResetForm",
    "change_password": "accounts.forms.PasswordChangeForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Holdfast] "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody can make this server write to strangers
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60
"""Seconds for which a password that was typed counts, where the owner of an account is changed."""
# accounts/login_attempts.py has our own limits of passwords. A link to a new one can't be guessed;
# limited by address, its owner would be barred by others behind the same proxy. accounts/forms.py
# limits how many mails with such a link are sent.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": None,
    "reset_password": None,
    "reset_password_from_key": None,
}

SIGNUP = env.str("SIGNUP", default="")
"""open or closed: whether visitors may make an account, once there is a first one. By default open
to people at this machine where ALLOWED_HOSTS names nothing else, and closed to all others."""

if SIGNUP not in {"", "open", "closed"}:
    raise ImproperlyConfigured("SIGNUP must be open or closed.")

ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", default="none")
"""none, optional or mandatory. None by default, because a fresh installation has no mail
server: EMAIL_URL then prints every mail to the console."""

if ACCOUNT_EMAIL_VERIFICATION not in {"none", "optional", "mandatory"}:
    raise ImproperlyConfigured("EMAIL_VERIFICATION must be none, optional or mandatory.")

globals().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("FROM_EMAIL", default="Holdfast <holdfast@localhost>")


# Static files --------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / ".static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.storage.ModuleManifestStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG


# Logging: to stderr, for whatever runs the process to keep ------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "filters": {"quiet": {"()": "config.logs.ClientErrorFilter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["quiet"]},
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handlers would print a second time, or mail nobody.
        "django": {"handlers": [], "level": "INFO"},
        # It warns at each attempt to connect; that the database is away is said once.
        "psycopg.pool": {"level": "ERROR"},
    },
}
