"""Ends all sessions of people, for an administrator."""

from __future__ import annotations

from collections.abc import Collection

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from accounts.models import User

SESSIONS_PER_READ = 500


def end_all_sessions(users: Collection[User]) -> dict[int, int]:
    """Return how many sessions of each account ended, by its id. Open sockets of these sessions are
    closed at once (accounts/signals.py)."""
    owners = _find_owners({user.pk for user in users})
    counts = dict.fromkeys((user.pk for user in users), 0)
    keys = sorted(owners)
    for first in range(0, len(keys), SESSIONS_PER_READ):
        batch = Session.objects.filter(session_key__in=keys[first : first + SESSIONS_PER_READ])
        for session in batch:
            counts[owners[session.session_key]] += 1
        batch.delete()
    UserSession.objects.filter(user__in=counts).delete()
    return counts


def _find_owners(user_ids: set[int]) -> dict[str, int]:
    """The ids of the accounts by the keys of their sessions. A session without a record, such as
    from before an upgrade, has to be read for its account."""
    records = UserSession.objects.filter(user__in=user_ids)
    owners: dict[str, int] = dict(records.values_list("session_key", "user_id"))
    recorded = UserSession.objects.filter(session_key=OuterRef("session_key"))
    unrecorded = Session.objects.exclude(Exists(recorded))
    for session in unrecorded.iterator(chunk_size=SESSIONS_PER_READ):
        user_id = session.get_decoded().get(SESSION_KEY)
        if user_id is not None and int(user_id) in user_ids:
            owners[session.session_key] = int(user_id)
    return owners
