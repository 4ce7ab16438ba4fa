"""Searches all columns of all tables for texts, and all columns that name accounts for an id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

ACCOUNT_COLUMNS = frozenset(
    {"user_id", "owner_id", "account_id", "actor_id", "person_id", "created_by_id", "inviter_id"}
)
USER_TABLE = "accounts_user"


def find_traces(texts: list[str], account_id: int) -> set[tuple[str, str, str]]:
    """The table, the column and the text of each value that contains one of these texts, in any
    case, or that names the account."""
    return {
        (table, column, trace)
        for table in connection.introspection.table_names()
        for row in _read_rows(table)
        for column, value in row.items()
        for trace in _find_in_value(table, column, value, texts, account_id)
    }


def _read_rows(table: str) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in cursor.description]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))


def _find_in_value(
    table: str, column: str, value: Any, texts: list[str], account_id: int
) -> Iterator[str]:
    is_id = column in ACCOUNT_COLUMNS or (table == USER_TABLE and column == "id")
    if is_id and str(value) == str(account_id):
        yield str(account_id)
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("latin-1")
    lowered = str(value).lower()
    yield from (text for text in texts if text.lower() in lowered)
