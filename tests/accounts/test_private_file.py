"""The database file is the service's alone, by whatever command and umask it was made."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

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
    """What lies beside the file while a process uses it."""
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
