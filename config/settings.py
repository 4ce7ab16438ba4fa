"""Settings: one file, to be read from top to bottom.

Values that differ between installations come from environment variables, or from a git-ignored
file `.env` beside manage.py, which the environment overrides. Outside DEBUG the application refuses
to start without secrets of its own, and says what to do.

`make configuration` writes docs/configuration.md and .env.example from this file. The text under a
variable says what it does, the comment behind its name what its value is, and a line of dashes
begins a group. A default may depend on variables that are read above it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from accounts.providers import hide_header_values
from accounts.sealing import MasterKeyError, has_same_key, parse_master_keys
from accounts.social.configuration import (
    build_sign_in_servers,
    hide_client_secrets,
    hide_secret,
)
from config import environment_rules as rules
from config.environment import Environment
from config.redis_connection import LongPollConnection
from config.secret_rules import is_guessable_secret

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment(BASE_DIR / ".env")


# Debugging -----------------------------------------------------------------------------

DEBUG = env.read_bool("DEBUG", default=False)
"""Show errors in the browser, serve static files as they are, and start without secrets. Never set
it where others can reach the server."""


# Secrets -------------------------------------------------------------------------------

SECRETS_HINT = (
    "`make run` writes both secrets into .env once. To make them by hand: "
    'python -c "import secrets; print(secrets.token_urlsafe(50))" for SECRET_KEY, '
    'python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())" for a master '
    "key."
)
DEBUG_SECRET_KEY = "django-insecure-for-debugging-on-this-machine-only"  # noqa: S105
DEBUG_MASTER_KEYS = ["debug:aG9sZGZhc3QgZGVidWcga2V5LCBub3QgYSBzZWNyZXQ="]

SECRET_KEY = env.read_str("SECRET_KEY", default="") or (DEBUG_SECRET_KEY if DEBUG else "")
"""Signs sessions, password-reset links and form tokens. Required outside DEBUG; at least 32 random
characters, better 50: `check --deploy` warns of fewer."""

SECRET_KEY_FALLBACKS = env.read_list(
    "SECRET_KEY_FALLBACKS",  # texts, comma-separated
    default=[],
)
"""Older values of SECRET_KEY, which are still accepted. When you change SECRET_KEY, move the old
value here and remove it two weeks later: nobody is signed out. SECURITY.md describes it for several
processes."""

if not DEBUG:
    if not SECRET_KEY:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set. Set it to a random text. {SECRETS_HINT}"
        )
    if is_guessable_secret(SECRET_KEY):
        raise ImproperlyConfigured(
            "SECRET_KEY is a sample, a sentence or can be guessed. Set it to at least 32 random "
            f"characters. {SECRETS_HINT}"
        )
    if any(map(is_guessable_secret, SECRET_KEY_FALLBACKS)):
        raise ImproperlyConfigured(
            "SECRET_KEY_FALLBACKS has a key that is a sample or can be guessed: anybody could sign "
            "with it. Remove it; people then have to sign in again."
        )

try:
    MASTER_KEYS = parse_master_keys(
        env.read_list("MASTER_KEYS", default=[])  # id:base64 of 32 bytes, comma-separated
        or (DEBUG_MASTER_KEYS if DEBUG else []),
        samples=[] if DEBUG else DEBUG_MASTER_KEYS,
    )
except MasterKeyError as problem:
    raise ImproperlyConfigured(f"MASTER_KEYS: {problem} {SECRETS_HINT}") from None
"""Master keys by id, newest first. The first one seals the users' provider keys and other secrets,
and each one opens what it sealed. `manage.py rotate_keys` re-seals everything with the newest one
and says when an old one can be removed. Required outside DEBUG."""

if has_same_key(MASTER_KEYS, SECRET_KEY):
    raise ImproperlyConfigured(
        "SECRET_KEY and MASTER_KEYS contain the same key. Whoever learns one of two secrets must "
        f"not have the other. {SECRETS_HINT}"
    )


# Addresses -----------------------------------------------------------------------------

ALLOWED_HOSTS = env.read_list(
    "ALLOWED_HOSTS",  # host names, comma-separated
    default=["localhost", "127.0.0.1", "[::1]"],
    rule=rules.HOSTS,
)
"""The host names of this installation. Sockets and event streams trust them too, so `*` is refused:
it would let any web page open a socket in the name of its visitor."""

if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS=* switches the check of the origin off. Name the hosts this "
        "installation is reached by, for example ALLOWED_HOSTS=chat.example.org."
    )

TRUSTED_ORIGINS = env.read_list(
    "TRUSTED_ORIGINS",  # scheme://host[:port], comma-separated
    default=[],
    rule=rules.ORIGINS,
)
"""The origins of this installation as browsers see them, needed behind a proxy that ends TLS. Their
pages may post forms, and open sockets and event streams. If all are https, cookies are sent over
https only."""

TRUSTED_ORIGINS = [origin.rstrip("/") for origin in TRUSTED_ORIGINS]
CSRF_TRUSTED_ORIGINS = TRUSTED_ORIGINS
CSRF_FAILURE_VIEW = "accounts.page_account.csrf_failure"

API_ORIGINS = env.read_list(
    "API_ORIGINS",  # scheme://host[:port], comma-separated
    default=[],
    rule=rules.ORIGINS,
)
"""Other sites whose pages may use the API with an access token. Cookies don't count there, and
pages of all other sites are refused by the browser."""

API_ORIGINS = [origin.rstrip("/") for origin in API_ORIGINS]

TRUSTED_PROXY_COUNT = env.read_int("TRUSTED_PROXY_COUNT", default=0, minimum=0)  # proxies
"""The number of trusted proxies in front that set X-Forwarded-For and X-Forwarded-Proto. At 0 these
headers are ignored, and all visitors behind a proxy would share one rate limit."""

ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None

HTTPS = bool(TRUSTED_ORIGINS) and all(origin.startswith("https://") for origin in TRUSTED_ORIGINS)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# The proxy says how a client came; config/https.py. The health check is answered before.
SECURE_SSL_REDIRECT = HTTPS and TRUSTED_PROXY_COUNT > 0
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0

SECURE_HSTS_INCLUDE_SUBDOMAINS = env.read_bool("HSTS_SUBDOMAINS", default=False)
"""If all TRUSTED_ORIGINS are https, browsers that came once use nothing but https for a year. With
this they also do so for all names below: with `example.org` for `wiki.example.org`, which then must
have https too."""

# Names below ours may belong to others, and a list in the browsers is for the domain's owner.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if HTTPS and not TRUSTED_PROXY_COUNT:
    # Nobody says how a client came, so only the proxy can redirect to https.
    SILENCED_SYSTEM_CHECKS.append("security.W008")


PRIVATE_ADDRESSES = env.read_choice("PRIVATE_ADDRESSES", default="", choices=("allow", "refuse"))
"""Whether this server sends requests to private addresses that a person gave, such as 127.0.0.1 and
192.168.1.1. If it is empty, it does if ALLOWED_HOSTS and TRUSTED_ORIGINS name nothing but this
machine. Reserved addresses and those of a cloud's metadata are refused in any case."""


