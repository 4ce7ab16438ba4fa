"""A replacement of `journal.append` in tests, which delays commits or lets them fail."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from django.db import DataError

from streaming import journal
from streaming.journal import Append

real_append = journal.append


class JournalGate:
    """Appends to the journal while `may_commit` is set. `errors_before_commit` and
    `errors_after_commit` are raised one by one, and text with `rejected_text` is refused."""

    def __init__(self) -> None:
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.calls: list[tuple[tuple[Append, ...], bool]] = []
        self.errors_before_commit: list[Exception] = []
        self.errors_after_commit: list[Exception] = []
        self.rejected_text = ""

    def __call__(self, entries: Sequence[Append], *, is_retry: bool = False) -> set[int]:
        self.calls.append((tuple(entries), is_retry))
        assert self.may_commit.wait(20)
        if self.errors_before_commit:
            raise self.errors_before_commit.pop(0)
        if self.rejected_text and any(
            self.rejected_text in c.delta for e in entries for c in e.chunks
        ):
            raise DataError("no such text")
        written = real_append(entries, is_retry=is_retry)
        if self.errors_after_commit:
            raise self.errors_after_commit.pop(0)
        return written
