"""A connection that is cut again and again, each time after a number of bytes that a seed gives."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import Random

from tools.deployment.tcp_proxy import PIECE, Line

MAX_BYTES = 1_500
"""About a handshake and half a dozen frames."""


class CuttingLine(Line):
    """Cuts whatever connection carries the last byte before a cut, in either direction and wherever
    that is: in the handshake, in a frame, before an answer. After the last cut all gets through."""

    def __init__(self, target: int, seed: int, cuts: int = 20) -> None:
        super().__init__(target)
        random = Random(seed)
        self._pieces = [random.randrange(1, MAX_BYTES) for _ in range(cuts)]
        self.cuts = 0

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                allowed = self._count(len(piece))
                sink.sendall(piece[:allowed])
                if allowed < len(piece):
                    source.shutdown(socket.SHUT_RDWR)
                    break
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> int:
        """Return how many of these bytes get through before a cut."""
        with self._lock:
            if self.cuts == len(self._pieces):
                return size
            left = self._pieces[self.cuts]
            if size <= left:
                self._pieces[self.cuts] -= size
                return size
            self.cuts += 1
            return left
