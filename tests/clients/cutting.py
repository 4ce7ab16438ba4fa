"""A line that is cut after a number of bytes of the server's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress

from tools.deployment.tcp_proxy import PIECE, Line


class CuttingLine(Line):
    """Each of `limits` holds for one connection, in their order: after so many bytes from the
    server it is cut. Later connections are whole."""

    def __init__(self, target: int, limits: Iterable[int] = ()) -> None:
        super().__init__(target)
        self._limits = list(limits)
        self._limits_lock = threading.Lock()
        self.cuts = 0

    def set_limits(self, *limits: int) -> None:
        with self._limits_lock:
            self._limits = list(limits)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        if source.getpeername()[1] != self._target:
            super()._pump(source, sink)
            return
        with self._limits_lock:
            left = self._limits.pop(0) if self._limits else None
        with suppress(OSError):
            while left is None or left > 0:
                piece = source.recv(PIECE if left is None else min(PIECE, left))
                if not piece:
                    break
                sink.sendall(piece)
                left = None if left is None else left - len(piece)
            self.cuts += left == 0
            for end in (source, sink):
                end.shutdown(socket.SHUT_RDWR)
