"""Connections for tests."""

from __future__ import annotations

from typing import Any

from django.test import Client

from accounts.connections.models import Connection
from accounts.connections.sealing import set_key
from accounts.models import User

SECRET = "sk-shared-0123456789-wx89"
ADD = "/admin/accounts/connection/add/"


def create_connection(
    kind: str = "openai",
    *people: User,
    address: str = "",
    secret: str = SECRET,
    models: tuple[str, ...] = (),
    **fields: Any,
) -> Connection:
    """For these people, or for everybody."""
    fields = {"name": "Lab", "for_everybody": not people, **fields}
    connection = Connection(kind=kind, address=address, **fields)
    connection.listed = [{"id": name} for name in models]
    if secret:
        set_key(connection, secret)
    connection.save()
    connection.people.set(people)
    return connection


def build_form(**fields: Any) -> dict[str, Any]:
    return {"name": "Lab", "kind": "openai", "key": SECRET, "enabled": "on"} | fields


def post_connection(client: Client, url: str = ADD, **fields: Any) -> str:
    return client.post(url, build_form(**fields), follow=True).content.decode()
