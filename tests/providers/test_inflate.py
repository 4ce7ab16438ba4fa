"""Compressed answers are read piece by piece, and bounded."""

import gzip
import zlib

import pytest

from streaming.providers import errors
from streaming.providers.http.inflate import Inflater, TooLarge
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request
from tests.providers.factories import collect_until_error
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

EVENTS = [f'data: {{"kelp": {number}}}\n\n'.encode() for number in range(50)]
BODY = b"".join(EVENTS)


def compress_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(BODY),
        zlib.compress(BODY),
        compress_raw(BODY),
        b"".join(map(gzip.compress, EVENTS)),
        BODY,
    ],
    ids=["gzip", "zlib", "raw deflate", "gzip for each event", "not compressed"],
)
def test_any_split_of_a_compressed_body_gives_the_same_bytes(packed: bytes) -> None:
    for size in (1, 2, 3, 100, len(packed)):
        inflater = Inflater()
        parts = [packed[at : at + size] for at in range(0, len(packed), size)]
        pieces = [piece for part in parts for piece in inflater.inflate_part(part)]
        assert (size, b"".join(pieces)) == (size, BODY)
        assert inflater.is_complete


def test_an_event_is_there_when_it_was_flushed() -> None:
    packer, inflater = zlib.compressobj(wbits=zlib.MAX_WBITS | 16), Inflater()
    for event in EVENTS:
        part = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(inflater.inflate_part(part)) == event
    assert not inflater.is_complete


def test_a_bomb_of_small_events_is_refused() -> None:
    pieces: list[bytes] = []
    with pytest.raises(TooLarge):
        pieces.extend(Inflater().inflate_part(gzip.compress(b": a\n\n" * 1_000_000)))
    assert sum(map(len, pieces)) < 2 << 20


async def test_an_answer_that_breaks_in_the_middle_of_its_compression_is_unreadable(
    fake: Fake,
) -> None:
    broken = gzip.compress(BODY)[:60] + b"\xff" * 100
    fake.script(Behaviour(extra=broken, headers={"content-encoding": "gzip"}))
    _, error = await collect_until_error(
        get_adapter("ollama", base_url=fake.openai), Request("m", ())
    )
    assert error is not None
    assert "could not be read" in error.message


async def test_a_document_has_a_limit_too(fake: Fake) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, {"choices": [], "padding": "x" * 9_000_000})))
    _, error = await collect_until_error(
        get_adapter("ollama", base_url=fake.openai), Request("m", ())
    )
    assert error is not None
    assert error.message == errors.EVENT_TOO_LARGE
