"""Which address a client comes from, as limits count it: behind proxies the one that they name, and
of IPv6 the network of 64 bits that one client has to itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings

SESSION_KEY = re.compile(r"[a-z0-9]{32}")


def address_of(scope: Mapping[str, Any]) -> str:
    """Of a request or a socket. Like allauth's, which limits wrong passwords."""
    name = (scope.get("client") or [""])[0]
    if settings.PROXIES:
        lines = [value for key, value in scope["headers"] if key == b"x-forwarded-for"]
        named = b",".join(lines).decode("latin-1").split(",")
        name = named[-settings.PROXIES].strip() if len(named) >= settings.PROXIES else name
    try:
        address = ip_address(name)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def session_of(headers: Any) -> str | None:
    """The session key a client sends, if it could be one. Nothing is asked of the database."""
    name = f"{settings.SESSION_COOKIE_NAME}="
    for key, value in headers:
        if key.lower() == b"cookie":
            for cookie in value.decode("latin-1").split(";"):
                cookie = cookie.strip()
                if cookie.startswith(name) and SESSION_KEY.fullmatch(cookie[len(name) :]):
                    return str(cookie[len(name) :])
    return None
