"""The connections that a person can use, for the page of keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from accounts.connections.access import load_connections
from accounts.connections.limits import describe_use
from accounts.connections.models import Connection
from accounts.ledger.counting import read_total
from accounts.models import User


@dataclass(frozen=True, slots=True)
class SharedRow:
    """With a key of their own for the provider, the person does not use the connection."""

    connection: Connection
    use: str
    has_own_key: bool


def build_shared_rows(user: User, own_keys: Collection[str]) -> list[SharedRow]:
    return [
        SharedRow(
            connection,
            use=describe_use(connection, read_total(user.pk, connection.pk)),
            has_own_key=provider in own_keys,
        )
        for provider, connection in load_connections(user).items()
    ]
