"""A reverse proxy that breaks event streams off after a number of bytes."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress

from tools.deployment.http_proxy import PIECE, Faults, HttpProxy, forward, read_head

EVENT_AND_CHUNK_END = b"\n\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class StreamCutter(HttpProxy):
    """Breaks off the body of each event stream after as many bytes as the next of `lengths` says.
    When they are used up, all goes through. `cut_count` says how many were broken off.

    Node takes a body that breaks off for complete if the head announced the end of the connection.
    So every other head does."""

    def __init__(self, target: int, lengths: Iterable[int]) -> None:
        super().__init__(target, Faults())
        self._lengths = iter(lengths)
        self._lock = threading.Lock()
        self.cut_count = 0

    def _forward_both_ways(
        self,
        near: socket.socket,
        far: socket.socket,
        cut_after: float | None,
        buffer_bytes: int = 0,
    ) -> None:
        def cut() -> None:
            for end in (near, far):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        there = threading.Thread(target=forward, args=(near, far, 0, cut), daemon=True)
        there.start()
        head, first = read_head(far)
        length = self._choose_length(head)
        if self.cut_count % 2:
            head = re.sub(r"(?im)^connection: close\r\n", "", head)
        near.sendall(head.encode("latin-1"))
        self._forward_body(far, near, first, length)
        cut()
        there.join()

    def _choose_length(self, head: str) -> int | None:
        if "text/event-stream" not in head.lower():
            return None
        with self._lock:
            return next(self._lengths, None)

    def _forward_body(
        self, far: socket.socket, near: socket.socket, piece: bytes, length: int | None
    ) -> None:
        sent = 0
        while length is None or sent + len(piece) < length:
            near.sendall(piece)
            sent += len(piece)
            if not (piece := far.recv(PIECE)):
                return
        near.sendall(piece[: length - sent])
        with self._lock:
            self.cut_count += 1


class StreamEnder(StreamCutter):
    """Ends the body properly instead, behind the first chunk that is whole by then."""

    def _forward_body(
        self, far: socket.socket, near: socket.socket, piece: bytes, length: int | None
    ) -> None:
        if length is None:
            super()._forward_body(far, near, piece, length)
            return
        seen, sent = bytearray(piece), 0
        while (end := seen.find(EVENT_AND_CHUNK_END, length)) < 0:
            near.sendall(seen[sent:])
            sent = len(seen)
            if not (piece := far.recv(PIECE)):
                return
            seen += piece
        near.sendall(seen[sent : end + len(EVENT_AND_CHUNK_END)] + LAST_CHUNK)
        with self._lock:
            self.cut_count += 1
