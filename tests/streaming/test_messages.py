"""Messages between processes: the next and the previous version read those of this one."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID

import pytest

from streaming.hub import build_stream_notification
from streaming.hub.messages import (
    CHUNK_COLUMNS,
    HEAD_FIELDS,
    VERSION,
    Notification,
    decode_chunks,
    decode_head,
    is_readable,
)
from streaming.journal import Append, Chunk, StreamHead
from streaming.models import Kind, State

ANY_UUID = UUID("9b2e1f6c-0b1a-4d5e-8f90-123456789abc")
HEAD = StreamHead(7, 2, State.FAILED, "", 3, "", "timeout", "It took too long.", False)
CHUNKS = [Chunk(0, 0, Kind.REASONING, "hm", 0), Chunk(1, 1, Kind.TEXT, "tide", 0)]


def build_notification(
    *streams: tuple[int, list[Chunk]], head: StreamHead | None = None
) -> Notification:
    entries = [Append(id, ANY_UUID, 1, tuple(chunks)) for id, chunks in streams]
    return build_stream_notification(entries, head)


def test_chunks_and_head_are_read_as_they_were_written() -> None:
    body = build_notification((7, CHUNKS), (8, CHUNKS[:1]), head=HEAD)
    assert list(decode_chunks(body, {7, 8})) == [(7, CHUNKS), (8, CHUNKS[:1])]
    assert decode_head(body) == HEAD


def test_chunks_of_streams_that_are_not_wanted_are_left_out() -> None:
    assert list(decode_chunks(build_notification((7, CHUNKS), (8, CHUNKS)), {8})) == [(8, CHUNKS)]


def test_the_version_before_finds_what_it_reads() -> None:
    """That version unpacks five columns and nine values by position, and reads nothing else."""
    body = build_notification((7, CHUNKS), head=HEAD)
    assert body["chunks"] == [[7, 7], [0, 1], [1, 0], ["hm", "tide"], [0, 0]]
    assert body["head"] == [7, 2, "failed", "", 3, "", "timeout", "It took too long.", False]


def test_messages_of_the_version_before_are_read() -> None:
    body = build_notification((7, CHUNKS), head=HEAD)
    old = {name: body[name] for name in ("chunks", "head")}
    assert list(decode_chunks(old, {7})) == [(7, CHUNKS)]
    assert decode_head(old) == HEAD


def test_names_of_a_later_version_are_ignored() -> None:
    body = build_notification((7, CHUNKS), head=HEAD)
    body["columns"] = ["author", *reversed(CHUNK_COLUMNS)]
    body["chunks"] = [["somebody"] * 2, *reversed(body["chunks"])]
    body["stream"] |= {"priority": 3}
    assert is_readable(body)
    assert list(decode_chunks(body, {7})) == [(7, CHUNKS)]
    assert decode_head(body) == HEAD


@pytest.mark.parametrize("version", [VERSION + 1, 99, "2.1", None])
def test_a_message_that_needs_a_later_reader_is_not_read(version: Any) -> None:
    assert not is_readable({"version": version})


def test_a_kind_of_a_later_version_is_passed_on_under_its_number() -> None:
    body = build_notification((7, CHUNKS))
    body["chunks"][2] = [7, 0]
    [(_, chunks)] = decode_chunks(body, {7})
    assert [chunk.kind for chunk in chunks] == ["7", "text"]
    assert build_notification((7, chunks))["chunks"] == body["chunks"]


def test_every_field_of_a_head_goes_over_the_wire() -> None:
    """A field that is added later is not in the form of version 1, which takes no further one."""
    assert HEAD.to_wire().keys() == {field.name for field in fields(StreamHead)}
    assert {*HEAD_FIELDS} <= HEAD.to_wire().keys()


@dataclass(frozen=True, slots=True)
class LaterHead(StreamHead):
    """The head of a later version, which has one column more."""

    cost: int = 7


LATER_HEAD = LaterHead(7, 2, State.FAILED, "", 3, "", "timeout", "It took too long.", False)


def test_a_later_version_reads_a_head_of_this_one() -> None:
    assert LaterHead.from_wire(HEAD.to_wire()) == LATER_HEAD


def test_this_version_reads_a_head_of_a_later_one() -> None:
    assert StreamHead.from_wire(LATER_HEAD.to_wire()) == HEAD


def test_a_later_head_reads_its_row_by_the_names_of_columns() -> None:
    row = {"folded_at": None, "cost": 9}
    values = [row.get(name, getattr(HEAD, name, None)) for name in LaterHead.columns()]
    assert LaterHead.from_row(values) == replace(LATER_HEAD, cost=9)
