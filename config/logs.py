"""What of a record stays out of the log."""

from __future__ import annotations

import logging


class QuietRefusals(logging.Filter):
    """A request that was refused is told in a line. How Django came to refuse it is its own
    matter, and a traceback for each would let anybody fill a disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_security = record.name.startswith("django.security")
        is_refusal = record.name == "django.request" and getattr(record, "status_code", 500) < 500
        if is_security or is_refusal:
            record.exc_info = record.exc_text = None
            message = record.getMessage()
            if len(message) > MAX_MESSAGE_CHARS:
                record.msg, record.args = message[:MAX_MESSAGE_CHARS] + "…", None
        return True


MAX_MESSAGE_CHARS = 500
