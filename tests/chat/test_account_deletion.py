"""Nothing of a deleted account remains in any table, and others lose nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.api_keys import keys
from accounts.audit.events import record_event
from accounts.audit.kinds import KEY_SAVED
from accounts.deletion import erasure
from accounts.deletion.registry import DATA_KINDS, MODELS_WITHOUT_ACCOUNT
from accounts.invitations.links import create_invitation
from accounts.models import (
    AccountDeletion,
    AuditEvent,
    InvitationUse,
    LedgerEntry,
    ListedModel,
    User,
    UserLimits,
)
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.content_access.grants import grant_access
from chat.doors.durable_streams import writing
from chat.doors.durable_streams.requests import Addition, Creation, Producer
from chat.drafts import storage
from chat.drafts.storage import DraftChange
from chat.models import (
    ClientThread,
    Conversation,
    DeletedSize,
    GatewayConversation,
    GatewayResponse,
    IdempotentRequest,
    Message,
    RenderedText,
    ToolPart,
)
from chat.webhooks.actions import create_webhook
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.journal import Append
from streaming.lifecycle import Ending
from streaming.models import Stream, StreamChunk
from tests.accounts.connections import create_connection
from tests.chat.factories import extend_conversation, finish_reply, start_reply, write_reply
from tests.factories import build_chunks, create_session_key, create_signed_in_client
from tests.table_scan import KEYS, ROLES, find_in_value, find_traces, list_references

CANARY = "quagga-7f31"
SECOND_ADDRESS = "second-quagga-7f31@holdfast.test"
DELETION = "/settings/data/deletion/"


@pytest.fixture
def canaries(owner: User) -> list[str]:
    return [CANARY, owner.email, owner.name]


@pytest.fixture
def administrator(db: None, password: str) -> User:
    return User.objects.create_superuser("administrator@holdfast.test", password)


def fill_account(owner: User, administrator: User) -> list[Stream]:
    """Give the account at least one row of every kind of data. Return its running streams."""
    create_webhook(owner, f"https://example.org/{CANARY}")
    first = start_reply(owner, f"{CANARY} question", system_prompt=f"{CANARY} prompt")
    finish_reply(first, f"{CANARY} answer")
    journal.fold_chunks(
        first.stream.pk, journal.pack_chunks(journal.read_text_and_rows(first.stream.pk)[1])
    )
    create_signed_in_client(owner).get(f"/c/{first.conversation.pk}/")  # renders it
    assert RenderedText.objects.exists()
    running = []
    for number in range(3):
        reply = start_reply(owner, f"{CANARY} running {number}")
        running.append(write_reply(reply, f"{CANARY} so far"))
    lifecycle.enqueue(
        owner=owner,
        request_id=uuid4(),
        source="title",
        arguments={"message": str(first.answer.pk), "model": CANARY},
        lane=f"{first.conversation.pk} title",
    )
    Conversation.objects.filter(pk=first.conversation.pk).update(title=f"{CANARY} title")
    change = DraftChange(f"{CANARY} draft", {"system_prompt": CANARY}, 0, 1, str(uuid4()))
    storage.save_draft(owner, uuid4(), change, first.conversation)
    storage.save_draft(owner, uuid4(), change, None)
    key = keys.save(owner, "openai", f"sk-{CANARY}-0123456789")
    ListedModel.objects.create(key=key, position=0, model_id="m")
    add_sign_in_data(owner)
    add_admin_data(owner, administrator)
    add_data_of_programs(owner)
    missing = [
        label
        for kind in DATA_KINDS.values()
        for label in kind.models
        if label not in NOT_FILLED and not apps.get_model(label)._base_manager.exists()
    ]
    assert not missing, f"give the account a row of each kind: {missing}"
    return running


NOT_FILLED = {"accounts.AccountDeletion"}
"""The deletion itself makes it."""


def add_data_of_programs(owner: User) -> None:
    create_token(owner, CANARY, [Scope.READ], None)
    IdempotentRequest.objects.create(request_id=uuid4(), user=owner, digest="0" * 64)
    conversation = Conversation.objects.filter(user=owner).first()
    ClientThread.objects.create(user=owner, door="x", name=CANARY, conversation=conversation)
    row = {"user": owner, "conversation": conversation}
    answer = Message.objects.filter(conversation=conversation, role="assistant").first()
    assert answer is not None
    stream = answer.stream
    assert stream is not None
    ToolPart.objects.create(message=answer, kind="call", call_id=CANARY, name=CANARY, text=CANARY)
    GatewayResponse.objects.create(**row, answer=answer, stream=stream, developer_text=CANARY)
    GatewayConversation.objects.create(**row, metadata={"note": CANARY})
    DeletedSize.objects.create(conversation_id=uuid4(), user=owner, size=1, sent_at=timezone.now())
    producer = Producer(CANARY, epoch=0, sequence=0)
    creation = Creation("text/plain", None, "", None, False, None, CANARY.encode())
    writing.create(owner, CANARY, creation)
    writing.append(owner, CANARY, Addition("text/plain", "", producer, True, CANARY.encode()))


def add_sign_in_data(owner: User) -> None:
    EmailAddress.objects.create(user=owner, email=owner.email, primary=True, verified=True)
    second = EmailAddress.objects.create(user=owner, email=SECOND_ADDRESS, verified=True)
    EmailConfirmation.create(second)
    Authenticator.objects.create(user=owner, type="totp", data={"secret": CANARY})
    linked = SocialAccount.objects.create(user=owner, provider="x", uid=CANARY)
    app = SocialApp.objects.create(provider="x", name="X", client_id="1")
    SocialToken.objects.create(app=app, account=linked, token=CANARY)
    for _ in range(3):
        key = create_session_key(owner)
    UserSession.objects.create(user=owner, ip="192.0.2.1", session_key=key, user_agent=CANARY)


def add_admin_data(owner: User, administrator: User) -> None:
    owner.groups.add(Group.objects.create(name="Readers"))
    owner.user_permissions.add(Permission.objects.all()[0])
    LogEntry.objects.log_actions(administrator.pk, [owner], CHANGE, single_object=True)
    LogEntry.objects.log_actions(owner.pk, [administrator], CHANGE, single_object=True)
    record_event(KEY_SAVED, owner, provider=CANARY)
    invited = create_invitation(days=1, made_by=owner)[0]
    InvitationUse.objects.create(invitation=invited, user=owner)
    create_invitation(email=SECOND_ADDRESS, days=1)
    grant_access(administrator, owner, hours=1, reason=CANARY)
    UserLimits.objects.create(user=owner, stored_chars=10**6)
    create_connection("openai", owner)
    today = timezone.now().date()
    LedgerEntry.objects.create(user=owner, month=today, provider="openai", model="m")


def build_half_session(**data: Any) -> str:
    """An anonymous session, as in the middle of a sign-in."""
    client = Client()
    session = client.session
    session.update(data)
    session.save()
    assert session.session_key
    return session.session_key


def create_confirmed_client(user: User, password: str) -> Client:
    """A browser in which the person has just typed the password."""
    client = create_signed_in_client(user)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


@pytest.mark.usefixtures("transactional_db")
def test_deletion_during_three_replies_leaves_no_trace_of_the_account(
    owner: User, colleague: User, administrator: User, password: str, canaries: list[str]
) -> None:
    browser = create_confirmed_client(owner, password)
    running = fill_account(owner, administrator)
    theirs = start_reply(colleague, "Mine stays.")
    half = build_half_session(account_login={"user_pk": None, "email": SECOND_ADDRESS})
    draft = build_half_session(draft={"text": "An anonymous draft"})
    assert find_traces(canaries, owner.pk)
    assert not list_texts_in_names()

    assert browser.post(DELETION, {"email": owner.email.upper()}).status_code == 302
    assert browser.get("/settings/data/").status_code == 302
    assert not Stream.objects.unfinished().filter(owner=owner).exists()
    erasure.erase_accounts()

    for stream in running:
        assert not append_late(stream)
        ending = Ending.from_finish(Finish("stop"))
        assert not lifecycle.end(stream.pk, stream.epoch, ending)
    traces = find_traces(canaries, owner.pk)
    assert {(table, column) for table, column, _ in traces} == {
        ("accounts_auditevent", "account_id"),
        ("accounts_auditevent", "actor_id"),
    }
    assert not StreamChunk.objects.exclude(stream__in=Stream.objects.all()).exists()
    events = AuditEvent.objects.filter(account_id=owner.pk)
    assert set(events.values_list("ip", "facts__provider")) == {(None, None)}
    assert {"deletion.requested", "deletion.completed"} <= set(
        events.values_list("kind", flat=True)
    )
    keys_left = set(Session.objects.values_list("session_key", flat=True))
    assert half not in keys_left
    assert draft in keys_left
    assert Message.objects.filter(conversation=theirs.conversation).count() == 2
    assert mail.outbox[-1].subject == "[Holdfast] Your account is deleted"
    assert {mailed.to[0] for mailed in mail.outbox} == {owner.email, SECOND_ADDRESS}


COLUMNS = [
    *sorted(list_references()),
    *((f"tide_{role}", f"{role}_id") for role in ROLES),
]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=".".join)
def test_the_scan_finds_an_id_in_each_column_that_can_hold_one(table: str, column: str) -> None:
    assert {*find_in_value(table, column, 7, [], 7)} == {"7"}
    assert not {*find_in_value(table, column, 71, [], 7)}


@pytest.mark.parametrize("key", KEYS)
def test_the_scan_finds_an_id_inside_json(key: str) -> None:
    for value in ({key: 7}, {"facts": [{key: "7"}]}, json.dumps([{key: 7}])):
        assert {*find_in_value("tide", "facts", value, [], 7)} == {"7"}
    assert not {*find_in_value("tide", "facts", {key: 71, "count": 7}, [], 7)}


def test_the_scan_reads_json_that_the_database_stores(owner: User) -> None:
    AuditEvent.objects.create(kind="tide", facts={"reader": owner.pk})
    assert ("accounts_auditevent", "facts", str(owner.pk)) in find_traces([], owner.pk)


def list_texts_in_names() -> list[str]:
    """Rows whose `str`, which lists and logs show, contains what somebody wrote."""
    ours = (app for app in apps.get_app_configs() if app.name in {"accounts", "chat", "streaming"})
    rows = (row for app in ours for model in app.get_models() for row in model._base_manager.all())
    return [repr(row) for row in rows if CANARY in str(row)]


def append_late(stream: Stream) -> set[int]:
    """Write as a worker that has not noticed the end."""
    chunks = build_chunks([CANARY], first=stream.next_index)
    return journal.append([Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])


@pytest.mark.usefixtures("transactional_db")
def test_a_deletion_that_was_killed_continues_where_it_was(
    owner: User, monkeypatch: pytest.MonkeyPatch, canaries: list[str]
) -> None:
    """The process dies after any batch: nothing of what it left is in the way."""
    monkeypatch.setattr(erasure, "ROWS_PER_BATCH", 2)
    monkeypatch.setattr(erasure, "CLAIM_DURATION", timedelta())
    reply = start_reply(owner, f"{CANARY} question")
    finish_reply(reply, f"{CANARY} one two three four five six")
    extend_conversation(reply, 7)
    start_reply(owner, f"{CANARY} again")
    erasure.request_deletion(owner, actor=owner)
    deaths = 0
    while User.objects.filter(pk=owner.pk).exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(erasure, "pause", die)
            with suppress(Killed):
                erasure.erase_accounts()
            deaths += 1
    assert deaths > 8
    assert {column for _, column, _ in find_traces(canaries, owner.pk)} == {
        "account_id",
        "actor_id",
    }


class Killed(BaseException):
    """The process died here."""


def die(seconds: float) -> None:
    raise Killed


@pytest.mark.usefixtures("transactional_db")
def test_no_batch_deletes_more_than_its_share(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "ROWS_PER_BATCH", 10)
    reply = start_reply(owner, "Long?")
    finish_reply(reply, "word " * 45)
    extend_conversation(reply, 30)
    erasure.request_deletion(owner, actor=owner)
    counts = [count_rows()]
    monkeypatch.setattr(erasure, "pause", lambda seconds: counts.append(count_rows()))
    erasure.erase_accounts()
    steps = [before - after for before, after in pairwise(counts)]
    assert max(steps) <= 12
    assert counts[-1] <= 1
    assert not User.objects.filter(pk=owner.pk).exists()


def count_rows() -> int:
    return sum(model.objects.count() for model in (Message, Conversation, Stream, StreamChunk))


@pytest.mark.usefixtures("transactional_db")
def test_two_workers_do_not_delete_the_same_account_at_once(owner: User) -> None:
    erasure.request_deletion(owner, actor=owner)
    AccountDeletion.objects.update(claimed_until=timezone.now() + timedelta(minutes=1))
    erasure.erase_accounts()
    assert User.objects.filter(pk=owner.pk).exists()
    AccountDeletion.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    erasure.erase_accounts()
    assert not User.objects.filter(pk=owner.pk).exists()


def test_every_model_says_how_it_is_deleted() -> None:
    """A new model needs a kind of data in the registry, or a reason why it holds nothing of an
    account."""
    tables = [m for m in apps.get_models(include_auto_created=True) if not m._meta.proxy]
    models = {model._meta.label for model in tables}
    deleted = {label for kind in DATA_KINDS.values() for label in kind.models}
    assert models == deleted | MODELS_WITHOUT_ACCOUNT.keys()
    assert not deleted & MODELS_WITHOUT_ACCOUNT.keys()


def test_no_model_that_refers_to_an_account_counts_as_one_without() -> None:
    for label in MODELS_WITHOUT_ACCOUNT:
        relations = [field.related_model for field in apps.get_model(label)._meta.fields]
        assert User not in relations, label