# Components ----------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # before staticfiles: it brings its own runserver
    "accounts",
    "chat",
    "streaming",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "accounts.sessions.apps.TrackedSessionsConfig",  # allauth.usersessions
    "channels",
    "accounts.admin_app.AuditedAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "config.request_queue.record_request_usage",  # first: it counts the work of all others
    "config.security.add_security_headers",  # before static files, which carry them too
    "config.request_validation.reject_malformed_requests",
    "config.https.assume_https",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.anonymous_limits.limit_anonymous_sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.authentication.AuthenticationMiddleware",
    "accounts.form_limits.FormLimitMiddleware",  # before any form of an account causes a write
    "accounts.page_account.SameAccountMiddleware",
    "accounts.sessions.tracking.track_sessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.pending_sign_ins.PendingSignInMiddleware",
    "accounts.mails.middleware.MailRefusalMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.reader_timezone.activate_timezone",
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
            # Every template has strings to translate, so that none needs to load the tags.
            "builtins": ["django.templatetags.i18n"],
            "libraries": {"module_preloads": "config.module_preloads"},
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
"""The maximum size of a form in bytes. The longest message has 400,000 characters, and a browser
without scripts encodes one character in up to twelve bytes."""

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
"""Translations. There are none yet; `makemessages` writes them here."""

