"""Django's SQLite backend for one process with many threads.

The file may be read by the service only, because it contains everybody's messages and sessions.

Writers get their turn in the order in which they came. SQLite lets one transaction write. The
others ask again after pauses of up to a tenth of a second, and the first to ask after its end
wins: among many writers, a reply waited for seconds until its first token could be stored.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper

from config.sqlite.fair_lock import FairLock

OWNER_ONLY_MODE = 0o600
WRITING_STATEMENTS = frozenset({"INSERT", "UPDATE", "DELETE"})
VERB_LENGTH = 6

_write_locks: defaultdict[str, FairLock] = defaultdict(FairLock)
"""By the name of the file."""


class DatabaseWrapper(base.DatabaseWrapper):
    # The stubs of Django do not have the methods of transactions and statements.

    _is_writing = False
    """Whether this connection has the write lock."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        name = str(conn_params["database"])
        if name != ":memory:" and not name.startswith("file:"):
            restrict_file_mode(Path(name))
        return super().get_new_connection(conn_params)

    def make_cursor(self, cursor: Any) -> FairCursor:
        return FairCursor(cursor, self)

    def make_debug_cursor(self, cursor: Any) -> FairDebugCursor:
        return FairDebugCursor(cursor, self)

    # A transaction

    def _start_transaction_under_autocommit(self) -> None:
        self._acquire_write_lock()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._release_write_lock()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._release_write_lock()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._release_write_lock()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._release_write_lock()

    # The lock

    @contextmanager
    def wait_for_turn(self) -> Iterator[None]:
        """Hold the write lock for one statement, if no transaction has it already."""
        is_mine = self._acquire_write_lock()
        try:
            yield
        finally:
            if is_mine:
                self._release_write_lock()

    def _acquire_write_lock(self) -> bool:
        """Return whether this call acquired the lock. After the timeout of SQLite go on without it:
        then SQLite decides who may write, and raises the error that callers know."""
        if self._is_writing:
            return False
        timeout = float(self.settings_dict["OPTIONS"].get("timeout", 5.0))
        self._is_writing = _write_locks[str(self.settings_dict["NAME"])].acquire(timeout)
        return self._is_writing

    def _release_write_lock(self) -> None:
        if self._is_writing:
            self._is_writing = False
            _write_locks[str(self.settings_dict["NAME"])].release()


class FairCursor(CursorWrapper):
    """A cursor whose writing statements wait for their turn."""

    db: DatabaseWrapper

    def _execute(self, sql: str, *args: Any) -> Any:
        if sql[:VERB_LENGTH].upper() not in WRITING_STATEMENTS:
            return super()._execute(sql, *args)  # type: ignore[misc]
        with self.db.wait_for_turn():
            return super()._execute(sql, *args)  # type: ignore[misc]

    def _executemany(self, *args: Any) -> Any:
        with self.db.wait_for_turn():
            return super()._executemany(*args)  # type: ignore[misc]


class FairDebugCursor(FairCursor, CursorDebugWrapper):
    """The same while statements are recorded."""


def restrict_file_mode(file: Path) -> None:
    """Create the file before SQLite does, or restrict an existing one. SQLite gives the files
    beside it the same mode, so only files of an older version have to be changed.

    An existing file is never opened: closing it would release the locks that all connections of
    this process hold on it (https://sqlite.org/howtocorrupt.html, 2.2), and another process would
    remove the write-ahead log while they use it.
    """
    with suppress(OSError):  # the file exists, or its folder does not: SQLite then reports it
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_MODE))
    for each in (file, *(file.with_name(f"{file.name}-{end}") for end in ("wal", "shm"))):
        with suppress(OSError):
            if each.stat().st_mode & 0o077:
                each.chmod(OWNER_ONLY_MODE)
