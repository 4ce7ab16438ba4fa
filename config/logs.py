"""Keeps secrets, what people typed, their addresses and noise out of log records.

Handlers and servers format records by themselves, so everything here changes the record before.
"""

from __future__ import annotations

import errno
import functools
import logging
import re
import sqlite3
import traceback
from collections.abc import Iterator
from http.client import responses
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.path_words import list_path_words

MAX_PATH_CHARS = 200
"""Characters of an address in a log, so that long ones can't fill it."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
NO_CLIENT = "-"
"""Stands in access logs for the client's network address, which is personal data."""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ERRORS_ABOUT_CODE = (
    AttributeError,
    ImportError,
    ImproperlyConfigured,
    NameError,
    NotImplementedError,
    RecursionError,
    sqlite3.Error,
)
"""Errors whose texts name parts of the program or of the database, and no values."""


class ClientErrorFilter(logging.Filter):
    """Shortens the record of a refused request to one line. A traceback for each would let anybody
    fill a disk. Django's own texts contain whole paths, hosts and origins."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_security = record.name.startswith("django.security")
        is_request = record.name == "django.request"
        if is_security or (is_request and getattr(record, "status_code", 500) < 500):
            record.exc_info = record.exc_text = None
        if is_security or is_request:
            path = path_for_log(getattr(getattr(record, "request", None), "path", ""))
            record.msg, record.args = f"{_name_refusal(record)}: {path}", None
        return True


def _name_refusal(record: logging.LogRecord) -> str:
    status = getattr(record, "status_code", None)
    if record.name != "django.request":
        return f"{record.name.rpartition('.')[2]} ({status})"
    return responses.get(status or 0, "Refused")


class ErrorTextFilter(logging.Filter):
    """Replaces the texts of exceptions, which may contain a prompt, a key, or a row of the
    database, by what `describe_error` says."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_describe_if_error, record.args))
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None:
            record.exc_text = format_error(error)  # formatters keep a text that is there
        if record.name == "daphne.server" and "took too long" in str(record.msg):
            record.msg, record.args = "An application took too long to end, and was ended", None
        return True


def _describe_if_error(value: object) -> object:
    return describe_error(value) if isinstance(value, BaseException) else value


def describe_error(error: BaseException) -> str:
    """Return the class of an error, and what is known of it without its text."""
    name, cause = type(error).__name__, error.__cause__
    if isinstance(error, ERRORS_ABOUT_CODE) or isinstance(cause, sqlite3.Error):
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.errno:
        return f"{name} ({errno.errorcode.get(error.errno, error.errno)})"
    diagnostics: Any = getattr(error, "diag", None) or getattr(cause, "diag", None)
    facts = [getattr(diagnostics, key, None) for key in ("sqlstate", "constraint_name")]
    known = ", ".join(fact for fact in facts if fact)
    return f"{name} ({known})" if known else name


def format_error(error: BaseException) -> str:
    """Return the traceback of an error and of its causes, without their texts."""
    parts = [
        "Traceback (most recent call last):\n"
        + "".join(traceback.format_tb(part.__traceback__))
        + describe_error(part)
        for part in _list_causes(error)
    ]
    return "\n\nThen:\n\n".join(reversed(parts))


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting += getattr(part, "exceptions", ())
        waiting.append(part.__cause__ or (None if part.__suppress_context__ else part.__context__))


def method_for_log(method: object) -> object:
    """A client may send any word as the method."""
    return method if method in METHODS else "…"


def path_for_log(path: str) -> str:
    """Return a path for a log without what a client made up: only the words that addresses of this
    site have, and ids of rows, which are random."""
    segments = path.partition("?")[0].split("/", maxsplit=20)
    shown = "/".join(map(_redact_segment, segments))
    return shown if len(shown) <= MAX_PATH_CHARS else shown[:MAX_PATH_CHARS] + "…"


def _redact_segment(segment: str) -> str:
    is_known = segment in _path_words() or UUID.fullmatch(segment) is not None
    return segment if is_known else "…"


@functools.cache
def _path_words() -> frozenset[str]:
    return frozenset(list_path_words())
