"""Chats are deleted some days after their last message, by the rule of their owner and that of the
installation."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEvent, User
from chat.conversations import purge_deleted
from chat.models import Conversation
from chat.retention import expiry

PATH = "/settings/data/"


def create_chat(user: User, days: float, **fields: object) -> Conversation:
    """A chat whose last message is so many days old."""
    chat = Conversation.objects.create(user=user, title=f"{days} days", **fields)
    old = timezone.now() - timedelta(days=days)
    Conversation.objects.filter(pk=chat.pk).update(updated_at=old)
    return chat


def read_days(user: User) -> int | None:
    return User.objects.get(pk=user.pk).retention_days


def list_kept() -> set[str]:
    expiry.delete_expired()
    return set(Conversation.objects.filter(deleted_at=None).values_list("title", flat=True))


def choose_days(user: User, days: int | None) -> None:
    User.objects.filter(pk=user.pk).update(retention_days=days)
    user.retention_days = days


def test_chats_are_kept_by_default(owner: User) -> None:
    create_chat(owner, 4_000)
    assert list_kept() == {"4000 days"}


def test_a_rule_of_a_person_deletes_only_their_old_chats(owner: User, colleague: User) -> None:
    choose_days(owner, 10)
    create_chat(owner, 11)
    create_chat(owner, 9)
    create_chat(owner, 12, pinned=True)
    create_chat(owner, 13, status="streaming")
    create_chat(colleague, 14)
    assert list_kept() == {"9 days", "12 days", "13 days", "14 days"}


def test_the_rule_of_the_installation_holds_for_pinned_chats_too(
    owner: User, colleague: User, settings: Settings
) -> None:
    settings.RETENTION_DAYS = 20
    choose_days(owner, 10)
    for user in (owner, colleague):
        create_chat(user, 21, pinned=True)
        create_chat(user, 15)
    create_chat(owner, 16, pinned=True)
    create_chat(colleague, 22, status="streaming")
    assert list_kept() == {"15 days", "16 days", "22 days"}


def test_an_expired_chat_is_really_deleted(owner: User) -> None:
    choose_days(owner, 10)
    chat = create_chat(owner, 11)
    expiry.delete_expired()
    Conversation.objects.update(deleted_at=timezone.now() - timedelta(minutes=1))
    purge_deleted()
    assert not Conversation.objects.filter(pk=chat.pk).exists()


def test_many_chats_expire_in_batches(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "CHATS_PER_BATCH", 2)
    choose_days(owner, 1)
    for days in range(2, 7):
        create_chat(owner, days)
    before = owner.revision
    assert list_kept() == set()
    owner.refresh_from_db()
    assert owner.revision == before + 3


def test_the_page_lists_the_chats_that_go_next(owner: User, as_owner: Client) -> None:
    choose_days(owner, 10)
    for days in (4, 2):
        create_chat(owner, days)
    create_chat(owner, 5, pinned=True)
    html = as_owner.get(PATH).content.decode()
    assert "1 chat will be deleted within 7 days" in html
    assert "4 days" in html
    assert "2 days" not in html
    assert "5 days" not in html


def test_a_rule_that_deletes_chats_at_once_asks_first(owner: User, as_owner: Client) -> None:
    create_chat(owner, 11)
    refused = as_owner.post(PATH, {"days": "10"})
    assert refused.status_code == 422
    assert "Delete 1 chat now, for good" in refused.content.decode()
    assert read_days(owner) is None
    assert as_owner.post(PATH, {"days": "10", "confirmed": "on"}).status_code == 302
    assert read_days(owner) == 10
    event = AuditEvent.objects.get(kind="retention.changed")
    assert (event.account_id, event.facts) == (owner.pk, {"days": 10})


def test_the_rule_of_a_person_may_not_be_longer_than_that_of_the_installation(
    owner: User, as_owner: Client, settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30
    refused = as_owner.post(PATH, {"days": "31"})
    assert "This installation keeps chats for 30 days at most." in refused.content.decode()
    for days in ("30", ""):
        assert as_owner.post(PATH, {"days": days}).status_code == 302
    owner.refresh_from_db()
    assert owner.retention_days is None


@pytest.mark.parametrize("days", ["0", "-1", "x", "1e3", "99999999999999999999"])
def test_a_rule_of_no_sense_is_refused(as_owner: Client, owner: User, days: str) -> None:
    assert as_owner.post(PATH, {"days": days}).status_code == 422
    owner.refresh_from_db()
    assert owner.retention_days is None
