"""The response that streams an answer: from its start, or after a cursor."""

from __future__ import annotations

from accounts.models import User
from chat.doors.ai_sdk.encoder import UIMessageEncoder
from chat.doors.ai_sdk.errors import build_error
from chat.doors.ai_sdk.protocol import HEADERS, UIMessageStream
from chat.doors.ai_sdk.requests import Cursor
from chat.doors.errors import build_too_many
from chat.models import Message
from streaming.doors.answers import EncodedResponse
from streaming.follow import START_CURSOR, read_page
from streaming.models import Stream


def build_response(
    user: User, answer: Message, stream: Stream, cursor: Cursor | None = None
) -> EncodedResponse:
    """When this process ends, the body breaks off. A stock client takes a body that only ends for a
    complete answer, and a broken one for a lost connection, after which it can resume."""
    read = None
    if cursor is not None and cursor.stream == stream.uuid:
        read = read_parts(answer, stream, cursor.index)
    response = EncodedResponse(
        stream,
        user,
        UIMessageEncoder(stream, read or UIMessageStream(answer), continues=read is not None),
        refusal=build_error(build_too_many()),
        after=cursor.index if cursor is not None and read is not None else START_CURSOR,
        exact=True,
    )
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response


def read_parts(answer: Message, stream: Stream, index: int) -> UIMessageStream | None:
    """The parts as a client with this index has them. None if nobody can tell, because the cursor
    is past the end or the stream is folded, or if it has nothing; then it gets everything."""
    parts = UIMessageStream(answer)
    at = START_CURSOR
    while at < index:
        chunks, is_snapshot = read_page(stream, at)
        if is_snapshot or not chunks:
            return None
        for chunk in chunks:
            if chunk.first > index:
                break
            delta = chunk.delta
            if chunk.index > index:
                following, _ = read_page(stream, index)
                delta = delta[: following[0].offset - chunk.offset]
            list(parts.add_text(chunk.kind, delta, chunk.offset))
            at = chunk.index
    return parts if index > START_CURSOR else None


def has_read_all(stream: Stream, cursor: Cursor | None) -> bool:
    """Whether the client has the end of a stream, whose event has the index after the last one."""
    return (
        cursor is not None
        and cursor.stream == stream.uuid
        and stream.ended_at is not None
        and cursor.index == stream.next_index
    )
