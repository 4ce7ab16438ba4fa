"""Searches all columns of all tables for texts, and all columns that name accounts for an id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection

from accounts.models import User

USER_TABLE = User._meta.db_table
ROLES = ("account", "actor", "granted_by", "made_by", "owner", "person", "reader", "user")
ENDINGS = tuple(f"{role}_id" for role in ROLES)
"""Of names of columns that hold the id of an account."""
KEYS = (*ROLES, *ENDINGS, "user_pk")
"""Ends of keys inside JSON that hold it."""


def find_traces(texts: list[str], account_id: int) -> set[tuple[str, str, str]]:
    """The table, the column and the text of each value that contains one of these texts, in any
    case, or that names the account."""
    return {
        (table, column, trace)
        for table in connection.introspection.table_names()
        for row in _read_rows(table)
        for column, value in row.items()
        for trace in find_in_value(table, column, value, texts, account_id)
    }


@cache
def list_references() -> frozenset[tuple[str, str]]:
    """The table and column of each foreign key to a person, and the id of the person."""
    return frozenset(
        (field.model._meta.db_table, str(field.column))
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if field.related_model is User
    ) | {(USER_TABLE, "id")}


def _read_rows(table: str) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in cursor.description]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))


def find_in_value(
    table: str, column: str, value: Any, texts: list[str], account_id: int
) -> Iterator[str]:
    is_id = (table, column) in list_references() or column.endswith(ENDINGS)
    if (is_id and str(value) == str(account_id)) or _names_account(_parse(value), account_id):
        yield str(account_id)
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("latin-1")
    lowered = str(value).lower()
    yield from (text for text in texts if text.lower() in lowered)


def _parse(value: Any) -> Any:
    """The JSON of a column, which is a text in SQLite and with a plain cursor. Others are None."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict | list) else None


def _names_account(value: Any, account_id: int) -> bool:
    """Whether a key of this JSON, at any depth, that stands for an account has this id."""
    if isinstance(value, list):
        return any(_names_account(item, account_id) for item in value)
    if not isinstance(value, dict):
        return False
    return any(
        (key.endswith(KEYS) and str(item) == str(account_id)) or _names_account(item, account_id)
        for key, item in value.items()
    )
