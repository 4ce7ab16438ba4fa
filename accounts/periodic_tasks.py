"""Periodic tasks of workers for accounts: delete expired sessions, tokens and limits, refresh lists
of models, purge audit events, and delete accounts."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import cache, server_lists
from accounts.audit.events import purge_events
from accounts.deletion import erasure, orphans
from accounts.sessions.tracking import delete_records_of_ended_sessions
from accounts.tokens.tokens import delete_expired_tokens
from streaming.sources import register_periodic_task

SESSIONS_PER_BATCH = 200
"""Sessions in one transaction, because on SQLite all other writers wait for it."""
MAX_BATCHES = 50
"""Batches in one run of a worker; the next run follows in a minute."""


def delete_expired_sessions() -> None:
    """Sends no notification, because open connections check the expiry themselves."""
    for _ in range(MAX_BATCHES):
        expired = Session.objects.filter(expire_date__lt=timezone.now())
        keys = list(expired.values_list("session_key", flat=True)[:SESSIONS_PER_BATCH])
        # One statement, because Django's own `delete` would first read the data of each session.
        expired.filter(session_key__in=keys)._raw_delete(expired.db)
        if len(keys) < SESSIONS_PER_BATCH:
            return


def register_tasks() -> None:
    register_periodic_task(delete_expired_sessions)
    register_periodic_task(delete_records_of_ended_sessions)
    register_periodic_task(delete_expired_tokens)
    register_periodic_task(cache.delete_expired_entries)
    register_periodic_task(server_lists.start_refresh)
    register_periodic_task(purge_events)
    erasure.register_tasks()
    register_periodic_task(orphans.search_orphans)
