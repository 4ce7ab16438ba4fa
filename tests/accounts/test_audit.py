"""Audit events name accounts and facts, and outlive the accounts."""

import pytest
from django.test import RequestFactory

from accounts.audit.events import record_event
from accounts.audit.kinds import KEY_REMOVED, KEY_SAVED, register_kind
from accounts.models import AuditEvent, User


def test_an_event_names_the_account_the_actor_and_the_address(
    owner: User, administrator: User
) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    request.user = administrator
    record_event(KEY_REMOVED, owner, request=request, provider="openai")
    event = AuditEvent.objects.get()
    assert (event.kind, event.account_id, event.actor_id) == (
        "key.removed",
        owner.pk,
        administrator.pk,
    )
    assert (event.ip, event.facts) == ("192.0.2.7", {"provider": "openai"})


def test_without_a_request_the_account_is_the_actor(owner: User) -> None:
    record_event(KEY_SAVED, owner)
    event = AuditEvent.objects.get()
    assert (event.actor_id, event.ip, event.facts) == (owner.pk, None, {})


def test_an_event_outlives_its_account(owner: User) -> None:
    record_event(KEY_SAVED, owner)
    id = owner.pk
    owner.delete()
    assert AuditEvent.objects.get().account_id == id


def test_a_kind_is_registered_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        register_kind("key.saved", "again")
