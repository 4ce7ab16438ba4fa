"""Only the service may read the database file, whatever command and umask created it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from django.core.files.uploadedfile import TemporaryUploadedFile

from config.sqlite.base import restrict_file_mode

ROOT = Path(__file__).parents[2]
WRITE_DATABASE = """
import django, os, sys
os.umask(0o022)
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS notes (text)")
    cursor.execute("INSERT INTO notes VALUES ('a message')")
    folder = os.path.dirname(sys.argv[1])
    for name in sorted(os.listdir(folder)):
        print(name, oct(os.stat(os.path.join(folder, name)).st_mode & 0o777))
"""


def list_file_modes(file: Path) -> list[str]:
    """Return the names and modes of the database's files while a process uses them."""
    result = subprocess.run(
        [sys.executable, "-c", WRITE_DATABASE, str(file)],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": f"sqlite:///{file}", "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


PRIVATE_MODES = ["chat.sqlite3 0o600", "chat.sqlite3-shm 0o600", "chat.sqlite3-wal 0o600"]


def test_only_the_service_may_read_the_database_file(tmp_path: Path) -> None:
    """Nor the -wal and -shm files."""
    file = tmp_path / "chat.sqlite3"
    assert list_file_modes(file) == PRIVATE_MODES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_everybody_could_read_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "chat.sqlite3"
    list_file_modes(file)
    for end in ("", "-wal", "-shm"):
        sibling = Path(f"{file}{end}")
        sibling.touch()
        sibling.chmod(0o644)
    assert list_file_modes(file) == PRIVATE_MODES


def test_a_log_that_is_created_anew_is_private(tmp_path: Path) -> None:
    """The last process that closes the file removes its log. The next one creates another."""
    file = tmp_path / "chat.sqlite3"
    list_file_modes(file)
    assert not Path(f"{file}-wal").exists()
    assert list_file_modes(file) == PRIVATE_MODES


def test_an_upload_is_kept_in_no_file_that_others_read(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        with TemporaryUploadedFile("kelp.txt", "text/plain", 4, "utf-8") as upload:
            mode = stat.S_IMODE(Path(upload.temporary_file_path()).stat().st_mode)
    finally:
        os.umask(old)
    assert mode == 0o600


def test_the_file_of_secrets_is_private_from_its_first_byte(tmp_path: Path) -> None:
    """`make run` writes it, whatever umask the shell has."""
    file = tmp_path / ".env"
    write = [sys.executable, "-m", "tools.secrets_file", str(file)]
    subprocess.run(write, cwd=ROOT, check=True, capture_output=True, umask=0)
    assert "SECRET_KEY=" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


READ_DATABASE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    print(connection.execute("SELECT text FROM notes").fetchall())
connection.close()
"""


def test_restricting_the_file_mode_releases_no_lock(tmp_path: Path) -> None:
    """Without its lock another process that closes removes the log, and the file is broken."""
    file = tmp_path / "chat.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (text)")
        connection.execute("INSERT INTO notes VALUES ('a message')")
        restrict_file_mode(file)
        output = subprocess.check_output(
            [sys.executable, "-c", READ_DATABASE, str(file)], text=True
        )
        assert "a message" in output
        assert Path(f"{file}-wal").exists(), "the log is still in use"
