"""Workers clean up: each kind of data that grows has a task, and each run is bounded."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import cache, periodic_tasks
from accounts.models import CacheEntry, User
from chat.drafts import storage
from chat.drafts.models import Draft
from chat.models import RenderedText
from chat.rendering.cache import purge_cache
from streaming.sources import get_periodic_tasks
from tests.chat.factories import start_reply

pytestmark = pytest.mark.django_db

CLEANED = {
    "expired sessions": "delete_expired_sessions",
    "expired limits": "delete_expired_entries",
    "old, cleared and orphaned drafts": "purge_drafts",
    "rendered HTML of deleted messages": "purge_cache",
    "conversations after their undo": "purge_deleted",
    "addresses that an older version stored": "hide_addresses",
}


def test_every_kind_of_data_that_expires_has_a_task() -> None:
    names = {task.__name__ for task in get_periodic_tasks()}
    assert {*CLEANED.values()} <= names


def create_drafts(user_id: int, count: int, **fields: object) -> None:
    Draft.objects.bulk_create(
        Draft(pk=uuid4(), user_id=user_id, version=1, **({"text": "x"} | fields))
        for _ in range(count)
    )


@pytest.mark.parametrize("kind", ["old", "cleared", "orphaned"])
def test_a_run_deletes_a_bounded_number_of_drafts_and_the_next_ones_the_others(
    owner: User, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(storage, "MAX_PURGED_AT_ONCE", 4)
    monkeypatch.setattr(storage, "_last_checked_id", None)
    past = timezone.now() - storage.DRAFT_LIFETIME - timedelta(days=1)
    create_drafts(owner.pk, 3)
    if kind == "orphaned":
        create_drafts(owner.pk + 1_000, 10)
    else:
        create_drafts(owner.pk, 10, updated_at=past, text="" if kind == "cleared" else "x")
    before = Draft.objects.count()
    storage.purge_drafts()
    assert before - 12 <= Draft.objects.count() < before
    for _ in range(8):
        storage.purge_drafts()
    assert Draft.objects.count() == 3


def test_a_purge_of_drafts_reads_no_whole_table(owner: User) -> None:
    create_drafts(owner.pk, 5)
    with CaptureQueriesContext(connection) as queries:
        storage.purge_drafts()
    reads = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert all("LIMIT" in sql or " IN (" in sql for sql in reads)


def test_sessions_and_limits_are_deleted_in_bounded_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(periodic_tasks, "SESSIONS_PER_BATCH", 2)
    monkeypatch.setattr(periodic_tasks, "MAX_BATCHES", 2)
    monkeypatch.setattr(cache, "PURGE_BATCH_ROWS", 2)
    monkeypatch.setattr(cache, "MAX_PURGE_BATCHES", 2)
    past = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"{n:032}", session_data="", expire_date=past) for n in range(5)
    )
    CacheEntry.objects.bulk_create(
        CacheEntry(key=f"limit:{n}", value="1", expires_at=1.0) for n in range(5)
    )
    for remaining in (1, 0):
        periodic_tasks.delete_expired_sessions()
        cache.delete_expired_entries()
        assert (Session.objects.count(), CacheEntry.objects.count()) == (remaining, remaining)


def test_the_html_of_a_deleted_message_is_deleted(owner: User) -> None:
    """Processes of a version without its table delete messages only."""
    kept, gone = start_reply(owner).answer, uuid4()
    for message_id in (kept.pk, gone):
        RenderedText.objects.create(
            message_id=message_id, field="content", digest="x", html="<p>", size=3
        )
    purge_cache()
    assert [row.message_id for row in RenderedText.objects.all()] == [kept.pk]
