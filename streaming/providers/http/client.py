"""The HTTP client of one call: certificates, time limits, and silence in the logs."""

from __future__ import annotations

import functools
import logging
import ssl
from collections.abc import Awaitable, Callable

import httpx2

from streaming.providers.catalog.options import AddressCheck
from streaming.providers.http.proxies import CheckedProxyTransport
from streaming.providers.http.transport import AsyncioTransport
from streaming.providers.types import Timeouts


def create_http_client(
    timeouts: Timeouts,
    on_response: Callable[[httpx2.Response], Awaitable[None]],
    check_addresses: AddressCheck | None = None,
) -> httpx2.AsyncClient:
    """A client for one call: nothing to share, to close later or to leak. Addresses are checked
    before a proxy of the environment is asked for one of them, too. The library decides by scheme,
    by name and by NO_PROXY which calls have a proxy."""
    client = httpx2.AsyncClient(
        verify=load_ssl_context(),
        timeout=httpx2.Timeout(max(timeouts.first_delta, timeouts.idle), connect=timeouts.connect),
        follow_redirects=False,  # neither key nor conversation goes anywhere else
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [on_response]},
    )
    # As an argument, it would switch the proxies off. If the library renames it, this must fail.
    assert isinstance(client._transport, httpx2.AsyncHTTPTransport)
    client._transport = AsyncioTransport(load_ssl_context(), check_addresses)
    if check_addresses:
        client._mounts = {
            pattern: mounted and CheckedProxyTransport(mounted, check_addresses)
            for pattern, mounted in client._mounts.items()
        }
    return client


@functools.cache
def load_ssl_context() -> ssl.SSLContext:
    """The trusted certificates, loaded once: 25 ms that no event loop should wait for."""
    return httpx2.create_ssl_context()


def is_header_safe(key: str) -> bool:
    """Whether a key can stand in a header at all; the HTTP library would quote others."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


@functools.cache
def silence_wire_logging(*libraries: str) -> None:
    """Keep the wire out of the logs: at DEBUG the SDKs log headers, at INFO the reason phrase,
    and a provider that echoes a key there must not get it into our logs."""
    for library in ("httpx2", "httpcore2", *libraries):
        logging.getLogger(library).setLevel(logging.WARNING)
