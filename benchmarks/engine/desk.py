"""What can be ordered of a deployment, past its pages: people who are signed in, streams that run,
journals that are there already, and what its database has to tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User
from benchmarks.engine.source import SOURCE
from benchmarks.tokens import WIDTH, token
from streaming import lifecycle
from streaming.models import Kind, State, Stream, Worker

JOURNAL = 'COPY streaming_streamchunk (stream_id, "index", kind, delta, "offset") FROM STDIN'
BACKEND = "django.contrib.auth.backends.ModelBackend"


def people(count: int) -> list[list[Any]]:
    """So many new people: their ids, and the keys of their sessions."""
    made = [User(email=f"{uuid4().hex}@holdfast.test", password="!") for _ in range(count)]
    return [[user.pk, _session(user)] for user in User.objects.bulk_create(made)]


def _session(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def streams(owners: list[int], arguments: list[dict[str, Any]]) -> list[str]:
    """Queued streams, one for each owner and arguments; workers find them within a second."""
    return [str(stream.uuid) for stream in _made(owners, arguments)]


def _made(owners: list[int], arguments: list[dict[str, Any]], **fields: Any) -> list[Stream]:
    return Stream.objects.bulk_create(
        Stream(owner_id=owner, request_id=uuid4(), source=SOURCE, arguments=asked, **fields)
        for owner, asked in zip(owners, arguments, strict=True)
    )


def journals(owners: list[int], chunks: int) -> list[str]:
    """Running streams with so many chunks of a token each, of a worker that never comes."""
    lease = Now() + timedelta(days=1)
    worker = Worker.objects.create(name="of the benchmark", lease_until=lease)
    fields: dict[str, Any] = {
        "state": State.RUNNING,
        "worker": worker,
        "epoch": 1,
        "next_index": chunks,
        "length": chunks * WIDTH,
    }
    made = _made(owners, [{}] * len(owners), **fields)
    with connection.cursor() as cursor, cursor.copy(JOURNAL) as copy:
        for stream in made:
            for n in range(chunks):
                copy.write_row((stream.pk, n, Kind.TEXT.value, token(n), n * WIDTH))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE streaming_streamchunk")
    return [str(stream.uuid) for stream in made]


def unfinished() -> int:
    """How many streams of a source that ends by itself have not ended."""
    return Stream.objects.unfinished().exclude(arguments={}).count()


def stop_all() -> int:
    """End what runs; how many that were."""
    ids = Stream.objects.unfinished().values_list("id", flat=True)
    return sum(lifecycle.stop(id_) for id_ in ids)


def stored() -> list[int]:
    """Bytes of the journal with its index, live rows in it, and bytes of their text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('streaming_streamchunk'), count(*), "
            "coalesce(sum(octet_length(delta)), 0) FROM streaming_streamchunk"
        )
        return [int(value) for value in cursor.fetchone()]


def versions() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return {"postgresql": cursor.fetchone()[0].split()[0]}


ORDERS = {
    f.__name__: f for f in (people, streams, journals, unfinished, stop_all, stored, versions)
}
