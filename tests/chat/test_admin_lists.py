"""Each list of the admin stands under a topic, and costs few queries for many rows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.admin_topics import TOPICS
from accounts.models import (
    AccessToken,
    ApiKey,
    AuditEvent,
    Connection,
    Invitation,
    LedgerEntry,
    User,
)
from chat.models import (
    ContentGrant,
    Conversation,
    Message,
    ModelOverride,
    RefusedParameter,
    Webhook,
)
from streaming.models import Stream, Worker
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

ROWS = 200
MAX_QUERIES = 9
"""The session, the person, the permissions, counts, the rows and the filters."""


@pytest.fixture
def as_administrator(password: str) -> Client:
    user = User.objects.create_superuser("administrator@holdfast.test", password)
    client = create_signed_in_client(user)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


def list_models() -> list[str]:
    return [model._meta.label for model in admin.site._registry]


def test_each_model_of_the_admin_was_put_under_a_topic() -> None:
    expected = [label for _name, models in TOPICS.values() for label in models]
    assert sorted(list_models()) == sorted(expected)


def test_the_index_shows_topics_in_order(as_administrator: Client) -> None:
    html = as_administrator.get("/admin/").content.decode()
    main = html[html.index('id="content-main"') :]
    names = re.findall(r'class="section"[^>]*>\s*(.*?)\s*<', main)
    assert names == ["People", "Keys and connections", "Chats", "Streams", "Audit"]
    for words in ("Keys of people", "Usage", "Access to content", "Linked accounts"):
        assert f">{words}</a>" in main


def test_the_index_shows_only_what_a_clerk_may_see() -> None:
    clerk = User.objects.create_user("clerk@holdfast.test", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_stream"))
    html = create_signed_in_client(clerk).get("/admin/").content.decode()
    main = html[html.index('id="content-main"') :]
    assert re.findall(r'class="section"[^>]*>\s*(.*?)\s*<', main) == ["Streams"]


def create_rows() -> None:
    """A row of each model for each of many people."""
    now = timezone.now()
    soon = now + timedelta(hours=1)
    numbers = range(ROWS)
    people = User.objects.bulk_create(User(email=f"{n}@holdfast.test") for n in numbers)
    giver = people[0]
    Group.objects.bulk_create(Group(name=f"Group {n}") for n in numbers)
    Connection.objects.bulk_create(Connection(kind="openai", name=f"{n}") for n in numbers)
    ModelOverride.objects.bulk_create(ModelOverride(model_id=f"m{n}") for n in numbers)
    RefusedParameter.objects.bulk_create(
        RefusedParameter(endpoint="openai", model_id=f"m{n}", parameter="top_p") for n in numbers
    )
    workers = Worker.objects.bulk_create(Worker(lease_until=soon) for _ in numbers)
    for number, person in enumerate(people):
        EmailAddress.objects.create(user=person, email=person.email)
        SocialAccount.objects.create(user=person, provider="github", uid=f"{number}")
        Invitation.objects.create(token_hash=f"{number}", made_by=person, expires_at=soon)
        ApiKey.objects.create(user=person, provider="openai", sealed=b"x", created_at=now)
        AccessToken.objects.create(user=person, name="Program", token_hash=f"{number}")
        Webhook.objects.create(user=person, address="https://example.org/")
        LedgerEntry.objects.create(user=person, month=now.date(), provider="openai", model="m")
        AuditEvent.objects.create(kind="key.saved", account_id=person.pk)
        ContentGrant.objects.create(
            reader=person, person=giver, granted_by=giver if number else None, until=soon
        )
        stream = Stream.objects.create(
            owner=person, request_id=uuid4(), source="reply", worker=workers[number]
        )
        conversation = Conversation.objects.create(user=person)
        Message.objects.create(conversation=conversation, role="assistant", stream=stream)


def test_each_list_has_few_queries_for_many_rows(
    as_administrator: Client, django_assert_max_num_queries: Any
) -> None:
    create_rows()
    for model in admin.site._registry:
        assert model.objects.count() >= ROWS, model  # type: ignore[attr-defined]
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        as_administrator.get(path)
        with django_assert_max_num_queries(MAX_QUERIES, info=str(model)):
            assert as_administrator.get(path).status_code == 200


def test_forms_do_not_list_all_people(as_administrator: Client) -> None:
    """Each would be a page of megabytes in a large installation."""
    User.objects.bulk_create(User(email=f"crew-{n}@holdfast.test") for n in range(ROWS))
    opened = set()
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
        answer = as_administrator.get(path)
        if answer.status_code == 200:
            opened.add(model._meta.label)
            assert "crew-7@" not in answer.content.decode(), model
    assert {"accounts.Connection", "chat.ContentGrant", "account.EmailAddress"} <= opened
