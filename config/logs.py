"""What of a record stays out of the log."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote

SECRET_PATHS = re.compile(r"(/accounts/(?:password/reset/key|confirm-email)/)[^\s\"?]+")
"""Addresses of which a part lets whoever knows it in. They come by mail."""


class ClientErrorFilter(logging.Filter):
    """A request that was refused is told in a line. How Django came to refuse it is its own
    matter, and a traceback for each would let anybody fill a disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_security = record.name.startswith("django.security")
        is_refusal = record.name == "django.request" and getattr(record, "status_code", 500) < 500
        if is_security or is_refusal:
            record.exc_info = record.exc_text = None
            message = record.getMessage()
            shown = _truncate_text(_redact_paths(message), MAX_MESSAGE_CHARS)
            if shown != message:
                record.msg, record.args = shown, None
        return True


MAX_MESSAGE_CHARS = 500
MAX_PATH_CHARS = 200
"""Of an address in the access log, which anybody could fill with longer ones."""


MAX_METHOD_CHARS = 20


def path_for_log(path: str) -> str:
    """A path as the access log has it. What a form or a search asks for is nobody else's business,
    so no query is in it."""
    return _truncate_text(_redact_paths(quote(path)), MAX_PATH_CHARS)


def _redact_paths(text: str) -> str:
    return SECRET_PATHS.sub(r"\1…", text)


def _truncate_text(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[:max_chars] + "…"
