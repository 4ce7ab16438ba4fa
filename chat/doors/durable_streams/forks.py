"""Forks: streams that begin with the content of another one, up to a position of it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat.api.problems import Problem
from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.models import DurableStream
from chat.doors.durable_streams.reading import find_boundary
from chat.doors.durable_streams.requests import REPLIES, Fork, build_bad_request
from chat.doors.durable_streams.space import is_expired

MAX_DEPTH = 32
"""Forks of forks. A reader of the last one reads all of them."""


def resolve_fork(user: User, stream: DurableStream, fork: Fork) -> None:
    """Set the source and the position, and take from the source what the request left out. Raises
    Problem."""
    source = _find_source(user, fork.source_name)
    anchor = source.tail if fork.offset is None else fork.offset
    if anchor > source.tail:
        raise build_bad_request(_("The Stream-Fork-Offset is past the end of its source."))
    position = anchor + fork.sub_offset
    if fork.sub_offset and position > find_boundary(source, anchor):
        raise build_bad_request(_("The Stream-Fork-Sub-Offset is past the request that it cuts."))
    if source.depth >= MAX_DEPTH:
        text = _("A fork may have %(count)s forks above it. Copy the content instead.")
        raise build_bad_request(text % {"count": MAX_DEPTH})
    wanted, given = stream.content_type, source.content_type
    if wanted and protocol.get_media_type(wanted) != protocol.get_media_type(given):
        raise Problem(409, "other_type", _("The source has another Content-Type."))
    stream.source, stream.depth = source, source.depth + 1
    stream.anchor, stream.fork_position, stream.tail = anchor, position, position
    stream.content_type = wanted or given
    if stream.ttl_seconds is None and stream.expires_at is None:
        stream.ttl_seconds = source.ttl_seconds
        stream.expiry_text = source.expiry_text
        stream.expires_at = source.expires_at


def is_same_fork(known: DurableStream, fork: Fork | None) -> bool:
    """Whether a stream was created as this fork, or as none."""
    if fork is None or known.source is None:
        return fork is None and known.source_id is None
    return (
        known.source.name == fork.source_name
        and fork.offset in (None, known.anchor)
        and fork.sub_offset == known.fork_position - known.anchor
    )


def _find_source(user: User, name: str) -> DurableStream:
    if name.startswith(REPLIES):
        raise build_bad_request(_("A reply can’t be forked. Send another message to its chat."))
    source = DurableStream.objects.owned_by(user).filter(name=name).first()
    if source is not None and source.deleted_at is not None:
        raise Problem(409, "gone", _("The source was deleted."))
    if source is None or is_expired(source):
        raise Problem(404, "not_found", _("There is no such source, or it is not yours."))
    return source
