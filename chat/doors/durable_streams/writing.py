"""Creates, extends, closes and deletes streams, each in one transaction. Readers are notified after
the commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat.api.problems import Problem, build_not_found
from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.forks import is_same_fork, resolve_fork
from chat.doors.durable_streams.live import notify_readers
from chat.doors.durable_streams.models import DurableRecord, DurableSpace, DurableStream
from chat.doors.durable_streams.producers import Verdict, check_producer, remember_producer
from chat.doors.durable_streams.requests import Addition, Creation, build_bad_request
from chat.doors.durable_streams.space import (
    ROW_BYTES,
    STREAM_BYTES,
    charge,
    compute_expiry,
    count_stream,
    is_expired,
    is_gone,
    lock_space,
    remove,
)


@dataclass(frozen=True, slots=True)
class Written:
    """`is_new` says whether the request changed anything. `last_sequence` is the last one of its
    producer."""

    stream: DurableStream
    is_new: bool
    last_sequence: int | None = None


@contextmanager
def change_stream(user: User, name: str) -> Iterator[tuple[DurableSpace, DurableStream]]:
    """Change a stream of this person in a transaction. Raises Problem if there is none."""
    with transaction.atomic():
        space = lock_space(user)
        yield space, find_stream(user, name)


def find_stream(user: User, name: str) -> DurableStream:
    stream = DurableStream.objects.owned_by(user).filter(name=name).first()
    if stream is None:
        raise build_not_found()
    if stream.deleted_at is not None or (is_expired(stream) and stream.forks.exists()):
        raise Problem(410, "gone", _("This stream was deleted. Only its forks have its content."))
    if is_expired(stream):
        raise build_not_found()
    return stream


def create(user: User, name: str, creation: Creation) -> Written:
    with transaction.atomic():
        space = lock_space(user)
        known = DurableStream.objects.owned_by(user).filter(name=name).first()
        if known is not None and is_expired(known):
            remove(space, known)
            known = DurableStream.objects.filter(pk=known.pk).first()
        if known is not None:
            _check_same(known, creation)
            return Written(known, is_new=False)
        stream = _build_stream(user, name, creation)
        count_stream(space)
        stream.save()
        charge(space, stream, STREAM_BYTES)
        _append_body(space, stream, creation.body, may_be_empty=True)
        if creation.closes:
            stream.closed_at = timezone.now()
        stream.save()
        return Written(stream, is_new=True)


def append(user: User, name: str, addition: Addition) -> Written:
    with change_stream(user, name) as (space, stream):
        producer = addition.producer
        if stream.is_closed:
            return _answer_closed(stream, addition)
        if addition.body and _differs(stream.content_type, addition.content_type):
            raise Problem(409, "other_type", _("The stream has another Content-Type."))
        if producer is not None:
            state = check_producer(stream, producer)
            if state.verdict is Verdict.REPEATED:
                return Written(stream, is_new=False, last_sequence=state.last_sequence)
        if addition.sequence:
            _check_sequence(stream, addition.sequence)
            stream.last_sequence = addition.sequence
        if addition.body:
            _append_body(space, stream, addition.body, may_be_empty=False)
        if producer is not None and remember_producer(stream, producer):
            charge(space, stream, ROW_BYTES + len(producer.id))
        if addition.closes:
            stream.closed_at = timezone.now()
            stream.closed_by = producer.id if producer else ""
        if stream.ttl_seconds is not None:
            stream.expires_at = compute_expiry(stream.ttl_seconds)
        stream.save()
        transaction.on_commit(lambda: notify_readers(stream))
        return Written(stream, is_new=True, last_sequence=producer.sequence if producer else None)


def delete(user: User, name: str) -> None:
    with change_stream(user, name) as (space, stream):
        remove(space, stream)
        transaction.on_commit(lambda: notify_readers(stream))


def _build_stream(user: User, name: str, creation: Creation) -> DurableStream:
    stream = DurableStream(
        owner=user,
        name=name,
        content_type=creation.content_type,
        ttl_seconds=creation.ttl_seconds,
        expiry_text=creation.expiry_text,
        expires_at=creation.expires_at,
    )
    if creation.fork is not None:
        resolve_fork(user, stream, creation.fork)
    if stream.ttl_seconds is not None:
        stream.expires_at = compute_expiry(stream.ttl_seconds)
    return stream


def _check_same(known: DurableStream, creation: Creation) -> None:
    """A creation that is sent again has no effect. One with other values is refused."""
    if is_gone(known):
        text = _("Forks still need the stream that had this name. Use another name.")
        raise Problem(409, "gone", text)
    if (
        not is_same_fork(known, creation.fork)
        or (creation.content_type and _differs(creation.content_type, known.content_type))
        or not _has_same_life(known, creation)
        or creation.closes != known.is_closed
    ):
        raise Problem(409, "exists", _("There is a stream of this name with other values."))


def _has_same_life(known: DurableStream, creation: Creation) -> bool:
    """A fork that names no expiry has that of its source."""
    if creation.ttl_seconds is None and creation.expires_at is None and known.source_id is not None:
        return True
    if creation.ttl_seconds is not None or known.ttl_seconds is not None:
        return creation.ttl_seconds == known.ttl_seconds
    return creation.expires_at == known.expires_at


def _answer_closed(stream: DurableStream, addition: Addition) -> Written:
    """A close that is sent again has no effect. Everything else is refused."""
    producer = addition.producer
    if producer is not None and producer.id == stream.closed_by:
        state = check_producer(stream, producer)
        if state.verdict is Verdict.REPEATED and state.last_sequence == producer.sequence:
            return Written(stream, is_new=False, last_sequence=producer.sequence)
    if producer is None and not addition.body:
        return Written(stream, is_new=False)
    headers = {
        protocol.CLOSED: "true",
        protocol.NEXT_OFFSET: protocol.encode_offset(stream.tail),
    }
    raise Problem(409, "closed", _("The stream is closed."), headers=headers)


def _check_sequence(stream: DurableStream, sequence: str) -> None:
    """Bytes are compared, as the protocol says, for the whole stream."""
    if stream.last_sequence and sequence.encode() <= stream.last_sequence.encode():
        raise Problem(409, "old_sequence", _("The Stream-Seq is not after the last one."))


def _differs(one: str, other: str) -> bool:
    return protocol.get_media_type(one) != protocol.get_media_type(other)


def _append_body(
    space: DurableSpace, stream: DurableStream, body: bytes, *, may_be_empty: bool
) -> None:
    if not body:
        return
    data, count = body, len(body)
    if protocol.is_json(stream.content_type):
        try:
            messages = protocol.split_json(body)
        except protocol.NotJson:
            raise build_bad_request(_("The body is no JSON that can be stored.")) from None
        if not messages and not may_be_empty:
            raise build_bad_request(_("The body has no message."))
        data, count = protocol.SEPARATOR.join(messages), len(messages)
    if not count:
        return
    if stream.tail + count > protocol.MAX_POSITION:
        raise Problem(413, "too_large", _("The stream is full."))
    charge(space, stream, len(data) + ROW_BYTES)
    stream.tail += count
    DurableRecord(stream=stream, end=stream.tail, data=data).save(force_insert=True)
