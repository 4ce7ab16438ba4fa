"""Django's SQLite, with a file that nobody but the service may read, whatever started it: it holds
everybody's messages and sessions."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from django.db.backends.sqlite3 import base

OWNER_ONLY_MODE = 0o600


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        name = str(conn_params["database"])
        if name != ":memory:" and not name.startswith("file:"):
            restrict_file_mode(Path(name))
        return super().get_new_connection(conn_params)


def restrict_file_mode(file: Path) -> None:
    """Make the file before SQLite would, or take it from the others. SQLite gives what it makes
    beside it the same mode, so only what an older version left has to be changed.

    A file that is there is never opened: to close it would drop the locks that all connections of
    this process hold on it (https://sqlite.org/howtocorrupt.html, 2.2), and another process would
    take the write-ahead log away under them.
    """
    with suppress(OSError):  # it is there, or its folder is not: SQLite says that in its own words
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_MODE))
    for each in (file, *(file.with_name(f"{file.name}-{end}") for end in ("wal", "shm"))):
        with suppress(OSError):
            if each.stat().st_mode & 0o077:
                each.chmod(OWNER_ONLY_MODE)