TIME_ZONE = "UTC"
USE_TZ = True


# Database ------------------------------------------------------------------------------

DATABASE_URL = env.read_str(
    "DATABASE_URL",  # URL
    default="sqlite:///holdfast.sqlite3",
    rule=rules.DATABASE_ADDRESS,
)
"""The database: sqlite:///FILE, for one process, or postgres://USER:PASSWORD@HOST:PORT/NAME, for
any number of processes."""

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SQLITE = {
    # A transaction takes the write lock when it begins. It then waits up to `timeout` seconds
    # for the lock, instead of failing half-way with “database is locked”.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # FULL: a commit survives a power cut. Text is shown only after its commit.
    # secure_delete: deleted text and keys are overwritten, and don't stay in free pages.
    "init_command": ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON"),
}
POSTGRESQL = {
    # Under ASGI requests can't keep connections per thread; without a pool each request would
    # open one. Every process has such a pool, and their sum must stay below the server's
    # max_connections. Readers and writers of streams hold up to six connections for good.
    # After `timeout` seconds config/postgresql finds out whether the server is away or busy.
    # Pauses between attempts to connect grow; after `reconnect_timeout` a new request starts over.
    # One idle connection is closed every `max_idle` seconds, because each takes megabytes of the
    # server's memory.
    "pool": {
        "min_size": 1,
        "max_size": 16,
        "max_idle": 3,
        "timeout": 2,
        "reconnect_timeout": 1,
    },
    # The server plans a repeated statement once: docs/decisions/0009.
    "server_side_binding": True,
    "prepare_threshold": 5,
    # A process that is frozen in a transaction keeps its locks, and others would wait for the
    # same rows. The limit is shorter than a lease and longer than any pause of a busy machine.
    "options": "-c idle_in_transaction_session_timeout=10s",
}


def _build_database_settings(url: str) -> dict[str, Any]:
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    is_sqlite = database["ENGINE"] == "django.db.backends.sqlite3"
    database["OPTIONS"] = (SQLITE if is_sqlite else POSTGRESQL) | database.get("OPTIONS", {})
    if is_sqlite:
        database["ENGINE"] = "config.sqlite"
        # A relative path is relative to the project, not to the current folder.
        database["NAME"] = str(BASE_DIR / database["NAME"])
        # Tests use a file too, because threads can't share a database in memory.
        database["TEST"] = {"NAME": f"{database['NAME']}.test"}
    else:
        database |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "ENGINE": "config.postgresql"}
    return database


DATABASES = {"default": _build_database_settings(DATABASE_URL)}

# Rate limits must hold across processes and restarts, and without Redis. The cache stores JSON:
# with pickles, write access to the database would be enough to run code here.
CACHES = {"default": {"BACKEND": "accounts.cache.JSONDatabaseCache"}}
SESSION_ENGINE = "accounts.session_store"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
"""The browser keeps notices until a page shows them, so that a visitor needs no session."""


# Redis ---------------------------------------------------------------------------------

REDIS_URL = env.read_str("REDIS_URL", default="", rule=rules.REDIS_ADDRESS)  # URL
"""The Redis that carries notifications between processes. If it is empty, there is one process,
with a channel layer in memory."""

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels.layers.InMemoryChannelLayer",
        # A membership of a group expires, by default after a day, and nobody would notice.
        "CONFIG": {"capacity": 10_000, "group_expiry": 10 * 365 * 24 * 60 * 60},
    }
}
if REDIS_URL:
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "streaming.hub.sealed_layer.SealedLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": REDIS_URL,
                    # A subscriber waits until something happens. With redis-py's default it
                    # would lose its connection after 5 quiet seconds.
                    "socket_timeout": None,
                    "socket_connect_timeout": 2,
                    "socket_keepalive": True,
                    "health_check_interval": 15,
                    # For `rediss://` redis-py uses its own class, with TLS, in any case.
                    "connection_class": LongPollConnection,
                }
            ]
        },
    }


