"""What the workers tidy up for accounts: sessions that are over, and limits that have expired."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import cache
from streaming.sources import register_periodic_task

SESSIONS_PER_BATCH = 200
"""Sessions in one transaction: on SQLite everybody else waits for as long as it takes."""
MAX_BATCHES = 50
"""In one go of a worker, which comes again in a minute."""


def delete_expired_sessions() -> None:
    """Delete sessions that have expired. Nobody is told of it: their sockets find out by
    themselves."""
    for _ in range(MAX_BATCHES):
        expired = Session.objects.filter(expire_date__lt=timezone.now())
        keys = list(expired.values_list("session_key", flat=True)[:SESSIONS_PER_BATCH])
        # As one statement: Django's own `delete` would first read what is in each of them.
        expired.filter(session_key__in=keys)._raw_delete(expired.db)
        if len(keys) < SESSIONS_PER_BATCH:
            return


def register_tasks() -> None:
    register_periodic_task(delete_expired_sessions)
    register_periodic_task(cache.delete_expired_entries)
