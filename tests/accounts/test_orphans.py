"""Rows of accounts that an older process deleted, which does not know their tables, are deleted."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from accounts.deletion import erasure, orphans
from accounts.invitations.links import create_invitation
from accounts.models import (
    AccountDeletion,
    AuditEvent,
    Invitation,
    InvitationUse,
    LedgerEntry,
    User,
    UserLimits,
)
from chat.content_access.grants import grant_access
from chat.models import Draft
from tests.accounts.connections import create_connection
from tests.table_scan import find_traces


def fill_unconstrained_tables(user: User, administrator: User) -> None:
    LedgerEntry.objects.create(user=user, month=date(2026, 5, 1), provider="openai", model="m")
    UserLimits.objects.create(user=user, unfinished_replies=7)
    made = create_invitation(days=1, made_by=user)[0]
    InvitationUse.objects.create(invitation=made, user=user)
    create_connection("openai", user, name=f"Lab of {user.pk}")
    grant_access(administrator, user, hours=1, reason="A question")
    Draft.objects.create(id=uuid4(), user=user, text="Unsent", version=1, writer="w")


def find_places(user: User) -> set[str]:
    """Tables that name the account. Events of the audit trail keep the ids of deleted accounts."""
    return {table for table, _, _ in find_traces([], user.pk)} - {AuditEvent._meta.db_table}


def delete_as_an_older_process(user: User) -> None:
    rows = User.objects.filter(pk=user.pk)
    rows._raw_delete(rows.db)


@pytest.fixture
def administrator(transactional_db: None) -> User:
    return User.objects.create_superuser("administrator@holdfast.test")


def test_rows_of_accounts_that_are_gone_are_deleted(
    administrator: User, owner: User, colleague: User
) -> None:
    fill_unconstrained_tables(owner, administrator)
    fill_unconstrained_tables(colleague, administrator)
    kept = find_places(colleague)
    delete_as_an_older_process(owner)
    assert len(find_places(owner)) > 6
    orphans.request_erasure_of_orphans()
    erasure.erase_accounts()
    assert find_places(owner) == set()
    assert find_places(colleague) == kept
    assert Invitation.objects.filter(made_by=None).count() == 1, "the invitation itself stays"


def test_an_unfinished_deletion_ends_if_the_account_is_gone(administrator: User) -> None:
    gone = User.objects.create_user("gone@holdfast.test")
    AccountDeletion.objects.create(user=gone, actor_id=gone.pk)
    delete_as_an_older_process(gone)
    erasure.erase_accounts()
    assert not AccountDeletion.objects.exists()


def test_an_account_that_exists_loses_nothing(administrator: User, owner: User) -> None:
    fill_unconstrained_tables(owner, administrator)
    kept = find_places(owner)
    orphans.request_erasure_of_orphans()
    assert not AccountDeletion.objects.exists()
    assert find_places(owner) == kept


def test_a_worker_searches_once_in_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []
    monkeypatch.setattr(orphans, "request_erasure_of_orphans", lambda: searches.append(1))
    monkeypatch.setattr(orphans, "_next_search_at", 0.0)
    orphans.search_orphans()
    orphans.search_orphans()
    assert len(searches) == 1
