"""Only the service may read the database file, whatever command and umask created it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from config.sqlite.base import restrict_file_mode

ROOT = Path(__file__).parents[2]
TOUCH = """
import django, os, sys
os.umask(0o022)
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS kept (text)")
    cursor.execute("INSERT INTO kept VALUES ('a message')")
    here = os.path.dirname(sys.argv[1])
    for name in sorted(os.listdir(here)):
        print(name, oct(os.stat(os.path.join(here, name)).st_mode & 0o777))
"""


def modes(file: Path) -> list[str]:
    """The files beside it while a process uses it."""
    done = subprocess.run(
        [sys.executable, "-c", TOUCH, str(file)],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": f"sqlite:///{file}", "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


ALONE = ["chat.sqlite3 0o600", "chat.sqlite3-shm 0o600", "chat.sqlite3-wal 0o600"]


@pytest.mark.parametrize("before", ["nothing", "everybody's"])
def test_nobody_else_may_read_the_database_file(tmp_path: Path, before: str) -> None:
    file = tmp_path / "chat.sqlite3"
    if before == "everybody's":
        modes(file)
        for end in ("", "-wal", "-shm"):
            beside = Path(f"{file}{end}")
            beside.touch()
            beside.chmod(0o644)
    assert modes(file) == ALONE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


LOOK = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    print(connection.execute("SELECT text FROM kept").fetchall())
connection.close()
"""


def test_a_connection_drops_no_lock_of_those_that_are_open(tmp_path: Path) -> None:
    """Without its lock another process that closes removes the log, and the file is broken."""
    file = tmp_path / "chat.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE kept (text)")
        connection.execute("INSERT INTO kept VALUES ('a message')")
        restrict_file_mode(file)
        told = subprocess.check_output([sys.executable, "-c", LOOK, str(file)], text=True)
        assert "a message" in told
        assert Path(f"{file}-wal").exists(), "the log is still in use"
