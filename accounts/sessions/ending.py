"""Ends sessions: all of people, for an administrator, and all others of a person."""

from __future__ import annotations

from collections.abc import Collection

from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.decorators import UserRequest
from accounts.models import User
from accounts.pending_sign_ins import find_pending_user_id
from accounts.program_access import end_program_access

SESSIONS_PER_READ = 500


def end_all_sessions(users: Collection[User]) -> dict[int, int]:
    """Return how many sessions of each account ended, by its id. The access of programs ends,
    too. Open sockets are closed at once (accounts/signals.py). Call it in a transaction."""
    _start_generation(users)
    for user in users:
        end_program_access(user)
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


def _start_generation(users: Collection[User]) -> None:
    """A session that gets a new key in this moment is not among those that are deleted. It ends
    with its generation."""
    ids = [user.pk for user in users]
    for stored in User.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True):
        stored.session_generation = (stored.session_generation or 0) + 1
        stored.save(update_fields=["session_generation"])


def _find_owners(user_ids: set[int]) -> dict[str, int]:
    """The ids of the accounts by the keys of their sessions. A session without a record, such as
    from before an upgrade, and one that is half signed in, has to be read for its account."""
    records = UserSession.objects.filter(user__in=user_ids)
    owners: dict[str, int] = dict(records.values_list("session_key", "user_id"))
    recorded = UserSession.objects.filter(session_key=OuterRef("session_key"))
    unrecorded = Session.objects.exclude(Exists(recorded))
    for session in unrecorded.iterator(chunk_size=SESSIONS_PER_READ):
        data = session.get_decoded()
        user_id = data.get(SESSION_KEY, find_pending_user_id(data))
        if user_id is not None and int(user_id) in user_ids:
            owners[session.session_key] = int(user_id)
    return owners


def end_other_sessions(request: UserRequest) -> int:
    """End all sessions of the person but this one. Return how many of them had a record.

    A session that only opened sockets and event streams has no record. The new generation ends it
    too, without reading the whole table of sessions. This session is saved before the commit,
    because its sockets check it again at once.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=request.user.pk)
        user.session_generation = (user.session_generation or 0) + 1
        user.save(update_fields=["session_generation"])
        request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        try:
            request.session.save()
        except UpdateError as error:
            raise SessionInterrupted("Another device ended this session meanwhile.") from error
        others = UserSession.objects.filter(user=user)
        return delete_sessions(others.exclude(session_key=request.session.session_key))


def delete_sessions(records: QuerySet[UserSession]) -> int:
    """Return how many there were."""
    ended = list(records)
    for record in ended:
        _delete_session(record)
    UserSession.objects.filter(pk__in=[record.pk for record in ended]).delete()
    return len(ended)


def _delete_session(record: UserSession) -> None:
    """Its own request may give it a new key meanwhile, which its record then names."""
    key, known = record.session_key, UserSession.objects.filter(pk=record.pk)
    while key:
        with transaction.atomic():
            row = Session.objects.select_for_update().filter(session_key=key).first()
            if row is not None:
                row.delete()
                return
        newer = known.exclude(session_key=key).values_list("session_key", flat=True)
        key = newer.first() or ""
