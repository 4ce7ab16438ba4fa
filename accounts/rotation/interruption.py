"""Lets a rotation end between two rows when it is interrupted. In the middle of a query a signal
would leave a connection on which the audit event of the rotation can't be written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class RotationInterrupted(Exception):
    """The rotation ended before its last row."""


class Interruption:
    """A second signal ends the process at once, such as one that waits for the database."""

    def __init__(self) -> None:
        self._is_requested = False

    def request(self, *_: Any) -> None:
        if self._is_requested:
            raise KeyboardInterrupt
        self._is_requested = True

    def check(self) -> None:
        """Raises RotationInterrupted."""
        if self._is_requested:
            raise RotationInterrupted


@contextmanager
def watch_signals() -> Iterator[Interruption]:
    """Only the main thread gets signals."""
    interruption = Interruption()
    watched = SIGNALS if current_thread() is main_thread() else ()
    before = {each: signal.signal(each, interruption.request) for each in watched}
    try:
        yield interruption
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
