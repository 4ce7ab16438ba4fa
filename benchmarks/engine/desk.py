"""The orders that a deployment takes without its pages: signed-in people, running streams, existing
journals, and measurements of its database."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now

from accounts.models import User
from benchmarks.engine.chats import conversations, folded, replies
from benchmarks.engine.source import SOURCE
from benchmarks.tokens import WIDTH, token
from streaming import journal
from streaming.journal import Append, Chunk
from streaming.models import Kind, State, Stream, Worker, kind_to_number

JOURNAL = 'COPY streaming_streamchunk (stream_id, "index", kind, delta, "offset") FROM STDIN'
BACKEND = "django.contrib.auth.backends.ModelBackend"


def people(count: int) -> list[list[Any]]:
    """Create people. Return their ids, and the keys of their sessions."""
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
    """Queue streams, one for each owner and arguments; workers find them within a second."""
    return [str(stream.uuid) for stream in _made(owners, arguments)]


def _made(owners: list[int], arguments: list[dict[str, Any]], **fields: Any) -> list[Stream]:
    return Stream.objects.bulk_create(
        Stream(owner_id=owner, request_id=uuid4(), source=SOURCE, arguments=asked, **fields)
        for owner, asked in zip(owners, arguments, strict=True)
    )


def journals(owners: list[int], chunks: int, ended: bool = False) -> list[str]:
    """Create streams with a number of chunks of one token each: ended, or of a worker that never
    returns."""
    lease = Now() + timedelta(days=1)
    worker = Worker.objects.create(name="of the benchmark", lease_until=lease, draining=True)
    fields: dict[str, Any] = {
        "state": State.RUNNING,
        "worker": worker,
        "epoch": 1,
        "next_index": chunks,
        "length": chunks * WIDTH,
    }
    if ended:
        fields |= {"state": State.COMPLETED, "ended_at": Now(), "worker": None}
    made = _made(owners, [{}] * len(owners), **fields)
    with connection.cursor() as cursor, cursor.copy(JOURNAL) as copy:
        for stream in made:
            for n in range(chunks):
                copy.write_row((stream.pk, n, kind_to_number(Kind.TEXT), token(n), n * WIDTH))
    _tidy()
    return [str(stream.uuid) for stream in made]


def _tidy() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE streaming_streamchunk")


def unfinished() -> dict[str, int]:
    """Count the streams of a finite source that have not ended, by state and note."""
    streams = Stream.objects.unfinished().exclude(arguments={})
    counts = streams.values_list("state", "note").annotate(Count("id"))
    return {f"{state} {note}".strip(): count for state, note, count in counts}


def stored() -> list[int]:
    """Return the bytes of the journal with its index, and of the text in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('streaming_streamchunk'), "
            "coalesce(sum(octet_length(delta)), 0) FROM streaming_streamchunk"
        )
        return [int(value) for value in cursor.fetchone()]


def append(streams: int, seconds: float) -> list[float]:
    """Append one token to each of these streams in a commit, repeatedly. Return rows a second, and
    microseconds of this process's CPU for a row."""
    names = journals([owner for owner, _ in people(1)] * streams, 0)
    ids = dict(Stream.objects.filter(uuid__in=names).values_list("id", "uuid"))
    began, cpu, index = time.monotonic(), time.process_time(), 0
    while time.monotonic() < began + seconds:
        chunk = Chunk(index, index, Kind.TEXT, token(index), index * WIDTH)
        entries = [Append(id_, uuid, 1, (chunk,)) for id_, uuid in ids.items()]
        assert len(journal.append(entries)) == streams
        index += 1
    rows = streams * index
    spent = 1e6 * (time.process_time() - cpu) / rows
    rate = rows / (time.monotonic() - began)
    Stream.objects.filter(id__in=ids).update(state=State.COMPLETED, ended_at=Now())
    _tidy()  # otherwise PostgreSQL does so by itself during another measurement
    return [rate, spent, rows]


ORDERS = {
    order.__name__: order
    for order in (
        append,
        conversations,
        folded,
        journals,
        people,
        replies,
        stored,
        streams,
        unfinished,
    )
}
