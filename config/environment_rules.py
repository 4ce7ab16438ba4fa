"""Rules for the values of environment variables. config/settings.py names them where it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from email.utils import parseaddr
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import environ

HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
"""As Django compares it with the host of a request."""
WHOLE_TOP_DOMAIN = re.compile(r"\.(?!localhost\b)[\w-]+\.?")
"""All hosts of a top-level domain, such as `.org`."""
ORIGIN_HOST = re.compile(r"([\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\])(:\d+)?")
"""Without a wildcard, because sockets compare whole origins, and without a name of a user."""


class Rule(NamedTuple):
    """A rule for the value of a variable. An error says that the variable must be `requirement`,
    and shows the value unless it `is_secret`."""

    is_valid: Callable[[Any], bool]
    requirement: str
    is_secret: bool = False


def is_url(text: str, schemes: Collection[str]) -> bool:
    """Return whether the text is a URL with one of the schemes and a host."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError if it is no number
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname)


def _is_database_url(text: str) -> bool:
    scheme = text.partition("://")[0]
    if scheme == "sqlite":
        return len(text) > len("sqlite:///") and text.startswith("sqlite:///")
    if scheme not in environ.Env.POSTGRES_FAMILY:
        return False
    try:
        database = environ.Env.db_url_config(text)
    except ValueError:
        return False
    return bool(database["NAME"]) or "service" in database.get("OPTIONS", {})


def _is_redis_url(text: str) -> bool:
    is_socket = text.startswith("unix://") and bool(urlsplit(text).path)
    return is_socket or is_url(text, {"redis", "rediss"})


def _is_email_url(text: str) -> bool:
    scheme = text.partition("://")[0]
    if scheme.startswith("smtp"):
        return is_url(text, environ.Env.EMAIL_SCHEMES)
    return scheme in environ.Env.EMAIL_SCHEMES and "://" in text


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return (
        is_url(text, {"http", "https"})
        and text == f"{parts.scheme}://{parts.netloc}"
        and ORIGIN_HOST.fullmatch(parts.netloc) is not None
    )


def _is_address(text: str) -> bool:
    name, at, host = parseaddr(text)[1].rpartition("@")
    return bool(name and at and host)


# URLs may contain a password.
DATABASE_ADDRESS = Rule(
    _is_database_url, "sqlite:///FILE or postgres://USER:PASSWORD@HOST:PORT/NAME", is_secret=True
)
REDIS_ADDRESS = Rule(
    lambda text: not text or _is_redis_url(text),
    "redis://HOST:PORT, rediss://HOST:PORT or unix://PATH, or empty",
    is_secret=True,
)
MAIL_SERVER = Rule(
    _is_email_url,
    "the URL of a mail server, such as smtp+tls://USER:PASSWORD@HOST:PORT",
    is_secret=True,
)
PROVIDER_ADDRESS = Rule(
    lambda text: not text or is_url(text, {"http", "https"}),
    "a URL such as https://proxy.example.org/v1, or empty",
    is_secret=True,
)
PROVIDER_ROWS = Rule(
    lambda rows: isinstance(rows, list) and all(isinstance(row, dict) for row in rows),
    'a JSON list of objects, such as [{"id": "ollama", "url": "http://127.0.0.1:11434/v1"}]',
    is_secret=True,
)
OPENID_ROWS = Rule(
    PROVIDER_ROWS.is_valid,
    'a JSON list of objects, such as [{"id": "work", "name": "Work", '
    '"url": "https://id.example.org", "client_id": "holdfast", "client_secret": "…"}]',
    is_secret=True,
)
HOSTS = Rule(
    lambda hosts: (
        bool(hosts)
        and all(HOST.fullmatch(host) and not WHOLE_TOP_DOMAIN.fullmatch(host) for host in hosts)
    ),
    "one or more host names without scheme and port, such as chat.example.org, and no whole "
    "top-level domain such as .org",
)
ORIGINS = Rule(
    lambda origins: all(_is_origin(origin.rstrip("/")) for origin in origins),
    "origins scheme://host or scheme://host:port without a wildcard, such as "
    "https://chat.example.org",
)
EMAIL_ADDRESS = Rule(_is_address, "an address such as Holdfast <holdfast@example.org>")
ANYTHING = Rule(lambda value: True, "a text", is_secret=True)
