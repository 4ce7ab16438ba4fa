"""Decides whether this server may send a request to an address that a person gave.

Such an address may lead to a service that only this server reaches, or to the credentials of its
machine in a cloud. So the address has to be written plainly, its name is resolved once, and every
address of the answer is judged before one of them is dialled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.outbound.addresses import Zone, classify_address
from accounts.outbound.errors import RefusedAddress
from accounts.outbound.target import Target
from accounts.setup import has_public_hosts

URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*)\.?)"
    r"(:(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][\w.~:/?@!$&'()*+,;=%\[\]-]*)?",
    re.ASCII | re.IGNORECASE,
)
"""Stricter than the standard: no user name, no fragment, no blanks, no letters beyond ASCII."""
NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""The last label of another spelling of an IPv4 address, such as 127.1 or 0x7f000001."""
METADATA_NAMES = frozenset(
    {"instance-data", "instance-data.ec2.internal", "metadata.goog", "metadata.google.internal"}
)
MAX_URL_CHARS = 2_000
MAX_NAME_CHARS = 253
DEFAULT_PORTS = {"http": 80, "https": 443}

MALFORMED: str | Promise = _("This is no plain address such as https://example.org.")
FORBIDDEN: str | Promise = _("This address is reserved. Requests are never sent to it.")
PRIVATE: str | Promise = _(
    "This address belongs to a private network. Requests are sent to those only if "
    "PRIVATE_ADDRESSES=allow is set."
)
UNENCRYPTED: str | Promise = _("Addresses outside the private network must begin with https://.")


def parse_url(url: str) -> Target:
    """Raises RefusedAddress for an address that programs could understand in two ways."""
    match = URL.fullmatch(url) if len(url) <= MAX_URL_CHARS else None
    if match is None:
        raise RefusedAddress(MALFORMED)
    scheme = match["scheme"].lower()
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 2**16:
        raise RefusedAddress(MALFORMED)
    path = match["target"] or "/"
    try:
        host = str(IPv6Address(match["ipv6"])) if match["ipv6"] else _check_name(match["name"])
    except ValueError:
        raise RefusedAddress(MALFORMED) from None
    path = path if path.startswith("/") else f"/{path}"
    return Target(scheme, host, port, path, is_literal=_is_numeric(host))


def _check_name(name: str) -> str:
    """Raises ValueError for a spelling of an IPv4 address that only some programs understand."""
    name = name.lower()
    if _is_numeric(name):
        return str(IPv4Address(name))
    if len(name) > MAX_NAME_CHARS:
        raise ValueError
    if name in METADATA_NAMES:
        raise RefusedAddress(FORBIDDEN)
    return name


def _is_numeric(host: str) -> bool:
    return ":" in host or bool(NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]))


def check_unresolved(url: str) -> None:
    """Judge an address as far as that needs no look-up of its name, which may take seconds. The
    guard judges the rest when it is dialled. Raises RefusedAddress."""
    target = parse_url(url)
    if target.is_literal:
        check_addresses(target, [target.host])
    elif target.scheme == "http" and not are_private_addresses_allowed():
        raise RefusedAddress(UNENCRYPTED)


def check_addresses(target: Target, addresses: Sequence[str]) -> None:
    """Judge all addresses of a name. Raises RefusedAddress."""
    zones = {classify_address(address) for address in addresses}
    if Zone.FORBIDDEN in zones:
        raise RefusedAddress(FORBIDDEN)
    if Zone.PRIVATE in zones and not are_private_addresses_allowed():
        raise RefusedAddress(PRIVATE)
    if Zone.PUBLIC in zones and target.scheme == "http":
        raise RefusedAddress(UNENCRYPTED)


def are_private_addresses_allowed() -> bool:
    """PRIVATE_ADDRESSES decides. By default they are allowed if the server serves only this
    machine."""
    if settings.PRIVATE_ADDRESSES:
        return bool(settings.PRIVATE_ADDRESSES == "allow")
    return not has_public_hosts()
