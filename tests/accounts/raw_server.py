"""A server on loopback that sends what a test tells it to, byte by byte."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]
"""Writes a response. An OSError ends it."""


def send_bytes(response: bytes) -> Answer:
    return lambda connection: connection.sendall(response)


def send_document(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return send_bytes("\r\n".join(lines).encode() + body)


def read_request(connection: socket.socket) -> bytes:
    """Read the headers and as much of a body as they announce."""
    with connection.makefile("rb") as stream:
        head = b""
        while not head.endswith(b"\r\n\r\n") and (line := stream.readline()):
            head += line
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        return head + stream.read(int(length[1]) if length else 0)


@dataclass
class RawServer:
    host: str
    port: int
    requests: list[bytes] = field(default_factory=list)

    def get_url(self, host: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{host or self.host}:{self.port}/path"


@contextmanager
def serve(
    answer: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    with socket.create_server((host, 0)) as listener:
        server = RawServer(host, listener.getsockname()[1])

        def handle(connection: socket.socket) -> None:
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as peer:
                    server.requests.append(read_request(peer))
                    answer(peer)
            except OSError:  # the client is gone
                pass

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
