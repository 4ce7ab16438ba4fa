"""The users of many sessions at once, by the rules of `django.contrib.auth.get_user` (Django 5.2).

The session exists and has not expired, its backend is still in use, its user is active, and the
password is the one with which it was opened. Django checks one session at a time, and Channels'
middleware does that in a thread for each.

The SQL is written by hand, because every reconnecting client waits for it. With the ORM a session
that comes alone took 4 to 5 times the CPU (0.9 ms instead of 0.2), and one of 50 sessions 1.2 to
1.3 times, because the ORM builds two queries where one is enough.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.crypto import constant_time_compare

from streaming.batching import BatchLoader
from streaming.conf import engine_settings
from streaming.doors.client_identity import is_session_key

MAX_REMEMBERED_SESSIONS = 10_000
"""Sessions whose user this process remembers."""


async def load_session_user(session_key: str | None) -> Any:
    """None if the session signs nobody in. Raises DatabaseError."""
    return await _user_loader.load(session_key) if is_session_key(session_key) else None


def _load_session_users(session_keys: Collection[str]) -> Mapping[str, Any]:
    opened, users = _read_unexpired(session_keys)
    ids = {key: _parse_user_id(data) for key, data in opened.items()}
    users |= _read_users({*ids.values()} - users.keys() - {None})
    _remember_owners(ids)
    found = {key: users.get(user_id) for key, user_id in ids.items()}
    return {key: user for key, user in found.items() if user and _is_valid(opened[key], user)}


_owner_ids: dict[str, Any] = {}


def _remember_owners(ids: Mapping[str, Any]) -> None:
    if len(_owner_ids) > MAX_REMEMBERED_SESSIONS:
        _owner_ids.clear()
    _owner_ids.update({key: user_id for key, user_id in ids.items() if user_id is not None})


@dataclass(frozen=True)
class UserTable:
    """The model of users with quoted names of its table and columns, as SQL takes them."""

    model: Any
    fields: frozenset[str]
    """Fields that the doors need. Others are fetched on first use, as with `only`."""
    columns: str
    """Columns by name, because a prepared `SELECT *` fails once a migration has added a column."""
    name: str
    primary_key: str
    sessions: str
    """The table of sessions."""

    def read_rows(self, rows: Iterable[Sequence[Any]]) -> dict[Any, Any]:
        """The users of rows with these columns, by their ids."""
        users = (self.model.from_db(connection.alias, self.fields, row) for row in rows)
        return {user.pk: user for user in users if user.pk is not None}


def _user_table() -> UserTable:
    return _describe_users(get_user_model(), engine_settings.USER_REVISION_FIELD)


@cache
def _describe_users(model: Any, revision_field: str) -> UserTable:
    """Called once, because quoting these names took 5 % of the CPU of a reconnecting client."""
    quote = connection.ops.quote_name
    meta = model._meta
    extra = getattr(model, "SESSION_HASH_FIELDS", ())  # that the hashes of sessions depend on
    fields = frozenset({meta.pk.attname, "password", "is_active", revision_field, *extra} - {""})
    columns = (field.column for field in meta.concrete_fields if field.attname in fields)
    return UserTable(
        model=model,
        fields=fields,
        columns=", ".join(f"u.{quote(column)}" for column in columns),
        name=quote(meta.db_table),
        primary_key=quote(meta.pk.column),
        sessions=quote(Session._meta.db_table),
    )


def _read_unexpired(
    session_keys: Collection[str],
) -> tuple[dict[str, Mapping[str, Any]], dict[Any, Any]]:
    """The data of the sessions that have not expired, and the remembered users of these sessions by
    their ids. A remembered user is nearly always the right one, so a reconnecting client costs one
    query."""
    table = _user_table()
    owners = {key: _owner_ids[key] for key in session_keys if key in _owner_ids}
    owner = f"CASE s.session_key {'WHEN %s THEN %s ' * len(owners)}END" if owners else "NULL"
    sql = f"""
        SELECT s.session_key, s.session_data, {table.columns}
          FROM {table.sessions} s
          LEFT JOIN {table.name} u ON u.{table.primary_key} = {owner}
         WHERE s.expire_date > CURRENT_TIMESTAMP
           AND s.session_key IN ({_placeholders(session_keys)})
        """  # noqa: S608 our own names # nosec B608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*chain.from_iterable(owners.items()), *session_keys])
        rows = cursor.fetchall()
    opened: dict[str, Mapping[str, Any]] = {
        key: SessionStore().decode(data) for key, data, *_ in rows
    }
    return opened, table.read_rows(row for _, _, *row in rows)


def _read_users(ids: Collection[Any]) -> dict[Any, Any]:
    if not ids:
        return {}
    table = _user_table()
    sql = f"""
        SELECT {table.columns} FROM {table.name} u
         WHERE u.{table.primary_key} IN ({_placeholders(ids)})
        """  # noqa: S608 our own names # nosec B608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*ids])
        return table.read_rows(cursor.fetchall())


def _placeholders(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _parse_user_id(data: Mapping[str, Any]) -> Any:
    """None for a session without a user, which must not fail the query for the others."""
    try:
        return get_user_model()._meta.pk.to_python(data.get(SESSION_KEY))
    except ValidationError:
        return None


def _is_valid(data: Mapping[str, Any], user: AbstractBaseUser) -> bool:
    if not user.is_active or data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(data.get(HASH_SESSION_KEY, ""), good) for good in hashes)


_user_loader = BatchLoader(_load_session_users)
