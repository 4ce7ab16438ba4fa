"""The connection between a browser and a deployment: it can be cut, paused and repaired.

A browser's own offline switch does not affect an open WebSocket, so this proxy simulates a lost
network.
"""

import socket
import threading
from contextlib import suppress
from typing import Self

PIECE = 64 * 1024


class Line:
    """Forwards TCP from a loopback port of its own to another one.

    with Line(deployment.web.port) as line:
        page = open_page(owner, base_url=line.url)
        line.cut()
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._connections: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        self._flows = threading.Event()
        self._flows.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """End every connection without closing it, and every new one at once, until the proxy is
        repaired."""
        with self._lock:
            self._is_cut = True
            for connection in self._connections:
                _hang_up(*connection)
        self._flows.set()

    def silence(self) -> None:
        """Forward nothing more, without any sign: connections stay open, as behind a dead
        router."""
        self._flows.clear()

    def mend(self) -> None:
        """Forward again, starting with the data held back by a pause."""
        self._is_cut = False
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        """One connection, from its first byte to its last."""
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            connection = (near, far)
            with self._lock:
                if self._is_cut:
                    return
                self._connections.add(connection)
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()
            with self._lock:
                self._connections.discard(connection)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._flows.wait()
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _hang_up(*ends: socket.socket) -> None:
    """This wakes the threads that read from them, and the threads close them."""
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