# Streams -------------------------------------------------------------------------------

EMBEDDED_WORKER = env.read_bool("EMBEDDED_WORKER", default=not REDIS_URL)
"""Run the worker in the web process. By default on without REDIS_URL, and off with it."""

DRAIN_SECONDS = env.read_float(
    "DRAIN_SECONDS",  # seconds
    default=5 if EMBEDDED_WORKER else 30,
    minimum=0,
)
"""The time that running replies get after SIGTERM, before other processes take them over. The
default is 30 without EMBEDDED_WORKER."""

GENERATE_TITLES = env.read_bool("GENERATE_TITLES", default=True)
"""Let the cheapest model of a conversation's provider write its title."""

MAX_STREAMS_PER_WORKER = env.read_int("MAX_STREAMS_PER_WORKER", default=200, minimum=1)  # streams
"""The number of streams that a worker runs at the same time; others wait in the queue."""

MAX_STREAMS_PER_USER = env.read_int("MAX_STREAMS_PER_USER", default=10, minimum=1)  # streams
"""The number of streams of one person that run at the same time; others wait in the queue."""

MAX_DEMO_STREAMS_PER_WORKER = env.read_int(
    "MAX_DEMO_STREAMS_PER_WORKER",  # streams
    default=max(1, MAX_STREAMS_PER_WORKER // 5),
    minimum=0,
)
"""The number of a worker's streams that may be of the demo model, because anybody with an account
can fill them. By default a fifth of MAX_STREAMS_PER_WORKER."""

MAX_KEYLESS_STREAMS_PER_WORKER = env.read_int(
    "MAX_KEYLESS_STREAMS_PER_WORKER",  # streams
    default=max(1, MAX_STREAMS_PER_WORKER // 2),
    minimum=0,
)
"""The number of a worker's streams that may be of servers that need no key, because anybody with an
account can fill them. By default half of MAX_STREAMS_PER_WORKER."""

MAX_SHARED_STREAMS_PER_WORKER = env.read_int(
    "MAX_SHARED_STREAMS_PER_WORKER",  # streams
    default=max(1, MAX_STREAMS_PER_WORKER * 3 // 4),
    minimum=0,
)
"""The number of a worker's streams that may use keys of the installation, so that people with keys
of their own have the rest. By default three quarters of MAX_STREAMS_PER_WORKER."""

MAX_UNFINISHED_REPLIES_PER_USER = env.read_int(
    "MAX_UNFINISHED_REPLIES_PER_USER",  # replies
    default=30,
    minimum=1,
)
"""The number of one person's replies that may run or wait. Further messages are refused."""

MAX_MESSAGES_PER_MINUTE = env.read_int(
    "MAX_MESSAGES_PER_MINUTE",  # messages
    default=120,
    minimum=1,
)
"""The number of messages, versions and continuations that one person may send in a minute."""

MAX_TOKEN_REQUESTS_PER_MINUTE = env.read_int(
    "MAX_TOKEN_REQUESTS_PER_MINUTE",  # requests
    default=600,
    minimum=1,
)
"""The number of requests to the API with one access token in a minute, in each process. Event
streams and handshakes of sockets are requests, too."""

MAX_CHARS_PER_MINUTE = env.read_int(
    "MAX_CHARS_PER_MINUTE",  # characters
    default=600_000,
    minimum=1,
)
"""The number of characters that may be stored for one person in a minute. The first message of a
minute is accepted at any length."""

MAX_CHARS_PER_DAY = env.read_int("MAX_CHARS_PER_DAY", default=20_000_000, minimum=1)  # characters
"""The number of characters that may be stored for one person in a day. The first message of a day
is accepted at any length."""

MAX_STORED_CHARS_PER_USER = env.read_int(
    "MAX_STORED_CHARS_PER_USER",  # characters
    default=200_000_000,
    minimum=1,
)
"""The number of characters that one person's chats may hold, replies included. Deleting chats makes
room."""

MAX_STREAM_BYTES_PER_USER = env.read_int(
    "MAX_STREAM_BYTES_PER_USER",  # bytes
    default=100 * 2**20,
    minimum=1,
)
"""The number of bytes that the streams may hold that one person's programs write through the door
of Durable Streams. Deleting streams makes room."""

MAX_SOCKETS_PER_USER = env.read_int("MAX_SOCKETS_PER_USER", default=100, minimum=1)  # sockets
"""The number of sockets and event streams that one person may have open in one web process; each
page has one of them."""

MAX_UNREAD_BYTES_PER_USER = env.read_int(
    "MAX_UNREAD_BYTES_PER_USER",  # bytes
    default=16 * 2**20,
    minimum=1,
)
"""The number of bytes of event streams and other answers over HTTP that one web process may hold
for one person's clients, because they have not read them. Beyond it the largest answer of this
person is broken off."""

MAX_UNREAD_BYTES = env.read_int("MAX_UNREAD_BYTES", default=64 * 2**20, minimum=1)  # bytes
"""The same for the clients of all people. Beyond it the largest answer of the person with the most
unread bytes is broken off."""

MAX_FRAMES_PER_SECOND = env.read_int("MAX_FRAMES_PER_SECOND", default=20, minimum=1)  # frames
"""The number of frames that one socket may send in a second, and twenty times as many at once."""

FOLD_AFTER_SECONDS = env.read_int("FOLD_AFTER_SECONDS", default=24 * 60 * 60, minimum=0)  # seconds
"""The age at which an ended stream's chunks are deleted, because its message holds the text."""

# The engine's own names for these: streaming/conf.py.
STREAMING_DRAIN_SECONDS = DRAIN_SECONDS
STREAMING_MAX_STREAMS_PER_WORKER = MAX_STREAMS_PER_WORKER
STREAMING_MAX_STREAMS_PER_USER = MAX_STREAMS_PER_USER
STREAMING_POOLS = {
    "demo": MAX_DEMO_STREAMS_PER_WORKER,
    "keyless": MAX_KEYLESS_STREAMS_PER_WORKER,
    "shared": MAX_SHARED_STREAMS_PER_WORKER,
}
STREAMING_MAX_SOCKETS_PER_USER = MAX_SOCKETS_PER_USER
STREAMING_MAX_UNREAD_BYTES_PER_USER = MAX_UNREAD_BYTES_PER_USER
STREAMING_MAX_UNREAD_BYTES = MAX_UNREAD_BYTES
STREAMING_MAX_FRAMES_PER_SECOND = MAX_FRAMES_PER_SECOND
STREAMING_FOLD_AFTER_SECONDS = FOLD_AFTER_SECONDS
STREAMING_TRUSTED_ORIGINS = TRUSTED_ORIGINS
STREAMING_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
STREAMING_LOAD_TOKENS = "accounts.tokens.access.load_token_access"
STREAMING_USER_REVISION_FIELD = "revision"
STREAMING_SIMULATED_DROP = "chat.replies.simulated_drop.get_drop_delay"


# Providers -----------------------------------------------------------------------------

# Users can't choose these addresses, because their keys are sent there.

OPENAI_BASE_URL = env.read_str("OPENAI_BASE_URL", default="", rule=rules.PROVIDER_ADDRESS)  # URL
"""A server that speaks OpenAI's protocol, such as a proxy. If it is empty, OpenAI's own."""

ANTHROPIC_BASE_URL = env.read_str(
    "ANTHROPIC_BASE_URL",  # URL
    default="",
    rule=rules.PROVIDER_ADDRESS,
)
"""A server that speaks Anthropic's protocol, such as a proxy. If it is empty, Anthropic's own."""

GOOGLE_GEMINI_BASE_URL = env.read_str(
    "GOOGLE_GEMINI_BASE_URL",  # URL
    default="",
    rule=rules.PROVIDER_ADDRESS,
)
"""A server that speaks Gemini's protocol, such as a proxy. If it is empty, Google's own."""

COMPATIBLE_PROVIDERS = hide_header_values(
    env.read_json("COMPATIBLE_PROVIDERS", default=[], rule=rules.PROVIDER_ROWS)
)
"""Servers that speak OpenAI's Chat Completions, such as Ollama, vLLM, llama.cpp and OpenRouter, a
row each:
`[{"id": "ollama", "name": "Ollama", "url": "http://127.0.0.1:11434/v1", "needs_key": false,
"models": ["llama3.3"], "first_word_seconds": 1800, "headers": {}, "body": {}, "takes": {}}]`.
Only the id and the URL are required. A server's own list adds to the models. `first_word_seconds`
is the time that the first word may take, `headers` and `body` are added to requests, and `takes`
says what the models take. docs/providers.md describes the fields."""


# Accounts ------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "accounts.hashers.LimitedArgon2PasswordHasher",
    "accounts.hashers.LimitedPBKDF2PasswordHasher",
    "accounts.hashers.LimitedPBKDF2SHA1PasswordHasher",
    "accounts.hashers.LimitedScryptPasswordHasher",
]
"""The first makes new hashes. The second reads those of earlier versions, and the others those of
accounts that were imported."""

AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.password_rules.ContextWordValidator"},
    {"NAME": "accounts.password_rules.DigitsValidator"},
]

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "accounts.forms.SignUpForm",
    "reset_password": "accounts.forms.PasswordResetForm",
    "reset_password_from_key": "accounts.forms.PasswordResetFromKeyForm",
    "change_password": "accounts.forms.PasswordChangeForm",
    "request_login_code": "accounts.forms.LoginCodeForm",
    "confirm_login_code": "accounts.forms.LoginCodeEntryForm",
    "confirm_email_verification_code": "accounts.forms.EmailCodeEntryForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Holdfast] "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # a visitor can't make this server write to strangers
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "accounts.password_reset_tokens.AddressTokenGenerator"  # noqa: S105
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60
"""The seconds after typing a password during which the account may be changed without typing it
again."""

# accounts/factors has the pages, the limits of codes and the storage of secrets.
MFA_ADAPTER = "accounts.factors.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}
MFA_ALLOW_UNVERIFIED_EMAIL = True  # without a mail server nobody can confirm an address

# accounts/login_attempts.py limits attempts to guess a password. A reset link can't be guessed, and
# a limit by address would lock out its owner for what others behind the same proxy did.
# accounts/forms.py limits the mails with such links.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": None,
    "reset_password": None,
    "reset_password_from_key": None,
    "request_login_code": None,
    # allauth's limit by address would let strangers delay a sign-in.
    "confirm_email": "20/10m/ip",
}

