"""A reverse proxy in front of a deployment that does to sockets and responses what real ones do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

PIECE = 64 * 1024
EVENTS = "/api/streams/"


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a proxy. The default forwards everything at once."""

    upgrade: Literal["pass", "refuse", "hang", "page", "mute"] = "pass"
    """Whether sockets get through: `page` answers 200 with HTML; `mute` accepts and then forwards
    nothing."""
    cut_sockets_after: float | None = None
    """Seconds after which a socket is cut."""
    cut_events_after: float | None = None
    """Seconds after which a response of the event streams is cut."""
    holds_events: bool = False
    """Whether responses of the event streams arrive when they are complete."""
    refuses_events: bool = False
    """Whether event streams that wait get the proxy's own error page."""
    buffer_bytes: int = 0
    """Responses are collected until they have so many bytes."""
    idle_seconds: float | None = None
    """Connections without data for so long are cut."""
    speaks_http_10: bool = False


class HttpProxy:
    """Forwards one request on each connection from a loopback port of its own to another one.

    with HttpProxy(deployment.web.port, Faults(upgrade="refuse")) as proxy:
        page = open_page(owner, base_url=proxy.url)
    """

    def __init__(self, target: int, faults: Faults) -> None:
        self._target = target
        self.faults = faults
        self.upgrades = 0
        self.event_requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept_connections, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept_connections(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(near,), daemon=True).start()

    def _serve_connection(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            head, rest = read_head(near)
            if not head:
                return
            path = head.split(" ", 2)[1]
            if "\r\nupgrade:" in head.lower():
                self.upgrades += 1
                self._serve_socket(near, head, rest)
            elif path.startswith(EVENTS):
                self.event_requests.append(path)
                self._serve_events(near, path, head, rest)
            else:
                self._forward_request(near, head, rest)

    def _serve_socket(self, near: socket.socket, head: str, rest: bytes) -> None:
        match self.faults.upgrade:
            case "refuse":
                near.sendall(build_response("400 Bad Request", ""))
            case "page":
                near.sendall(build_response("200 OK", "<title>Welcome to our network</title>"))
            case "hang":
                self._ended.wait()
            case _:
                with self._connect() as far:
                    far.sendall(head.encode("latin-1") + rest)
                    answer, first = read_head(far)
                    near.sendall(answer.encode("latin-1"))
                    if self.faults.upgrade == "mute":
                        self._ended.wait()
                    near.sendall(first)
                    self._forward_both_ways(near, far, self.faults.cut_sockets_after)

    def _serve_events(self, near: socket.socket, path: str, head: str, rest: bytes) -> None:
        if self.faults.refuses_events and "wait=0" not in path:
            near.sendall(build_response("502 Bad Gateway", "<title>502</title>"))
            return
        buffer_bytes = 2**40 if self.faults.holds_events else self.faults.buffer_bytes
        self._forward_request(near, head, rest, buffer_bytes, self.faults.cut_events_after)

    def _forward_request(
        self,
        near: socket.socket,
        head: str,
        rest: bytes,
        buffer_bytes: int | None = None,
        cut_after: float | None = None,
    ) -> None:
        buffer_bytes = self.faults.buffer_bytes if buffer_bytes is None else buffer_bytes
        with self._connect() as far:
            far.sendall(self._rewrite_head(head).encode("latin-1") + rest)
            self._forward_both_ways(near, far, cut_after, buffer_bytes)

    def _rewrite_head(self, head: str) -> str:
        """One request on each connection, so that its end is the end of the connection."""
        first, *lines = head.split("\r\n")
        kept = [line for line in lines if not line.lower().startswith("connection:")]
        if self.faults.speaks_http_10:
            first = first.replace("HTTP/1.1", "HTTP/1.0")
        return "\r\n".join([first, "Connection: close", *kept])

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

        timer = threading.Timer(cut_after or 0, cut)
        timer.daemon = True
        if cut_after is not None:
            timer.start()
        for end in (near, far):
            end.settimeout(self.faults.idle_seconds)
        there = threading.Thread(target=forward, args=(near, far, 0, cut), daemon=True)
        there.start()
        forward(far, near, buffer_bytes, cut)
        cut()
        there.join()
        timer.cancel()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._target))


def forward(
    source: socket.socket, sink: socket.socket, buffer_bytes: int, cut: Callable[[], None]
) -> None:
    """Forward data until the source ends. A pause longer than its timeout cuts both."""
    held = b""
    try:
        while piece := source.recv(PIECE):
            held += piece
            if len(held) >= buffer_bytes:
                sink.sendall(held)
                held = b""
    except TimeoutError:
        held = b""
        cut()
    except OSError:
        pass
    with suppress(OSError):
        sink.sendall(held)


def read_head(connection: socket.socket) -> tuple[str, bytes]:
    """The head of a request or response with its empty line, and the bytes after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(PIECE)
        if not piece:
            return "", b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1") + "\r\n\r\n", rest


def build_response(status: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}"
    return f"{head}\r\nConnection: close\r\n\r\n{body}".encode()
