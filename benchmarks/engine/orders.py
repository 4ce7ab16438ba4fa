"""The orders that prepare a deployment without its pages: they create signed-in users, streams and
journals, and measure its database."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.db.models import Count
from django.db.models.functions import Now

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from benchmarks.engine.chats import (
    create_conversations,
    create_folded_replies,
    create_responses,
    start_replies,
)
from benchmarks.engine.source import SOURCE
from benchmarks.tokens import TOKEN_CHARS, make_token
from streaming import journal
from streaming.journal import Append, Chunk
from streaming.models import KIND_NUMBERS, Kind, State, Stream, Worker

JOURNAL = 'COPY streaming_streamchunk (stream_id, "index", kind, delta, "offset") FROM STDIN'
BACKEND = "django.contrib.auth.backends.ModelBackend"


def create_users(count: int) -> list[list[Any]]:
    """Create users. Return their ids, the keys of their sessions, and tokens for the gateway."""
    users = [User(email=f"{uuid4().hex}@holdfast.test", password="!") for _ in range(count)]
    return [
        [user.pk, _create_session(user), create_token(user, "Program", [Scope.GATEWAY], None)[1]]
        for user in User.objects.bulk_create(users)
    ]


def _create_session(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def queue_streams(owners: list[int], arguments: list[dict[str, Any]]) -> list[str]:
    """Queue streams, one for each owner and arguments; workers find them within a second."""
    return [str(stream.uuid) for stream in _create_streams(owners, arguments)]


def queue_responses(owners: list[int], arguments: list[dict[str, Any]]) -> list[str]:
    """The same for streams that are read through the gateway. The place of each in a conversation
    is only a name there: its source is the benchmark's."""
    with transaction.atomic():
        streams = _create_streams(owners, arguments)
        create_responses(streams)
    return [str(stream.uuid) for stream in streams]


def _create_streams(
    owners: list[int], arguments: list[dict[str, Any]], **fields: Any
) -> list[Stream]:
    return Stream.objects.bulk_create(
        Stream(owner_id=owner, request_id=uuid4(), source=SOURCE, arguments=each, **fields)
        for owner, each in zip(owners, arguments, strict=True)
    )


def create_journals(owners: list[int], chunks: int, ended: bool = False) -> list[str]:
    """Create streams with a number of chunks of one token each: ended, or of a worker that never
    returns."""
    lease = Now() + timedelta(days=1)
    worker = Worker.objects.create(name="of the benchmark", lease_until=lease, draining=True)
    fields: dict[str, Any] = {
        "state": State.RUNNING,
        "worker": worker,
        "epoch": 1,
        "next_index": chunks,
        "length": chunks * TOKEN_CHARS,
    }
    if ended:
        fields |= {"state": State.COMPLETED, "ended_at": Now(), "worker": None}
    created = _create_streams(owners, [{}] * len(owners), **fields)
    with connection.cursor() as cursor, cursor.copy(JOURNAL) as copy:
        for stream in created:
            for n in range(chunks):
                copy.write_row(
                    (stream.pk, n, KIND_NUMBERS[Kind.TEXT], make_token(n), n * TOKEN_CHARS)
                )
    _vacuum()
    return [str(stream.uuid) for stream in created]


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE streaming_streamchunk")


def count_unfinished() -> dict[str, int]:
    """Count the streams of a finite source that have not ended, by state and note."""
    streams = Stream.objects.unfinished().exclude(arguments={})
    counts = streams.values_list("state", "note").annotate(Count("id"))
    return {f"{state} {note}".strip(): count for state, note, count in counts}


def measure_journal() -> list[int]:
    """Return the bytes of the journal with its index, and of the text in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('streaming_streamchunk'), "
            "coalesce(sum(octet_length(delta)), 0) FROM streaming_streamchunk"
        )
        return [int(value) for value in cursor.fetchone()]


def measure_appends(streams: int, seconds: float) -> list[float]:
    """Append one token to each of these streams in a commit, repeatedly. Return rows a second, and
    microseconds of this process's CPU for a row."""
    names = create_journals([owner for owner, *_ in create_users(1)] * streams, 0)
    ids = dict(Stream.objects.filter(uuid__in=names).values_list("id", "uuid"))
    began, cpu, index = time.monotonic(), time.process_time(), 0
    while time.monotonic() < began + seconds:
        chunk = Chunk(index, index, Kind.TEXT, make_token(index), index * TOKEN_CHARS)
        entries = [Append(id_, uuid, 1, (chunk,)) for id_, uuid in ids.items()]
        assert len(journal.append(entries)) == streams
        index += 1
    rows = streams * index
    spent = 1e6 * (time.process_time() - cpu) / rows
    rate = rows / (time.monotonic() - began)
    Stream.objects.filter(id__in=ids).update(state=State.COMPLETED, ended_at=Now())
    _vacuum()  # otherwise PostgreSQL does so by itself during another measurement
    return [rate, spent, rows]


ORDERS = {
    order.__name__: order
    for order in (
        measure_appends,
        create_conversations,
        create_folded_replies,
        create_journals,
        create_users,
        start_replies,
        measure_journal,
        queue_responses,
        queue_streams,
        count_unfinished,
    )
}
