"""Whom the sessions of sockets sign in, asked for many of them at once.

By Django's own rules (`django.contrib.auth.get_user`): the session exists and has not expired, its
backend is still in use, its user is active, and the password is the one it was opened with. Django
asks for one session at a time, in two queries, and Channels' middleware in a thread for each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.crypto import constant_time_compare

from streaming.database import Gathered


async def signed_in(session_key: str | None) -> Any:
    """The user whom this session signs in, or None."""
    return await _gathered.ask(session_key) if session_key else None


def _signed_in(session_keys: Collection[str]) -> Mapping[str, Any]:
    opened = _opened(session_keys)
    ids = {key: _user_id(data) for key, data in opened.items()}
    users = {user.pk: user for user in _users({*ids.values()} - {None})}
    found = {key: users.get(user_id) for key, user_id in ids.items()}
    return {key: user for key, user in found.items() if user and _is_good(opened[key], user)}


# To put `filter(… __in=…)` together takes the ORM longer than all the rest of an answer, and every
# socket asks twice before its first word. Columns are named, since a prepared `SELECT *` fails once
# a newer version has added one.


def _opened(session_keys: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """What is in those of these sessions that have not expired."""
    sql = f"""
        SELECT session_key, session_data FROM {Session._meta.db_table}
         WHERE expire_date > CURRENT_TIMESTAMP AND session_key IN ({_marks(session_keys)})
        """  # noqa: S608 our own names
    with connection.cursor() as cursor:
        cursor.execute(sql, [*session_keys])
        return {key: SessionStore().decode(data) for key, data in cursor.fetchall()}


def _users(ids: Collection[Any]) -> Iterable[Any]:
    if not ids:
        return []
    model = get_user_model()
    columns = ", ".join(str(field.column) for field in model._meta.concrete_fields)
    sql = f"SELECT {columns} FROM {model._meta.db_table} WHERE id IN ({_marks(ids)})"  # noqa: S608 our own names
    return model._default_manager.raw(sql, [*ids])


def _marks(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _user_id(data: Mapping[str, Any]) -> Any:
    """None in a session that signs nobody in: it must not spoil the answer for the others."""
    try:
        return get_user_model()._meta.pk.to_python(data.get(SESSION_KEY))
    except ValidationError:
        return None


def _is_good(data: Mapping[str, Any], user: AbstractBaseUser) -> bool:
    if not user.is_active or data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(data.get(HASH_SESSION_KEY, ""), good) for good in hashes)


_gathered = Gathered(_signed_in)