SIGNUP = env.read_choice("SIGNUP", default="", choices=("open", "invite", "closed"))
"""Whether visitors may create an account, once there is a first one: everybody, people with the
link of an invitation, or nobody. If it is empty, people at this machine may if ALLOWED_HOSTS names
nothing else, and others need an invitation."""


# Data ----------------------------------------------------------------------------------

RETENTION_DAYS = env.read_int("RETENTION_DAYS", default=0, minimum=0)  # days
"""Chats are deleted so many days after their last message, pinned ones too. At 0 they are kept.
People may choose a shorter time for their own chats, but not a longer one."""

AUDIT_DAYS = env.read_int("AUDIT_DAYS", default=365, minimum=1)  # days
"""The number of days for which audit events are kept: sign-ins and changes of accounts, keys and
rights."""


# Sign-in with other servers ------------------------------------------------------------

# docs/self-hosting.md says what to register at each server.

GOOGLE_CLIENT_ID = env.read_str("GOOGLE_CLIENT_ID", default="")
"""The client id of this installation at Google. With it, people can sign in with Google."""

GOOGLE_CLIENT_SECRET = hide_secret(env.read_str("GOOGLE_CLIENT_SECRET", default=""))
"""The secret of that client."""

GITHUB_CLIENT_ID = env.read_str("GITHUB_CLIENT_ID", default="")
"""The client id of this installation at GitHub. With it, people can sign in with GitHub."""

