"""Which connection a person uses, and with which key a provider is called for them.

A person's own key counts before a connection of the installation. Everything is read from the
database for each use, so a change counts at once in every process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts.api_keys import keys
from accounts.api_keys.statuses import KeyStatus
from accounts.connections.addresses import check_dialled_addresses
from accounts.connections.kinds import ConnectionKind
from accounts.connections.models import Connection
from accounts.connections.sealing import open_key
from accounts.models import User, UserLimits
from accounts.providers import get_base_url
from accounts.sealing import SealBroken, SharedSealBroken
from streaming.providers import catalog
from streaming.providers.catalog import CHAT_COMPLETIONS, Provider
from streaming.providers.catalog.options import ServerOptions
from streaming.providers.redaction import Secret

OPTIONS_BY_SCHEME = {
    scheme: ServerOptions(check_addresses=partial(check_dialled_addresses, scheme))
    for scheme in ("http", "https")
}


@dataclass(frozen=True, slots=True)
class ProviderAccess:
    """A key for a call, the address that it may be sent to, and the connection that it is of.
    `key_status` is the result of the key's last check."""

    key: Secret
    base_url: str
    connection: Connection | None = None
    key_status: str = KeyStatus.UNCHECKED
    opened_at: datetime = field(default_factory=timezone.now)


def load_connections(user: User) -> dict[str, Connection]:
    """The connection that this person can use of each provider, without the person's own keys being
    considered. If there are several of a provider, the oldest one counts."""
    return load_connections_and_lost(user)[0]


def load_connections_and_lost(user: User) -> tuple[dict[str, Connection], set[str]]:
    """The same, and the other providers of which there are only connections whose master key is
    gone."""
    found: dict[str, Connection] = {}
    lost = set()
    for connection in list_connections_for(user):
        if connection.can_be_opened:
            found.setdefault(connection.provider, connection)
        else:
            lost.add(connection.provider)
    for connection in found.values():
        register_in_catalog(connection)
    return found, lost - found.keys()


def list_connections_for(user: User) -> QuerySet[Connection]:
    """With the person's own monthly limits, which replace those of each connection."""
    chosen = Connection.people.through.objects.filter(connection=OuterRef("pk"), user=user)
    in_group = Connection.groups.through.objects.filter(connection=OuterRef("pk"), group__user=user)
    is_allowed = Q(for_everybody=True) | Exists(chosen) | Exists(in_group)
    limits = UserLimits.objects.filter(user=user)
    allowed = Connection.objects.filter(is_allowed, enabled=True).order_by("pk")
    return allowed.annotate(
        person_dollars=Subquery(limits.values("monthly_dollars")),
        person_tokens=Subquery(limits.values("monthly_tokens")),
    )


def find_paying_connection(user: User, provider: str) -> Connection | None:
    """The connection that a call for this person would use now; None for a key of their own, and
    for a provider without one."""
    if provider in keys.providers_with_key(user):
        return None
    return load_connections(user).get(provider)


def has_access(user: User, provider: str) -> bool:
    """Whether this person can use a provider that needs a key."""
    return provider in keys.providers_with_key(user) or provider in load_connections(user)


def open_access(user: User, provider: str) -> ProviderAccess | None:
    """For a call that is about to be made, which is recorded as the last use. None if this person
    has no access to a provider that needs a key. Raises SealBroken."""
    if not catalog.PROVIDERS[provider].needs_key:
        return ProviderAccess(Secret(""), get_base_url(provider))
    own_status = keys.key_status_by_provider(user)
    connection = None if provider in own_status else load_connections(user).get(provider)
    if connection is None:
        secret = keys.decrypt_for_call(user, provider)
        if secret is None:
            return None
        status = own_status.get(provider, KeyStatus.UNCHECKED)
        return ProviderAccess(Secret(secret), get_base_url(provider), key_status=status)
    # The address is that of the row whose key is opened: no key goes to an earlier address.
    try:
        key = open_key(connection)
    except SealBroken:
        raise SharedSealBroken from None
    Connection.objects.filter(pk=connection.pk).update(last_used_at=timezone.now())
    return ProviderAccess(key, get_address(connection), connection, connection.check_result)


def get_address(connection: Connection) -> str:
    if connection.kind == ConnectionKind.COMPATIBLE:
        return connection.address
    return get_base_url(connection.provider)


def register_in_catalog(connection: Connection) -> None:
    """A deleted connection stays known in the process, for the names of models in old replies."""
    if connection.kind != ConnectionKind.COMPATIBLE:
        return
    provider = build_provider(connection)
    if catalog.PROVIDERS.get(provider.id) != provider:
        catalog.register_provider(provider, ())


def build_provider(connection: Connection) -> Provider:
    return Provider(
        connection.slug,
        connection.name,
        needs_key=True,
        base_url=connection.address,
        adapter=CHAT_COMPLETIONS,
        options=OPTIONS_BY_SCHEME[urlsplit(connection.address).scheme.lower()],
        is_connection=True,
    )
