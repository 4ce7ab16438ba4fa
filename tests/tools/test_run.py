"""`make run` listens on all addresses that a browser may take for localhost."""

from __future__ import annotations

import socket

import pytest

from tools.run import HOSTS, find_free_hosts


def listen(host: str, port: int = 0) -> socket.socket:
    try:
        return socket.create_server((host, port), family=HOSTS[host])
    except OSError as error:
        pytest.skip(f"This machine has no {host}: {error}")


def find_free_port() -> int:
    with listen("127.0.0.1") as server:
        return int(server.getsockname()[1])


def test_a_machine_with_both_has_both_addresses() -> None:
    port = find_free_port()
    listen("::1", port).close()
    assert find_free_hosts(port) == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("host", list(HOSTS))
def test_a_port_that_is_taken_on_one_address_is_named(host: str) -> None:
    """Otherwise the browser would show the other program under the printed address."""
    with listen(host) as server:
        port = int(server.getsockname()[1])
        with pytest.raises(SystemExit, match=f"make run PORT={port + 1}"):
            find_free_hosts(port)
