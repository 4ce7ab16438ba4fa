"""The address and the session of a client, from the headers and without a query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeGuard

from django.conf import settings
from django.http.cookie import parse_cookie

from streaming.conf import engine_settings

IPAddress = IPv4Address | IPv6Address

SESSION_KEY_PATTERN = re.compile(r"[a-z0-9]{32}")
"""The keys that Django gives to sessions. A cookie may hold anything, such as a NUL, at which
PostgreSQL fails the whole query of many keys."""


def is_session_key(key: str | None) -> TypeGuard[str]:
    return key is not None and SESSION_KEY_PATTERN.fullmatch(key) is not None


def get_rate_limit_address(scope: Mapping[str, Any]) -> str:
    """The address that limits count for a request or a socket. Of IPv6 it is the /64 network, which
    one client has to itself."""
    peer = (scope.get("client") or [""])[0]
    address = parse_client_address(
        peer, _join_header_values(scope["headers"], b"x-forwarded-for", b",")
    )
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address) if address else "unknown"


def parse_client_address(peer: str, forwarded_for: str) -> IPAddress | None:
    """The address that the outermost of our proxies names, or that of the peer if it names none.
    `forwarded_for` is the value of X-Forwarded-For. None if the peer has no address, as over a Unix
    socket."""
    addresses, proxies = forwarded_for.split(","), engine_settings.TRUSTED_PROXY_COUNT
    if proxies and len(addresses) >= proxies:
        return _parse_address(addresses[-proxies]) or _parse_address(peer)
    return _parse_address(peer)


def _parse_address(text: str) -> IPAddress | None:
    """Some proxies add the port: `192.0.2.7:5678`, `[2001:db8::1]:443`."""
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
        # All IPv4 addresses mapped into IPv6 are in one /64, and would share one limit.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def get_session_key(headers: Any) -> str | None:
    """The session key that a client sends, as Django reads it; None if no session can have it."""
    key = get_cookie(headers, settings.SESSION_COOKIE_NAME)
    return key if is_session_key(key) else None


def get_cookie(headers: Any, name: str) -> str | None:
    return parse_cookie(_join_header_values(headers, b"cookie", b"; ")).get(name)


def _join_header_values(headers: Any, name: bytes, separator: bytes) -> str:
    return separator.join(value for key, value in headers if key.lower() == name).decode("latin-1")
