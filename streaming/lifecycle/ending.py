"""The end of a stream: its state, the rest of its text and what the application shows of it, in one
transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.db.utils import DataError

from streaming import journal
from streaming.database import CONNECTION_ERRORS
from streaming.events import Finish, SourceError
from streaming.journal import Append
from streaming.lifecycle.notifications import notify_ended
from streaming.models import State, Stream
from streaming.sentences import gettext_noop
from streaming.sources import get_handler
from streaming.storable_text import replace_unstorable

logger = logging.getLogger(__name__)

STOP_BATCH_SIZE = 100

INTERNAL_ERROR = gettext_noop("Something broke on this server.")
SERVER_STOPPED = gettext_noop("The server stopped before the text was complete.")
SOURCE_ENDED_EARLY = gettext_noop("The source ended before its text was complete.")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ends."""

    state: State
    finish_reason: str = ""
    error_class: str = ""
    error: str = ""
    error_detail: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    upstream_id: str = ""

    @classmethod
    def from_finish(cls, finish: Finish) -> Ending:
        return cls(
            State.COMPLETED,
            finish_reason=finish.reason,
            error_detail=finish.detail,
            usage=dict(finish.usage or {}),
            upstream_id=finish.upstream_id,
        )

    @classmethod
    def from_error(cls, error: SourceError) -> Ending:
        return cls(
            State.INTERRUPTED if error.interrupted else State.FAILED,
            error_class=error.code,
            error=error.message,
            error_detail=error.detail,
            usage=dict(error.usage or {}),
            upstream_id=error.upstream_id,
        )

    @classmethod
    def interrupted(cls, message: str) -> Ending:
        return cls(State.INTERRUPTED, error_class="interrupted", error=message)

    @classmethod
    def internal_error(cls) -> Ending:
        return cls(State.FAILED, error_class="internal", error=INTERNAL_ERROR)


STOPPED = Ending(State.STOPPED)


class TextNotStorable(Exception):
    """The database can't store the last text of a stream."""


class FinalizeFailed(Exception):
    """The application's `finalize` raised."""


def stop(stream_id: int) -> bool:
    """End a stream because a person wants it to end, in whatever state it is. False: it was over
    already.

    Its worker learns of it by a notification, by a rejected append, or by its poll every second.
    """
    with transaction.atomic():
        unfinished = Stream.objects.filter(id=stream_id).unfinished()
        if not _end_with_fallback(unfinished, stream_id, STOPPED):
            return False
        stream = Stream.objects.get(id=stream_id)
        transaction.on_commit(partial(notify_ended, stream))
    return True


def stop_streams_of_owner(owner_id: int) -> None:
    """Stop all streams of an owner who was deactivated, or is about to be deleted."""
    unfinished = Stream.objects.unfinished().filter(owner_id=owner_id)
    for stream_id in unfinished.order_by("id").values_list("id", flat=True):
        stop(stream_id)


def stop_streams_of_inactive_owners() -> None:
    """Stop streams of owners who were deactivated in any way, such as with SQL."""
    unfinished = Stream.objects.unfinished().filter(owner__is_active=False)
    for stream_id in unfinished.values_list("id", flat=True)[:STOP_BATCH_SIZE]:
        stop(stream_id)


def end(stream_id: int, epoch: int, ending: Ending, rest: Append | None = None) -> bool:
    """End a stream as the worker that holds this epoch, and write the rest of its text with it.

    False: it was stopped or taken over, and nothing was written.
    """
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return _end_with_fallback(mine, stream_id, ending, rest)


def _end_with_fallback(
    streams: Any, stream_id: int, ending: Ending, rest: Append | None = None
) -> bool:
    """If `finalize` fails, or the rest can't be stored, end the stream as failed; if that fails as
    well, without `finalize`: a bug of the application leaves no stream running."""
    broken = replace(Ending.internal_error(), usage=ending.usage, upstream_id=ending.upstream_id)
    for attempt, should_finalize in ((ending, True), (broken, True), (broken, False)):
        try:
            return _try_end(streams, stream_id, attempt, rest, should_finalize)
        except FinalizeFailed:
            logger.exception("Stream %s could not be finalized", stream_id)
        except TextNotStorable:
            logger.exception("Stream %s has text that can't be stored", stream_id)
            rest = None
    raise AssertionError("an ending without rest and finalize can't fail")


def _try_end(
    streams: Any, stream_id: int, ending: Ending, rest: Append | None, should_finalize: bool
) -> bool:
    with transaction.atomic():
        if rest and not _append_rest(rest):
            return False
        if not streams.update(**_ending_columns(ending), note="", ended_at=Now()):
            return False
        if should_finalize:
            _finalize_stream(stream_id)
        return True


def _append_rest(rest: Append) -> bool:
    try:
        return bool(journal.append([rest]))
    except (DataError, ValueError) as error:
        raise TextNotStorable from error


def _finalize_stream(stream_id: int) -> None:
    stream = Stream.objects.get(id=stream_id)
    try:
        get_handler(stream.source).finalize(stream)
    except CONNECTION_ERRORS:
        raise  # the database's failure, not the application's: the caller tries again
    except Exception as error:
        raise FinalizeFailed from error


def _ending_columns(ending: Ending) -> dict[str, Any]:
    """Values of a source must not keep a stream from ending, so they are made to fit."""
    return {
        "state": ending.state,
        "finish_reason": replace_unstorable(ending.finish_reason)[:30],
        "error_class": replace_unstorable(ending.error_class)[:50],
        "error": replace_unstorable(ending.error),
        "error_detail": replace_unstorable(ending.error_detail),
        "usage": {name: count for name, count in ending.usage.items() if isinstance(count, int)},
        "upstream_id": replace_unstorable(ending.upstream_id)[:200],
    }
