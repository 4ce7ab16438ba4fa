"""Keep tests on this machine: a look-up of a name or a connection beyond loopback is an error.

pytest-socket does less. While it allows some hosts it lets every look-up and `connect_ex` pass, and
it guards only the time in which a test runs, not fixtures of the session and threads between tests.
Neither of the two covers uvloop and other processes. Those get the addresses of fakes.
"""

import ipaddress
import socket
from typing import Any

LOCAL_NAMES = ("", "localhost", "0.0.0.0", "::")


class NetworkForbidden(RuntimeError):
    """A test called another machine."""

    def __init__(self, address: object) -> None:
        super().__init__(f"tests stay on loopback, and this one called {address!r}")


def forbid_external_connections() -> None:
    """Refuse look-ups and connections of this process beyond loopback, from now on."""
    socket.getaddrinfo = _getaddrinfo
    socket.socket.connect = _connect  # type: ignore[assignment,method-assign]
    socket.socket.connect_ex = _connect_ex  # type: ignore[assignment,method-assign]


_real_getaddrinfo = socket.getaddrinfo
_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex


def _getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    if not _is_local(host):
        raise NetworkForbidden(host)
    return _real_getaddrinfo(host, *arguments, **options)


def _connect(self: socket.socket, address: Any) -> None:
    _check_address(self, address)
    _real_connect(self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:
    _check_address(self, address)
    return _real_connect_ex(self, address)


def _check_address(connection: socket.socket, address: Any) -> None:
    if connection.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise NetworkForbidden(address)


def _is_local(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