GITHUB_CLIENT_SECRET = hide_secret(env.read_str("GITHUB_CLIENT_SECRET", default=""))
"""The secret of that client."""

OPENID_SERVERS = hide_client_secrets(
    env.read_json("OPENID_SERVERS", default=[], rule=rules.OPENID_ROWS)
)
"""OpenID Connect servers that people can sign in with, such as Keycloak and Authentik, a row each:
`[{"id": "work", "name": "Work", "url": "https://id.example.org/realms/work",
"client_id": "holdfast", "client_secret": "…", "scopes": ["openid", "email", "profile"],
"origins": []}]`. The id, the URL and the client id are required. `url` is the issuer, and `origins`
are further sites to which the sign-in page may send people."""

SIGN_IN_SERVERS = build_sign_in_servers(
    OPENID_SERVERS,
    google=(GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET),
    github=(GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET),
)
SOCIALACCOUNT_ADAPTER = "accounts.social.adapter.SocialAdapter"
SOCIALACCOUNT_FORMS = {"signup": "accounts.social.forms.SocialSignUpForm"}
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_LOGIN_ON_GET = False  # a link must sign nobody in


# Mail ----------------------------------------------------------------------------------

EMAIL_URL = env.read_str(
    "EMAIL_URL",  # URL
    default="consolemail://",
    rule=rules.MAIL_SERVER,
)
"""The mail server: smtp+tls://USER:PASSWORD@HOST:PORT. By default there is
none: mails are printed if others can't reach this installation, and dropped otherwise."""

