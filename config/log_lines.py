"""The form of a line in the log."""

from __future__ import annotations

import logging
import time

CONTROL_CODES = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
ESCAPED = {code: repr(chr(code))[1:-1] for code in CONTROL_CODES}
"""Characters that end a line or steer a terminal: `\\n` becomes a backslash and an n."""


class LineFormatter(logging.Formatter):
    """Writes times in UTC, and each message on one line, so that no text can look like a record of
    its own. A traceback has lines of its own, which hold no text of a person (config/logs.py)."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(ESCAPED)
