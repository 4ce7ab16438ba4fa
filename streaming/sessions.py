"""Whom the sessions of sockets sign in, asked for many of them at once.

By Django's own rules (`django.contrib.auth.get_user`): the session exists and has not expired, its
backend is still in use, its user is active, and the password is the one it was opened with. Django
asks for one session at a time, in two queries, and Channels' middleware in a thread for each.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, TypeGuard

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.crypto import constant_time_compare

from streaming.database import BatchLoader

USER_FIELDS = {"id", "password", "is_active", "revision"}
"""Of a user: who it is, whether the session is good, and what has changed."""
MAX_REMEMBERED_SESSIONS = 10_000
"""Sessions of which this process knows whose they were when it last asked."""


SESSION_KEY_PATTERN = re.compile(r"[a-z0-9]{32}")
"""The keys that Django gives to sessions. A cookie may hold anything, such as a NUL, at which
PostgreSQL fails the whole query; no other text is worth a question."""


def is_session_key(key: str | None) -> TypeGuard[str]:
    """Whether there can be a session of this key."""
    return key is not None and SESSION_KEY_PATTERN.fullmatch(key) is not None


async def load_session_user(session_key: str | None) -> Any:
    """The user whom this session signs in, or None. Raises DatabaseError."""
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


# To put `filter(… __in=…)` together, or to take in what `raw` brings, costs the ORM more than all
# the rest of an answer, and every socket waits for it. Columns are named, since a prepared
# `SELECT *` fails once a newer version has added one.


def _read_unexpired(
    session_keys: Collection[str],
) -> tuple[dict[str, Mapping[str, Any]], dict[Any, Any]]:
    """What is in those of these sessions that have not expired; and by their ids the users whose
    sessions they were, which nearly always they still are: who comes back costs one query."""
    known = {key: _owner_ids[key] for key in session_keys if key in _owner_ids}
    whose = f"CASE s.session_key {'WHEN %s THEN %s ' * len(known)}END" if known else "NULL"
    columns = ", ".join(f"u.{field.column}" for field in _get_user_fields())
    sql = f"""
        SELECT s.session_key, s.session_data, {columns}
          FROM {Session._meta.db_table} s
          LEFT JOIN {get_user_model()._meta.db_table} u ON u.id = {whose}
         WHERE s.expire_date > CURRENT_TIMESTAMP
           AND s.session_key IN ({_placeholders(session_keys)})
        """  # noqa: S608 our own names
    with connection.cursor() as cursor:
        cursor.execute(sql, [*chain.from_iterable(known.items()), *session_keys])
        rows = cursor.fetchall()
    opened: dict[str, Mapping[str, Any]] = {
        key: SessionStore().decode(data) for key, data, *_ in rows
    }
    users = [_user_from_row(row) for _, _, *row in rows]
    return opened, {user.pk: user for user in users if user.pk is not None}


def _read_users(ids: Collection[Any]) -> dict[Any, Any]:
    if not ids:
        return {}
    columns = ", ".join(str(field.column) for field in _get_user_fields())
    table = get_user_model()._meta.db_table
    sql = f"SELECT {columns} FROM {table} WHERE id IN ({_placeholders(ids)})"  # noqa: S608 our own names
    with connection.cursor() as cursor:
        cursor.execute(sql, [*ids])
        return {user.pk: user for user in map(_user_from_row, cursor.fetchall())}


def _get_user_fields() -> list[Any]:
    """With what sockets ask of a user. The rest is fetched when it is touched, as by `only`."""
    fields = get_user_model()._meta.concrete_fields
    return [field for field in fields if field.attname in USER_FIELDS]


def _user_from_row(row: Sequence[Any]) -> Any:
    return get_user_model().from_db(connection.alias, USER_FIELDS, row)


def _placeholders(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _parse_user_id(data: Mapping[str, Any]) -> Any:
    """None in a session that signs nobody in: it must not spoil the answer for the others."""
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
