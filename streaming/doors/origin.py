"""Only our own pages may open a connection: browsers send cookies along from any page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from streaming.asgi import ASGIApp, Receive, Send
from streaming.conf import engine_settings
from streaming.doors.credentials import get_credential


def require_same_origin(app: ASGIApp) -> ASGIApp:
    """Refuse a handshake whose Origin is neither the host that it was sent to nor one of
    STREAMING_TRUSTED_ORIGINS.

    Host and port must both match: a service on another port of this machine is not ours. A client
    without an Origin is no browser page, and must not come with cookies. A client with an access
    token needs none: no page can make a browser send one.
    """

    async def app_for_same_origin(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        credential = get_credential(scope["headers"])
        has_token = credential is not None and credential.is_token
        origin, host = get_header(scope, b"origin"), get_header(scope, b"host")
        if not has_token and not is_allowed_origin(origin, host):
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return
        await app(scope, receive, send)

    return app_for_same_origin


def is_same_origin_request(scope: dict[str, Any]) -> bool:
    """Whether a GET comes from one of our pages, or from a client that is no browser.

    Browsers send no Origin with a GET to its own origin, and Sec-Fetch-Site only to trustworthy
    addresses.
    """
    origin, host = get_header(scope, b"origin"), get_header(scope, b"host")
    if origin:
        return is_allowed_origin(origin, host)
    return get_header(scope, b"sec-fetch-site") in {"", "none", "same-origin"}


def is_allowed_origin(origin: str, host: str) -> bool:
    if origin in engine_settings.TRUSTED_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in _own_schemes(host) or parts.netloc.lower() != host.lower() or not host:
        return False
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, _allowed_hosts())


def _own_schemes(host: str) -> set[str]:
    """The schemes of our pages at this host. Anybody on the way can make a page of plain http, so
    it does not count if the trusted origins say that this host, or everything here, is https."""
    trusted = [urlsplit(origin) for origin in engine_settings.TRUSTED_ORIGINS]
    here = [origin for origin in trusted if origin.netloc.lower() == host.lower()] or trusted
    return {origin.scheme for origin in here} if here else {"http", "https"}


def _allowed_hosts() -> list[str]:
    local = [".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else []
    return settings.ALLOWED_HOSTS or local


def get_header(scope: dict[str, Any], name: bytes) -> str:
    """Several values of one header are joined with commas, so that none of them counts and the
    header does not look like one that is missing."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return b", ".join(values).decode("latin-1")
