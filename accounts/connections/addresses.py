"""Guards the addresses of connections: see `accounts.outbound`.

An address is judged when it is saved, so that its author sees why it is refused, and again when it
is dialled, because a name can lead elsewhere by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts.outbound.address_guard import check_addresses, parse_url
from accounts.outbound.dialing import resolve_name
from accounts.outbound.errors import RefusedAddress
from accounts.outbound.target import Target


def check_address(url: str) -> None:
    """Raises RefusedAddress. A name that has no address at the moment is accepted."""
    target = parse_url(url)
    try:
        addresses = [target.host] if target.is_literal else resolve_name(target.host, target.port)
    except OSError:
        return
    _check(target, addresses)


def check_dialled_addresses(scheme: str, host: str, port: int, addresses: Sequence[str]) -> None:
    """Raises OSError, which the caller knows from other addresses that can't be reached."""
    try:
        _check(Target(scheme, host, port, "/", is_literal=False), addresses)
    except RefusedAddress as refusal:
        raise OSError(str(refusal.message)) from None


def _check(target: Target, addresses: Sequence[str]) -> None:
    check_addresses(target, [address.partition("%")[0] for address in addresses])
