"""A lost network, played: what is cut ends, what is silent waits, and both can be mended."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tools.deployment.tcp_proxy import Line


def answer(listener: socket.socket) -> None:
    """Send back whatever comes, for as long as the listener is open."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while piece := connection.recv(1024):
                connection.sendall(piece)


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def dial(line: Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(line.url).port or 0), timeout=5)


def test_a_line_carries_both_ways(echo: int) -> None:
    with Line(echo) as line, dial(line) as caller:
        caller.sendall(b"hello")
        assert caller.recv(1024) == b"hello"


def test_a_cut_line_ends_what_is_open_and_what_comes_until_it_is_mended(echo: int) -> None:
    with Line(echo) as line:
        with dial(line) as caller:
            caller.sendall(b"hello")
            caller.recv(1024)
            line.cut()
            assert caller.recv(1024) == b""
        with dial(line) as caller:
            assert caller.recv(1024) == b""
        line.mend()
        with dial(line) as caller:
            caller.sendall(b"again")
            assert caller.recv(1024) == b"again"


def test_a_silent_line_holds_everything_back_and_loses_nothing(echo: int) -> None:
    with Line(echo) as line, dial(line) as caller:
        line.silence()
        caller.sendall(b"hello")
        caller.settimeout(0.2)
        with pytest.raises(TimeoutError):
            caller.recv(1024)
        line.mend()
        caller.settimeout(5)
        assert caller.recv(1024) == b"hello"
