"""A gate before the journal in tests: commits wait there, or fail."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from django.db import DataError

from streaming import journal
from streaming.journal import Append

append = journal.append


class JournalGate:
    """Stands before the journal: holds commits back, and lets them fail before or after they
    were made."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.calls: list[tuple[tuple[Append, ...], bool]] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.spoiled = ""

    def __call__(self, entries: Sequence[Append], *, is_retry: bool = False) -> set[int]:
        self.calls.append((tuple(entries), is_retry))
        assert self.open.wait(20)
        if self.before:
            raise self.before.pop(0)
        if self.spoiled and any(self.spoiled in c.delta for e in entries for c in e.chunks):
            raise DataError("no such text")
        written = append(entries, is_retry=is_retry)
        if self.after:
            raise self.after.pop(0)
        return written
