"""Small chunks of a body are read at a limited pace, and the event loop has other turns between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet import task
from twisted.web import http

from config import chunk_limits, daphne_chunks
from config.chunk_limits import (
    BYTES_PER_CHUNK,
    FREE_SMALL_CHUNKS,
    MAX_SMALL_CHUNKS,
    PIECE_BYTES,
    SMALL_CHUNKS_PER_SECOND,
    ChunkCounter,
)
from config.daphne_chunks import PacedChunkDecoder

SMALL_CHUNK = b"1\r\nx\r\n"
MOST_AT_ONCE = PIECE_BYTES // len(SMALL_CHUNK) + 1


@pytest.fixture(autouse=True)
def nothing_to_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_limits._Pace, "paid_at", 0.0)
    monkeypatch.setattr(chunk_limits, "time", SimpleNamespace(monotonic=lambda: 100.0))


def add_small(counter: ChunkCounter, count: int) -> None:
    for _ in range(count):
        assert counter.add(0)


def test_bodies_with_small_chunks_wait_one_after_the_other_and_others_do_not() -> None:
    first, second, large, short = (ChunkCounter() for _ in range(4))
    for counter in (first, second):
        add_small(counter, FREE_SMALL_CHUNKS + 200)
    add_small(short, FREE_SMALL_CHUNKS)
    for _ in range(10_000):
        assert large.add(BYTES_PER_CHUNK)
    waits = [counter.pay() for counter in (first, second, large, short, first)]
    one = 200 / SMALL_CHUNKS_PER_SECOND
    assert waits == pytest.approx([one, 2 * one, 0, 0, 0])


def test_a_body_may_have_so_many_small_chunks() -> None:
    counter = ChunkCounter()
    add_small(counter, MAX_SMALL_CHUNKS)
    assert not counter.add(0)


def test_daphne_decodes_a_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pauses = task.Clock(), []
    got: list[bytes] = []
    ended: list[bytes] = []
    monkeypatch.setattr(daphne_chunks, "reactor", clock)
    producer = SimpleNamespace(pauseProducing=lambda: pauses.append(1))
    channel: Any = SimpleNamespace(_networkProducer=producer)
    decoder = PacedChunkDecoder(channel, http._ChunkedTransferDecoder(got.append, ended.append))
    channel.go_on_with_body = lambda: decoder.dataReceived(b"")
    decoder.dataReceived(SMALL_CHUNK * 3_000 + b"0\r\n\r\nGET")
    assert pauses
    while not ended:
        assert len(clock.getDelayedCalls()) == 1
        clock.advance(1)
    assert b"".join(got) == b"x" * 3_000
    assert max(map(len, got)) <= MOST_AT_ONCE
    assert ended == [b"GET"]
    assert not clock.getDelayedCalls()
