"""Opens connections for requests to addresses that people gave.

The name is resolved once, and the connection goes to an address of that one answer. A second
look-up could get another answer, for an address that nobody judged.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from accounts.outbound.address_guard import check_addresses
from accounts.outbound.errors import RequestFailed
from accounts.outbound.target import Target

Resolver = Callable[[str, int], list[str]]
"""Returns the addresses of a name. Raises OSError."""

MAX_LOOKUPS = 8
"""Look-ups that run at once. The system's own can't be cancelled, so a slow name server would
otherwise cost a thread for each request."""
_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


def resolve_name(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


class Deadline:
    """The end of the time that all steps of a request have together."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds

    def get_remaining_seconds(self) -> float:
        """Raises RequestFailed when the time is over."""
        remaining = self.ends_at - time.monotonic()
        if remaining <= 0:
            raise RequestFailed("The server took too long.")
        return remaining


class LimitedStream(httpcore2.NetworkStream):
    """A connection on which reading ends at the deadline, and after `remaining_bytes`."""

    def __init__(
        self, stream: httpcore2.NetworkStream, deadline: Deadline, remaining_bytes: int
    ) -> None:
        self.stream = stream
        self.deadline = deadline
        self.remaining_bytes = remaining_bytes

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self.remaining_bytes <= 0:
            raise RequestFailed("The server sent too much.")
        # Small reads take little of the body while the headers are counted.
        data = self.stream.read(min(max_bytes, 4096), self.deadline.get_remaining_seconds())
        self.remaining_bytes -= len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self.deadline.get_remaining_seconds())

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> LimitedStream:
        seconds = self.deadline.get_remaining_seconds()
        encrypted = self.stream.start_tls(ssl_context, server_hostname, seconds)
        return LimitedStream(encrypted, self.deadline, self.remaining_bytes)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to one target, and to nothing else."""

    def __init__(
        self, target: Target, resolver: Resolver, deadline: Deadline, max_header_bytes: int
    ) -> None:
        self.target = target
        self.resolver = resolver
        self.deadline = deadline
        self.max_header_bytes = max_header_bytes

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> LimitedStream:
        """Raises RefusedAddress, RequestFailed and httpcore2's errors."""
        assert (host, port) == (self.target.host, self.target.port)
        addresses = self._resolve()
        check_addresses(self.target, addresses)
        return LimitedStream(self._dial(addresses), self.deadline, self.max_header_bytes)

    def _resolve(self) -> list[str]:
        if self.target.is_literal:
            return [self.target.host]
        if not _lookups.acquire(timeout=self.deadline.get_remaining_seconds()):
            raise RequestFailed("The name server took too long.")
        answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._look_up, args=[answers], daemon=True).start()
        try:
            answer = answers.get(timeout=self.deadline.get_remaining_seconds())
        except queue.Empty:
            raise RequestFailed("The name server took too long.") from None
        if isinstance(answer, Exception) or not answer:
            cause = answer if isinstance(answer, Exception) else None
            raise RequestFailed("The name of the server has no address.") from cause
        return answer

    def _look_up(self, answers: queue.SimpleQueue[list[str] | Exception]) -> None:
        try:
            answers.put(self.resolver(self.target.host, self.target.port))
        except Exception as error:
            answers.put(error)
        finally:
            _lookups.release()

    def _dial(self, addresses: list[str]) -> httpcore2.NetworkStream:
        """Try one address after the other. The last one may take all the time that is left."""
        for left in range(len(addresses), 0, -1):
            seconds = self.deadline.get_remaining_seconds() / left
            try:
                return httpcore2.SyncBackend().connect_tcp(
                    addresses[-left], self.target.port, seconds
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                if left == 1:
                    raise RequestFailed("The server can’t be reached.") from error
        raise AssertionError
