"""The cuts of a folded stream: where its text was divided into chunks.

Folding deletes the chunks of a stream, because the application holds its text. With the cuts the
very same chunks can be built of that text again. A chunk that is not plain text, or that does not
continue the one before it, is kept whole.

The packed form is a byte with its version, a checksum of the text, the lengths of content and
reasoning, and a compressed part. That has the whole chunks, the text if the application has it in
another form, and then a code of one byte for each chunk. Tokens mostly end where a word or a mark
ends, so a chunk that does has the number of these PIECES as its code; others have their length.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from itertools import islice
from operator import length_hint
from typing import NamedTuple

from streaming.events import StreamText
from streaming.journal.chunks import Chunk
from streaming.models import Kind

VERSION = 1
CHECKSUM_BYTES = 4
RAW_DEFLATE = -zlib.MAX_WBITS
"""Without the header and the checksum of zlib."""

PIECE = re.compile(
    r" ?(?:[A-Za-z\u0080-\U0010FFFF]{1,32}|[0-9]{1,3}|[^A-Za-z0-9 \u0080-\U0010FFFF]{1,32})"
    r"| {1,32}"
)
"""A word, number, mark or space: roughly a token. It names all its characters, because a class such
as `\\w` changes with the version of Unicode, and stored cuts have to stay valid. It is bounded,
because it is sought from each chunk on."""

PIECES, LONG = 192, 246
"""A code below PIECES is a length; from PIECES on, the first of which is one, a number of pieces.
After LONG, the length follows as a number of several bytes."""
TEXT, REASONING = 247, 248
"""The next chunks are of this kind. The first ones are text."""
SEAM, WHOLE = 249, 250
"""A seam; the next one of the whole chunks."""

SEAM_KIND = str(Kind.SEAM)
TEXT_KINDS = {TEXT: str(Kind.TEXT), REASONING: str(Kind.REASONING)}
KIND_CODES = {kind: code for code, kind in TEXT_KINDS.items()}

WholeChunk = tuple[int, int, str, str, int]

CHUNKS_PER_POINT = 1_024


class ResumePoint(NamedTuple):
    """A point from which chunks can be built without those before it."""

    next_index: int = 0
    codes: int = 0
    """The bytes of codes before it."""
    kind: str = TEXT_KINDS[TEXT]
    content: int = 0
    reasoning: int = 0
    whole: int = 0
    """The whole chunks before it."""


START = ResumePoint()


class UnusableCuts(Exception):
    """The application's text is not the one that was cut, or a newer version wrote the cuts."""


# Packing


def pack_chunks(chunks: Sequence[Chunk], *, keeps_text: bool = False) -> bytes:
    """Pack the cuts of all chunks of a stream. With `keeps_text` the text is packed too, for an
    application that holds it in another form."""
    texts = {kind: "".join(c.delta for c in chunks if c.kind == kind) for kind in KIND_CODES}
    cuts, whole = _cut(chunks, texts)
    content, reasoning = texts.values()
    kept = b""
    if whole or keeps_text:
        text = (content, reasoning) if keeps_text else None
        kept = json.dumps([whole, text], separators=(",", ":")).encode()
    packed = bytearray([VERSION, *_compute_checksum(content, reasoning)])
    _append_number(packed, len(content))
    _append_number(packed, len(reasoning))
    plain = bytearray()
    _append_number(plain, len(kept))
    return bytes(packed + _compress(plain + kept + cuts))


def _cut(chunks: Iterable[Chunk], texts: Mapping[str, str]) -> tuple[bytearray, list[WholeChunk]]:
    cuts, whole = bytearray(), []
    kind, next_index, ends = TEXT_KINDS[TEXT], 0, dict.fromkeys(texts, 0)
    for chunk in chunks:
        is_next = chunk.first == chunk.index == next_index
        next_index = chunk.index + 1
        if is_next and _is_plain_seam(chunk, ends):
            cuts.append(SEAM)
        elif is_next and ends.get(chunk.kind) == chunk.offset:
            if chunk.kind != kind:
                kind = chunk.kind
                cuts.append(KIND_CODES[kind])
            _append_cut(cuts, texts[kind], chunk.offset, chunk.offset + len(chunk.delta))
        else:
            cuts.append(WHOLE)
            whole.append(astuple(chunk))
        if chunk.kind in ends:
            ends[chunk.kind] += len(chunk.delta)
    return cuts, whole


def _is_plain_seam(chunk: Chunk, ends: Mapping[str, int]) -> bool:
    return chunk.kind == Kind.SEAM and not chunk.delta and chunk.offset == ends[Kind.TEXT]


def _append_cut(cuts: bytearray, text: str, start: int, end: int) -> None:
    if code := _count_pieces(text, start, end):
        cuts.append(code)
    elif end - start < PIECES:
        cuts.append(end - start)
    else:
        cuts.append(LONG)
        _append_number(cuts, end - start)


