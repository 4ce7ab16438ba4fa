"""Which address a client comes from, as limits count it: behind proxies the one that they name, and
of IPv6 the network of 64 bits that one client has to itself. And which session it sends."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.http.cookie import parse_cookie

from streaming.sessions import is_session_key

IPAddress = IPv4Address | IPv6Address


def get_rate_limit_address(scope: Mapping[str, Any]) -> str:
    """Of a request or a socket. Like that of `AccountAdapter`, which limits wrong passwords."""
    peer = (scope.get("client") or [""])[0]
    address = parse_client_address(
        peer, _join_header_values(scope["headers"], b"x-forwarded-for", b",")
    )
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address) if address else "unknown"


def parse_client_address(peer: str, forwarded_for: str) -> IPAddress | None:
    """The address that the outermost of our proxies names; the peer's where it names none.
    `forwarded_for` is what X-Forwarded-For says. None for a peer without one, such as a file's."""
    named = forwarded_for.split(",")
    if settings.PROXIES and len(named) >= settings.PROXIES:
        return _parse_address(named[-settings.PROXIES]) or _parse_address(peer)
    return _parse_address(peer)


def _parse_address(text: str) -> IPAddress | None:
    """Some proxies name the port as well: `192.0.2.7:5678`, `[2001:db8::1]:443`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # IPv4 that came in over IPv6: otherwise all of it would be in one /64 and share one limit.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def get_session_key(headers: Any) -> str | None:
    """The session key a client sends, as Django reads it, if it could be one. Nothing is asked of
    the database."""
    key = get_cookie(headers, settings.SESSION_COOKIE_NAME)
    return key if is_session_key(key) else None


def get_cookie(headers: Any, name: str) -> str | None:
    """The value of a cookie that a client sends, as Django reads it."""
    return parse_cookie(_join_header_values(headers, b"cookie", b"; ")).get(name)


def _join_header_values(headers: Any, name: bytes, separator: bytes) -> str:
    return separator.join(value for key, value in headers if key.lower() == name).decode("latin-1")
