"""Deletes all sessions of an account. Django's table of sessions has no column for the account, so
all of them are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session

from accounts.email_addresses import list_all_emails
from accounts.models import User

SESSIONS_PER_READ = 500


def delete_sessions(user_id: int, limit: int) -> int:
    """Delete the sessions that sign in to this account, and anonymous ones that name its id or one
    of its addresses, such as in the middle of a sign-in. An anonymous session with a draft stays.
    """
    recorded = UserSession.objects.filter(user_id=user_id)
    keys = {*recorded.values_list("session_key", flat=True), *_find_session_keys(user_id)}
    batch = sorted(keys)[:limit]
    Session.objects.filter(session_key__in=batch).delete()
    recorded.filter(session_key__in=batch).delete()
    return len(batch)


def _find_session_keys(user_id: int) -> Iterator[str]:
    ids, emails = _build_ids_by_field(user_id), frozenset(list_all_emails(user_id))
    after = ""
    while True:
        rows = Session.objects.filter(session_key__gt=after).order_by("session_key")
        sessions = list(rows[:SESSIONS_PER_READ])
        for session in sessions:
            data = session.get_decoded()
            signed_in = data.get(SESSION_KEY)
            is_mine = signed_in == str(user_id)
            if is_mine or (signed_in is None and _names_account(data, ids, emails)):
                yield session.session_key
        if len(sessions) < SESSIONS_PER_READ:
            return
        after = sessions[-1].session_key


def _build_ids_by_field(user_id: int) -> dict[str, str]:
    """The fields in which allauth's flows of several steps hold the id of an account."""
    url_id = user_pk_to_url_str(User(pk=user_id))
    id = str(user_id)
    return {"user_pk": url_id, "user_id": id, "account_authentication_methods_user": id}


def _names_account(
    value: Any, ids: Mapping[str, str], emails: frozenset[str], field: str = ""
) -> bool:
    if isinstance(value, dict):
        return any(_names_account(part, ids, emails, name) for name, part in value.items())
    if isinstance(value, list):
        return any(_names_account(part, ids, emails, field) for part in value)
    if not isinstance(value, str):
        return False
    return value == ids.get(field) or value.strip().lower() in emails
