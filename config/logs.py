"""Keeps secrets and noise out of log records."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote

SECRET_PATHS = re.compile(r"(/accounts/(?:password/reset/key|confirm-email|invitation)/)[^\s\"?]+")
"""Addresses of links in mails and of invitations, which contain a secret."""


class ClientErrorFilter(logging.Filter):
    """Shortens the record of a refused request to one line. A traceback for each would let anybody
    fill a disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_security = record.name.startswith("django.security")
        is_refusal = record.name == "django.request" and getattr(record, "status_code", 500) < 500
        if is_security or is_refusal:
            record.exc_info = record.exc_text = None
            message = record.getMessage()
            shown = _truncate_text(_redact_paths(message), MAX_LOG_MESSAGE_CHARS)
            if shown != message:
                record.msg, record.args = shown, None
        return True


MAX_LOG_MESSAGE_CHARS = 500
MAX_PATH_CHARS = 200
"""Characters of an address in the access log, so that long ones can't fill it."""


MAX_METHOD_CHARS = 20


def path_for_log(path: str) -> str:
    """Return a path for the access log, without its query, which contains the input of forms and
    searches."""
    return _truncate_text(_redact_paths(quote(path)), MAX_PATH_CHARS)


def _redact_paths(text: str) -> str:
    return SECRET_PATHS.sub(r"\1…", text)


def _truncate_text(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[:max_chars] + "…"
