"""A lost network, played: what is cut ends, what is silent waits, and both can be mended."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.wire import Wire


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


def dial(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(wire.url).port or 0), timeout=5)


def test_a_wire_carries_both_ways(echo: int) -> None:
    with Wire(echo) as wire, dial(wire) as line:
        line.sendall(b"hello")
        assert line.recv(1024) == b"hello"


def test_a_cut_wire_ends_what_is_open_and_what_comes_until_it_is_mended(echo: int) -> None:
    with Wire(echo) as wire:
        with dial(wire) as line:
            line.sendall(b"hello")
            line.recv(1024)
            wire.cut()
            assert line.recv(1024) == b""
        with dial(wire) as line:
            assert line.recv(1024) == b""
        wire.mend()
        with dial(wire) as line:
            line.sendall(b"again")
            assert line.recv(1024) == b"again"


def test_a_silent_wire_holds_everything_back_and_loses_nothing(echo: int) -> None:
    with Wire(echo) as wire, dial(wire) as line:
        wire.silence()
        line.sendall(b"hello")
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(1024)
        wire.mend()
        line.settimeout(5)
        assert line.recv(1024) == b"hello"
