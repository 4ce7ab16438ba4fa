"""A simulated loss of network: cut connections end, paused ones wait, and both can be repaired."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tools.deployment.tcp_proxy import Line


def echo_bytes(listener: socket.socket) -> None:
    """Send back all data, for as long as the listener is open."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while piece := connection.recv(1024):
                connection.sendall(piece)


@pytest.fixture
def run_echo_server() -> Iterator[int]:
    """Run a server that sends back its data. Yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo_bytes, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def connect_to(line: Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(line.url).port or 0), timeout=5)


def test_the_proxy_forwards_both_ways(run_echo_server: int) -> None:
    with Line(run_echo_server) as line, connect_to(line) as caller:
        caller.sendall(b"hello")
        assert caller.recv(1024) == b"hello"


def test_a_cut_proxy_closes_connections_until_it_is_repaired(run_echo_server: int) -> None:
    with Line(run_echo_server) as line:
        with connect_to(line) as caller:
            caller.sendall(b"hello")
            caller.recv(1024)
            line.cut()
            assert caller.recv(1024) == b""
        with connect_to(line) as caller:
            assert caller.recv(1024) == b""
        line.mend()
        with connect_to(line) as caller:
            caller.sendall(b"again")
            assert caller.recv(1024) == b"again"


def test_a_paused_proxy_delays_all_data_and_loses_none(run_echo_server: int) -> None:
    with Line(run_echo_server) as line, connect_to(line) as caller:
        line.silence()
        caller.sendall(b"hello")
        caller.settimeout(0.2)
        with pytest.raises(TimeoutError):
            caller.recv(1024)
        line.mend()
        caller.settimeout(5)
        assert caller.recv(1024) == b"hello"
