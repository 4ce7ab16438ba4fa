"""A proxy that breaks connections off in the middle of answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

PIECE = 64 * 1024


class CuttingProxy:
    """Forwards TCP from a loopback port of its own to another one. Each connection takes the next
    number of `cuts`, and is broken off after so many bytes from the server; then come whole ones.

    with CuttingProxy(deployment.web.port, [300, 2_000]) as proxy:
        client = OpenAI(base_url=f"{proxy.url}/v1")
    """

    def __init__(self, target: int, cuts: Iterable[int]) -> None:
        self._target = target
        self._cuts = iter(cuts)
        self.cut_count = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            cut = next(self._cuts, None)
            threading.Thread(target=self._serve, args=(near, cut), daemon=True).start()

    def _serve(self, near: socket.socket, cut: int | None) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            there = threading.Thread(target=self._forward, args=(near, far, None), daemon=True)
            there.start()
            self._forward(far, near, cut)
            for end in (near, far):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            there.join()

    def _forward(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece if left is None else piece[:left])
                if left is not None:
                    left -= len(piece)
                    if left <= 0:
                        self.cut_count += 1
                        return
