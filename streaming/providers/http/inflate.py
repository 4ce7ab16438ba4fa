"""Decompresses an answer piece by piece, although it was requested uncompressed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

ENCODINGS = {"gzip", "x-gzip", "deflate"}
"""Those that the standard library can decompress."""
PIECE_BYTES = 64 * 1024
MAX_RATIO = 250
"""How many times larger than its compressed form an answer may be; deflate reaches 1032."""
FREE_BYTES = 1 << 20
"""Below this size any ratio is good."""
GZIP_MAGIC = b"\x1f\x8b"
MIN_DETECTION_BYTES = 6
PLAIN_START = re.compile(rb"(\xef\xbb\xbf)?\s*(data:|event|error|retry|id:|:|\{|\[|<)")
"""The beginning of a body that is not compressed."""
AUTO_WBITS, RAW_WBITS = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


class TooLarge(Exception):
    """A small answer that decompresses into a very large one."""


class Inflater:
    """Decompresses gzip and both kinds of deflate. A body that is not compressed at all passes as
    it is: some proxies decompress it and leave the header."""

    def __init__(self) -> None:
        self._object: zlib._Decompress | None = None
        self._is_plain = False
        self._held = b""
        self._received = self._produced = 0

    @property
    def is_complete(self) -> bool:
        return self._is_plain or self._object is None or self._object.eof

    def inflate_part(self, data: bytes) -> Iterator[bytes]:
        """The pieces that can be decompressed now. Raises zlib.error and TooLarge."""
        data = self._held + data
        if self._object is None and not self._is_plain:
            self._held = data if len(data) < MIN_DETECTION_BYTES else b""
            if self._held:
                return
            self._detect_format(data)
        if self._is_plain:
            yield data
            return
        self._received += len(data)
        while data:
            assert self._object is not None
            piece = self._object.decompress(data, PIECE_BYTES)
            yield from self._count_bytes(piece)
            while len(piece) == PIECE_BYTES:
                piece = self._object.decompress(self._object.unconsumed_tail, PIECE_BYTES)
                yield from self._count_bytes(piece)
            data = self._object.unused_data
            if data:  # some servers compress each event by itself
                self._object = zlib.decompressobj(AUTO_WBITS)

    def _detect_format(self, data: bytes) -> None:
        has_zlib_header = data[0] & 15 == 8 and not int.from_bytes(data[:2], "big") % 31
        if data.startswith(GZIP_MAGIC) or has_zlib_header:
            self._object = zlib.decompressobj(AUTO_WBITS)
            return
        self._is_plain = PLAIN_START.match(data) is not None
        if not self._is_plain:
            self._object = zlib.decompressobj(RAW_WBITS)

    def _count_bytes(self, piece: bytes) -> Iterator[bytes]:
        self._produced += len(piece)
        if self._produced > FREE_BYTES and self._produced > MAX_RATIO * self._received:
            raise TooLarge
        if piece:
            yield piece
