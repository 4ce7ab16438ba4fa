"""Sends requests to addresses that people gave, within limits of time and size.

Redirects are not followed, proxies of the environment are not used, and connections are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpcore2

from accounts.outbound.address_guard import parse_url
from accounts.outbound.dialing import (
    Deadline,
    GuardedBackend,
    LimitedStream,
    Resolver,
    resolve_name,
)
from accounts.outbound.errors import OutboundError, RequestFailed
from accounts.outbound.target import Target
from streaming.providers.http.client import load_ssl_context, silence_wire_logging


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` counts everything, from the look-up of the name to the last byte."""

    seconds: float = 5.0
    max_header_bytes: int = 32 * 1024
    max_body_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def send_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    limits: Limits = Limits(),
    resolver: Resolver | None = None,
) -> OutboundResponse:
    """Raises RefusedAddress if the guard refuses the address, and RequestFailed if there is no
    complete response within the limits, or a redirect."""
    silence_wire_logging()
    target = parse_url(url)
    backend = GuardedBackend(
        target, resolver or resolve_name, Deadline(limits.seconds), limits.max_header_bytes
    )
    request = _build_request(method, target, dict(headers or {}), body)
    connection = httpcore2.HTTPConnection(
        request.url.origin, ssl_context=load_ssl_context(), network_backend=backend
    )
    try:
        response = _receive_response(connection, request, limits)
    except OutboundError:
        raise
    except Exception as error:
        # httpcore2's own errors, those of TLS, and those of h11 about a malformed response.
        raise _build_failure(error) from error
    finally:
        connection.close()
    if 300 <= response.status < 400:
        text = "The server redirects, and redirects are not followed."
        raise RequestFailed(text, response.status)
    return response


def _build_request(
    method: str, target: Target, headers: dict[str, str], body: bytes
) -> httpcore2.Request:
    own = {"Host", "Accept-Encoding", "Connection", "Content-Length", "Transfer-Encoding"}
    lowered = {name.lower() for name in own}
    sent = {name: value for name, value in headers.items() if name.lower() not in lowered}
    sent |= {
        "Host": target.origin.partition("://")[2],
        "Accept-Encoding": "identity",  # a small response can't become a large one
        "Connection": "close",
    }
    if body or method in {"POST", "PUT", "PATCH"}:
        sent["Content-Length"] = str(len(body))
    url = httpcore2.URL(
        scheme=target.scheme, host=target.host, port=target.port, target=target.path
    )
    return httpcore2.Request(method, url, headers=list(sent.items()), content=body)


def _receive_response(
    connection: httpcore2.HTTPConnection, request: httpcore2.Request, limits: Limits
) -> OutboundResponse:
    response = connection.handle_request(request)
    stream = response.extensions["network_stream"]
    if not isinstance(stream, LimitedStream):  # an upgrade
        raise RequestFailed("The server changes the protocol.", response.status)
    stream.remaining_bytes += limits.max_body_bytes
    headers = {_decode(name).lower(): _decode(value) for name, value in response.headers}
    if headers.get("content-encoding", "identity") != "identity":
        raise RequestFailed("The server compressed its response.", response.status)
    try:
        return OutboundResponse(response.status, headers, response.read())
    except RequestFailed as failed:
        failed.status = response.status
        raise
    except Exception as error:
        raise _build_failure(error, response.status) from error


def _build_failure(error: Exception, status: int | None = None) -> RequestFailed:
    return RequestFailed(f"The request failed: {type(error).__name__}.", status)


def _decode(text: bytes) -> str:
    return text.decode("latin-1")
