"""A record of the log is one line with a time in UTC."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings

from config.log_lines import LineFormatter

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def format_message(message: str) -> str:
    record = logging.LogRecord("chat", logging.INFO, "file.py", 1, "Saw %s", (message,), None)
    record.created, record.msecs = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp(), 7
    return LineFormatter(FORMAT).format(record)


def test_a_time_is_in_utc_whatever_the_time_zone_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "localtime", lambda seconds: time.gmtime(seconds + 3600))
    assert format_message("it") == "2026-03-01T12:00:00.007Z INFO chat: Saw it"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_a_text_with_line_ends_stays_on_its_line(end: str) -> None:
    line = format_message(f"a{end}2026-03-01T12:00:00.000Z INFO accounts: forged")
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("text", ["\x1b[2J", "\x00", "\x07", "\x7f", "\x9b31m"])
def test_a_text_can_not_steer_a_terminal(text: str) -> None:
    assert format_message(text).isprintable()


def test_a_traceback_keeps_its_lines() -> None:
    record = logging.LogRecord("chat", logging.ERROR, "file.py", 1, "Failed", (), None)
    record.exc_text = "Traceback\n  line"
    assert LineFormatter(FORMAT).format(record).endswith("Failed\nTraceback\n  line")


def test_the_log_is_written_so() -> None:
    logging_settings: Any = settings.LOGGING
    formatter = logging_settings["formatters"]["line"]
    assert formatter["class"] == f"{LineFormatter.__module__}.{LineFormatter.__name__}"
