"""Reads streams: a page of content from any position, through the forks of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models.functions import Length

from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.models import DurableRecord, DurableStream

MAX_PAGE_BYTES = 2**20
"""After so many bytes a page ends with its record, which has up to MAX_APPEND_BYTES."""
MAX_PAGE_RECORDS = 4_000


@dataclass(frozen=True, slots=True)
class Page:
    """The content from one position to another. `ending` is empty for an open stream, or if there
    is more to read."""

    start: int
    next: int
    body: bytes
    is_up_to_date: bool
    ending: str = ""

    @property
    def is_empty(self) -> bool:
        return self.next == self.start


@dataclass(frozen=True, slots=True)
class Segment:
    """The positions of a stream that are read from the records of one row."""

    stream_id: int
    start: int
    stop: int


def read_page(stream: DurableStream, position: int, max_bytes: int = MAX_PAGE_BYTES) -> Page:
    """The stream must have been read just now, and the position must not be past its end."""
    json_mode = protocol.is_json(stream.content_type)
    pieces: list[bytes] = []
    at, size = position, 0
    for segment in _list_segments(stream, position):
        found = _read_records(segment, at, max_bytes - size)
        for end, data in found:
            first = end - protocol.count_units(data, json_mode=json_mode)
            stop = min(end, segment.stop)
            pieces.append(
                protocol.cut_units(data, max(at - first, 0), stop - first, json_mode=json_mode)
            )
            at, size = stop, size + len(data)
        if at < segment.stop:
            break
    is_up_to_date = at == stream.tail
    ending = protocol.CLOSED if is_up_to_date and stream.is_closed else ""
    body = protocol.join_pieces(pieces, json_mode=json_mode)
    return Page(position, at, body, is_up_to_date, ending)


def find_boundary(stream: DurableStream, position: int) -> int:
    """The end of the record with what follows a position; the position itself at the end."""
    for segment in _list_segments(stream, position):
        records = DurableRecord.objects.filter(stream_id=segment.stream_id, end__gt=position)
        end = records.order_by("end").values_list("end", flat=True).first()
        if position < segment.stop and end is not None:
            return min(end, segment.stop)
    return position


def _list_segments(stream: DurableStream, position: int) -> Iterator[Segment]:
    """From the first segment with something after the position to the stream's own."""
    segments: list[Segment] = []
    stop = stream.tail
    row: DurableStream | None = stream
    while row is not None:  # it might just have been deleted, with all of its forks
        start = row.fork_position if row.source_id is not None else 0
        segments.append(Segment(row.pk, start, stop))
        if row.source_id is None or position >= start:
            break
        stop = min(start, stop)
        row = DurableStream.objects.filter(pk=row.source_id).first()
    yield from reversed(segments)


def _read_records(segment: Segment, position: int, max_bytes: int) -> Sequence[tuple[int, bytes]]:
    """The ends and the content of the records after a position, as many as fit; at least one,
    unless there is no room at all."""
    if position >= segment.stop or max_bytes <= 0:
        return []
    records = DurableRecord.objects.filter(stream_id=segment.stream_id, end__gt=position)
    sizes = records.order_by("end").annotate(size=Length("data")).values_list("end", "size")
    last, total = position, 0
    for end, size in sizes[:MAX_PAGE_RECORDS]:
        if last >= segment.stop or (total and total + size > max_bytes):
            break
        last, total = end, total + size
    rows = records.filter(end__lte=last).order_by("end").values_list("end", "data")
    return [(end, bytes(data)) for end, data in rows]
