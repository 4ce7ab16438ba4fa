"""SQLite overwrites what is deleted: after a checkpoint no byte of it is in the files."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITE_AND_DELETE = """
import django, sys, uuid
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
from accounts.models import ApiKey, User
from django.utils import timezone
from streaming.models import Stream, StreamChunk
text = sys.argv[1]
user = User.objects.create_user("owner@holdfast.test")
key = ApiKey.objects.create(
    user=user, provider="openai", sealed=text.encode(), last_four="", created_at=timezone.now()
)
arguments = {"system_prompt": text * 20}
stream = Stream.objects.create(
    owner=user, source="chat", request_id=uuid.uuid4(), arguments=arguments
)
StreamChunk.objects.bulk_create(
    StreamChunk(stream=stream, index=n, kind=0, delta=text * 50, offset=0) for n in range(100)
)
def checkpoint():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert cursor.fetchone()[0] == 0
checkpoint()
print("stored", open(sys.argv[2], "rb").read().count(text.encode()) > 100)
key.delete()
StreamChunk.objects.all().delete()
stream.delete()
checkpoint()
with connection.cursor() as cursor:
    cursor.execute("PRAGMA secure_delete")
    print("secure_delete", cursor.fetchone()[0])
for end in ("", "-wal", "-shm"):
    print(end, text.encode() in open(sys.argv[2] + end, "rb").read())
"""


@pytest.mark.timeout(60)
def test_deleted_keys_and_chunks_are_gone_from_the_files(tmp_path: Path) -> None:
    file = tmp_path / "chat.sqlite3"
    text = f"canary-{secrets.token_hex(12)}"
    result = subprocess.run(
        [sys.executable, "-c", WRITE_AND_DELETE, text, str(file)],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": f"sqlite:///{file}", "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = ["stored True", "secure_delete 1", " False", "-wal False", "-shm False"]
    assert result.stdout.splitlines() == lines