def _count_pieces(text: str, start: int, end: int) -> int | None:
    """As a code; None if the chunk ends within a piece, is empty, or has too many of them."""
    for code in range(PIECES, LONG):
        if start >= end:
            return None
        start = _end_piece(text, start)
        if start == end:
            return code
    return None


def _end_piece(text: str, start: int) -> int:
    piece = PIECE.match(text, start)
    assert piece, "every character belongs to a piece"
    return piece.end()


def _compute_checksum(content: str, reasoning: str) -> bytes:
    first, second = (text.encode(errors="surrogatepass") for text in (content, reasoning))
    return zlib.crc32(second, zlib.crc32(first)).to_bytes(CHECKSUM_BYTES)


def _compress(plain: bytearray) -> bytes:
    """The cuts of tokens hardly repeat in the same order. A search for repetitions then makes them
    longer."""
    return min(
        _deflate(plain, zlib.Z_DEFAULT_STRATEGY), _deflate(plain, zlib.Z_HUFFMAN_ONLY), key=len
    )


def _deflate(plain: bytearray, strategy: int) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, RAW_DEFLATE, 9, strategy)
    return deflater.compress(plain) + deflater.flush()


def _append_number(to: bytearray, number: int) -> None:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    while number > 127:
        to.append(number & 127 | 128)
        number >>= 7
    to.append(number)


# Unpacking


def unpack_chunks(
    packed: bytes, held: StreamText, after: int = -1, points: dict[int, ResumePoint] | None = None
) -> Iterator[Chunk]:
    """The chunks after an index, built of the text that the application holds. That may be longer,
    because a later stream continued it. Raises UnusableCuts.

    `points` gets some of the points that this passes. Given again for the same stream, they save
    the work of building the chunks before them."""
    header = iter(packed)
    if (version := next(header)) != VERSION:
        raise UnusableCuts(f"version {version}")
    checksum = bytes(islice(header, CHECKSUM_BYTES))
    lengths = _read_number(header), _read_number(header)
    plain = zlib.decompress(bytes(header), RAW_DEFLATE)
    cuts = iter(plain)
    kept = bytes(islice(cuts, _read_number(cuts)))
    whole, text = json.loads(kept) if kept else ([], None)
    content, reasoning = text or (held.content[: lengths[0]], held.reasoning[: lengths[1]])
    if (len(content), len(reasoning)) != lengths:
        raise UnusableCuts("the text is shorter")
    if _compute_checksum(content, reasoning) != checksum:
        raise UnusableCuts("the text is another one")
    texts = {str(Kind.TEXT): content, str(Kind.REASONING): reasoning}
    points = {} if points is None else points
    point = points.get((after + 1) // CHUNKS_PER_POINT, START)
    if point.next_index > after + 1:
        point = START
    codes = plain[len(plain) - length_hint(cuts) :]
    chunks = _build_chunks(codes, whole, texts, point, points)
    return (chunk for chunk in chunks if chunk.index > after)


def _build_chunks(
    codes: bytes,
    whole: Sequence[WholeChunk],
    texts: Mapping[str, str],
    point: ResumePoint,
    points: dict[int, ResumePoint],
) -> Iterator[Chunk]:
    kind, index = point.kind, point.next_index
    ends = {str(Kind.TEXT): point.content, str(Kind.REASONING): point.reasoning}
    cuts, kept = iter(codes[point.codes :]), iter(whole[point.whole :])
    for code in cuts:
        if code in TEXT_KINDS:
            kind = TEXT_KINDS[code]
            continue
        if code == WHOLE:
            chunk = Chunk(*next(kept))
        elif code == SEAM:
            chunk = Chunk(index, index, SEAM_KIND, "", ends[Kind.TEXT])
        else:
            start = ends[kind]
            end = _find_end(texts[kind], start, code, cuts)
            chunk = Chunk(index, index, kind, texts[kind][start:end], start)
        if chunk.kind in ends:
            ends[chunk.kind] += len(chunk.delta)
        index = chunk.index + 1
        if index % CHUNKS_PER_POINT == 0:
            points[index // CHUNKS_PER_POINT] = ResumePoint(
                next_index=index,
                codes=len(codes) - length_hint(cuts),
                kind=kind,
                content=ends[Kind.TEXT],
                reasoning=ends[Kind.REASONING],
                whole=len(whole) - length_hint(kept),
            )
        yield chunk


def _find_end(text: str, start: int, code: int, cuts: Iterator[int]) -> int:
    if code < PIECES:
        return start + code
    if code == LONG:
        return start + _read_number(cuts)
    for _ in range(PIECES, code + 1):
        start = _end_piece(text, start)
    return start


def _read_number(octets: Iterator[int]) -> int:
    number = shift = 0
    while (octet := next(octets)) > 127:
        number |= (octet & 127) << shift
        shift += 7
    return number | octet << shift
