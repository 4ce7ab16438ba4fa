"""Judges IP addresses: which of them this server may call, for an address that a person gave."""

from __future__ import annotations

from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address


class Zone(Enum):
    """Private addresses may be called where the operator allows it, forbidden ones never."""

    PUBLIC = "public"
    PRIVATE = "private"
    FORBIDDEN = "forbidden"


def _parse_networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


FORBIDDEN_NETWORKS = _parse_networks(
    "0.0.0.0/8",
    "100.100.100.200/32",  # metadata of Alibaba
    "168.63.129.16/32",  # Azure's agent, a public address
    "169.254.0.0/16",  # link-local, with the metadata of most clouds
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "3fff::/20",  # for documentation, and not known to each version of Python
    "fd00:42::42/128",  # metadata of Scaleway
    "fd00:c1::a9fe:a9fe/128",  # of Oracle
    "fd00:ec2::254/128",  # of Amazon
    "fd20:ce::254/128",  # of Google
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
"""They count before the private ones, some of which contain them."""
PRIVATE_NETWORKS = _parse_networks(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
)
PUBLIC_IPV6 = IPv6Network("2000::/3")
SUFFIX_NETWORKS = _parse_networks("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
"""Addresses that end with an IPv4 address: compatible, mapped, translated, NAT64."""


def classify_address(text: str) -> Zone:
    """An IPv6 address that leads to an IPv4 address is judged by that one. Raises ValueError."""
    address = ip_address(text)
    embedded = _extract_ipv4_addresses(address) if isinstance(address, IPv6Address) else []
    zones = {_classify(one) for one in embedded or [address]}
    return next(zone for zone in (Zone.FORBIDDEN, Zone.PRIVATE, Zone.PUBLIC) if zone in zones)


def _extract_ipv4_addresses(address: IPv6Address) -> list[IPAddress]:
    if address == IPv6Address("::1"):
        return []
    if any(address in network for network in SUFFIX_NETWORKS):
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour:
        return [address.sixtofour]
    return list(address.teredo or [])


def _classify(address: IPAddress) -> Zone:
    if any(address in network for network in FORBIDDEN_NETWORKS):
        return Zone.FORBIDDEN
    if any(address in network for network in PRIVATE_NETWORKS):
        return Zone.PRIVATE
    is_routed = address.version == 4 or address in PUBLIC_IPV6
    return Zone.PUBLIC if is_routed and address.is_global else Zone.FORBIDDEN
