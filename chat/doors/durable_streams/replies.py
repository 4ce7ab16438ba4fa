"""The replies as streams of text that programs read. An offset is an index of the journal plus one,
so it stays the same whatever joins or folds chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from django.utils.translation import gettext_lazy as _

from chat.api.problems import Problem
from chat.doors.durable_streams.answers import ReadableStream
from chat.doors.durable_streams.reading import Page
from chat.doors.marks import remove_marks
from streaming.access import StreamNotFound
from streaming.follow import Ended, Snapshot, StateChanged, follow_stream, read_page
from streaming.journal import Chunk
from streaming.models import Kind, State, Stream

CONTENT_TYPE = "text/plain; charset=utf-8"


def build_readable(stream: Stream) -> ReadableStream:
    return ReadableStream(
        tag=f"reply-{stream.pk}",
        content_type=CONTENT_TYPE,
        tail=stream.next_index,
        ending=_get_ending(stream),
        follow=lambda position: follow_reply(stream, position),
    )


def check_position(stream: Stream, position: int | None) -> None:
    """Raises Problem for one in the middle of a folded reply whose chunks can't be built again."""
    if not position or _is_read_to_end(stream, position) or stream.folded_at is None:
        return
    if read_page(stream, position - 1)[1]:
        raise _build_folded()


def read_reply_page(stream: Stream, position: int) -> Page:
    if _is_read_to_end(stream, position):
        return _build_last_page(stream, position)
    try:
        chunks, is_whole = read_page(stream, position - 1)
    except StreamNotFound:
        raise Problem(404, "not_found", _("This reply was deleted.")) from None
    stream.refresh_from_db()
    if is_whole and position:
        raise _build_folded()
    following = chunks[-1].index + 1 if chunks else position
    is_up_to_date = following >= stream.next_index
    ending = _get_ending(stream) if is_up_to_date else ""
    return Page(position, following, _join_text(chunks), is_up_to_date, ending)


async def follow_reply(stream: Stream, position: int) -> AsyncGenerator[Page, None]:
    """Yield the text after a position as it is written, and last a page with the state of the
    reply. Raises StreamNotFound if it is deleted."""
    if _is_read_to_end(stream, position):
        yield _build_last_page(stream, position)
        return
    at, known = position, stream.next_index
    exact = stream.folded_at is not None
    while True:
        async with aclosing(follow_stream(stream, at - 1, exact=exact)) as events:
            async for event in events:
                match event:
                    case Chunk():
                        start, at = at, event.index + 1
                        yield Page(start, at, _join_text([event]), at >= known)
                    case Snapshot() if not exact:
                        break  # folded meanwhile: this reader continues with the very chunks
                    case Snapshot() if not at:
                        at = event.index + 1
                        yield Page(0, at, remove_marks(event.text).encode(), at >= known)
                    case Snapshot():
                        raise StreamNotFound
                    case StateChanged():
                        if at >= known:
                            yield Page(at, at, b"", is_up_to_date=True)
                    case Ended():
                        yield Page(at, at, b"", is_up_to_date=True, ending=event.state)
                        return
        exact = True


def _build_folded() -> Problem:
    text = _("This reply is kept as a whole now. Read it again from its start.")
    return Problem(410, "folded", text)


def _is_read_to_end(stream: Stream, position: int) -> bool:
    return State(stream.state).has_ended and position >= stream.next_index


def _build_last_page(stream: Stream, position: int) -> Page:
    return Page(position, position, b"", is_up_to_date=True, ending=_get_ending(stream))


def _get_ending(stream: Stream) -> str:
    return str(stream.state) if State(stream.state).has_ended else ""


def _join_text(chunks: Iterable[Chunk]) -> bytes:
    """The answer. Its reasoning and its seams are events of the other doors. Text that turned out
    to be reasoning stays, because a reader who came earlier has it, and offsets follow it."""
    text = "".join(chunk.delta for chunk in chunks if chunk.kind == Kind.TEXT)
    return remove_marks(text).encode()