# A thread sends all mails through this backend: accounts/mails/queue.py.
MAIL_SETTINGS = environ.Env.email_url_config(EMAIL_URL)
MAIL_TRANSPORT = MAIL_SETTINGS.pop("EMAIL_BACKEND")
if MAIL_TRANSPORT == "django.core.mail.backends.console.EmailBackend":
    MAIL_TRANSPORT = "accounts.mails.console.LocalConsoleBackend"
globals().update(MAIL_SETTINGS)
EMAIL_BACKEND = "accounts.mails.backend.QueuedEmailBackend"
HAS_MAIL_SERVER = EMAIL_URL.startswith("smtp")

ACCOUNT_EMAIL_VERIFICATION = env.read_choice(
    "EMAIL_VERIFICATION",
    default="mandatory" if EMAIL_URL.startswith("smtp") else "none",
    choices=("none", "optional", "mandatory"),
)
"""Whether people confirm their address after they sign up, with a code from a mail. The default is
mandatory if EMAIL_URL is a mail server, and none otherwise. Accounts that exist already are not
asked."""

# accounts/code_mails.py says why a code can't be guessed, and limits the mails.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = ACCOUNT_EMAIL_VERIFICATION == "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = HAS_MAIL_SERVER
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60

# allauth confirms the address before the passkey is created. It remembers the sign-up in the
# session, so that only a code works, not a link.
MFA_PASSKEY_SIGNUP_ENABLED = HAS_MAIL_SERVER and ACCOUNT_EMAIL_VERIFICATION == "mandatory"

EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.read_str(
    "FROM_EMAIL",  # address
    default="Holdfast <holdfast@localhost>",
    rule=rules.EMAIL_ADDRESS,
)
"""The sender of all mails."""


# Static files --------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / ".static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.storage.ModuleManifestStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG


# Logging -------------------------------------------------------------------------------

LOG_LEVEL = env.read_choice(
    "LOG_LEVEL",  # DEBUG, INFO, WARNING, ERROR or CRITICAL
    default="INFO",
    choices=logging.getLevelNamesMapping(),
)
"""The least severe messages that are logged. They go to stderr."""

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "config.log_lines.LineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
    },
    "filters": {
        "quiet": {"()": "config.logs.ClientErrorFilter"},
        "discreet": {"()": "config.logs.ErrorTextFilter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["quiet", "discreet"],
        },
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handlers would print each message twice, or mail nobody.
        "django": {"handlers": [], "level": "INFO"},
        # It names the ids of passkeys.
        "fido2": {"level": "WARNING"},
        # The pool warns at each attempt to connect; streaming/outage.py logs an outage once.
        "psycopg.pool": {"level": "ERROR"},
    },
}
