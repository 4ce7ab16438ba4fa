"""Django's SQLite backend, with a database file that only the service may read, because it contains
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
