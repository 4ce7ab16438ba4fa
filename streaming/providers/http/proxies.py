"""Calls through a proxy of the environment to a server whose addresses are checked.

A proxy resolves names itself, and could get another answer than the one that was checked. So it
gets an address of the checked answer. The name stays in the header `Host`, and the
certificate of the server is verified for it.
"""

from __future__ import annotations

import asyncio

import httpx2

from streaming.providers.catalog.options import AddressCheck
from streaming.providers.http.transport import resolve_host

DEFAULT_PORTS = {"http": 80, "https": 443}


class CheckedProxyTransport(httpx2.AsyncBaseTransport):
    """The library's transport over a proxy, for hosts whose addresses the check lets pass."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, check_addresses: AddressCheck) -> None:
        self._transport = transport
        self._check_addresses = check_addresses

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises ConnectError for a name that is refused or has no address, and the errors of the
        library. The proxy is asked for one address after the other."""
        *others, last = await self._resolve(request)
        for address in others:
            try:
                return await self._send(request, address)
            except httpx2.ProxyError:  # it opened no tunnel, so the server has received nothing
                continue
        return await self._send(request, last)

    async def _resolve(self, request: httpx2.Request) -> list[str]:
        """The library writes IPv6 addresses to a proxy without brackets, where they are ambiguous,
        so only IPv4 addresses are named to it."""
        url = request.url
        port = url.port or DEFAULT_PORTS[url.scheme]
        seconds = request.extensions.get("timeout", {}).get("connect")
        try:
            async with asyncio.timeout(seconds):
                found = await resolve_host(
                    url.raw_host.decode("ascii"), port, self._check_addresses
                )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except OSError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        addresses = [address for address in found if ":" not in address]
        if not addresses:
            raise httpx2.ConnectError("no IPv4 address to give to the proxy", request=request)
        return addresses

    async def _send(self, request: httpx2.Request, address: str) -> httpx2.Response:
        name = request.url.raw_host.decode("ascii")
        return await self._transport.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": name},
            )
        )

    async def aclose(self) -> None:
        await self._transport.aclose()
