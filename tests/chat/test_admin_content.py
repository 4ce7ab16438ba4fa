"""No page of the admin shows what people wrote or models answered, whichever row it is opened with.

Django gives each registered model pages for its rows, also where a list of our own stands in the
place of Django's."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.db.models import Model, Q
from django.test import Client

from accounts.models import LedgerEntry, User
from chat.drafts import storage
from chat.drafts.storage import DraftChange
from chat.models import Conversation, FailedReply, GatewayResponse, Message, ToolPart
from chat.replies import Reply
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from tests.chat.factories import finish_reply, start_reply
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

SECRET = "whelk-and-winkle"
ADMINISTRATORS = ["superuser", "clerk with every permission"]


@pytest.fixture
def content(owner: User) -> Reply:
    """Put the secret into each kind of row that holds content."""
    failed = start_reply(owner, f"{SECRET} question", system_prompt=f"{SECRET} prompt")
    ending = Ending(State.FAILED, error_class="Overloaded", error=f"{SECRET} error")
    finish_reply(failed, f"{SECRET} partial", ending)
    reply = start_reply(owner, f"{SECRET} next", failed.conversation)
    finish_reply(reply, f"{SECRET} answer")
    Message.objects.update(reasoning=f"{SECRET} reasoning")
    Stream.objects.update(error_detail=f"{SECRET} detail")
    Conversation.objects.update(title=f"{SECRET} title")
    change = DraftChange(f"{SECRET} draft", {"system_prompt": SECRET}, 0, 1, str(uuid4()))
    storage.save_draft(owner, uuid4(), change, reply.conversation)
    call = {"kind": "call", "call_id": SECRET, "name": SECRET, "text": SECRET}
    ToolPart.objects.create(message=reply.answer, **call)
    row = {"user": owner, "conversation": reply.conversation, "answer": reply.answer}
    GatewayResponse.objects.create(**row, stream=reply.stream, developer_text=SECRET)
    return reply


@pytest.fixture(params=ADMINISTRATORS)
def as_staff(request: pytest.FixtureRequest, password: str) -> Client:
    is_superuser = request.param == "superuser"
    user = User.objects.create_user(
        "staff@holdfast.test", password, is_staff=True, is_superuser=is_superuser
    )
    user.user_permissions.set([] if is_superuser else Permission.objects.all())
    client = create_signed_in_client(user)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


def list_pages(model: type[Model]) -> Iterator[str]:
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    yield from (base, f"{base}add/")
    for row in model._base_manager.all():
        for page in ("change/", "change/?_popup=1&_to_field=id", "history/", "delete/"):
            yield f"{base}{quote(row.pk)}/{page}"


def test_no_page_of_any_row_shows_content(content: Reply, as_staff: Client) -> None:
    told = []
    opened = 0
    for model in admin.site._registry:
        for path in list_pages(model):
            answer = as_staff.get(path)
            assert answer.status_code in {200, 302, 403, 404}, (path, answer)
            opened += answer.status_code == 200
            if SECRET in f"{answer.headers} {answer.content.decode()}":
                told.append(path)
    assert told == []
    assert opened > len(admin.site._registry)


def test_a_report_has_no_pages_of_rows(content: Reply, owner: User, as_staff: Client) -> None:
    LedgerEntry.objects.get_or_create(user=owner, month="2026-05-01", provider="openai", model="m")
    for model in (FailedReply, LedgerEntry):
        base, *pages = list_pages(model)
        assert as_staff.get(base).status_code == 200
        assert len(pages) > 4
        for path in pages:
            assert as_staff.get(path).status_code == 404
            assert as_staff.post(path, {"post": "yes"}).status_code == 404


def test_one_permission_shows_no_content(content: Reply, password: str) -> None:
    clerk = User.objects.create_user("clerk@holdfast.test", password, is_staff=True)
    client = create_signed_in_client(clerk)
    client.post("/accounts/reauthenticate/", {"password": password})
    for model in admin.site._registry:
        meta = model._meta
        ends = Q(codename__endswith=f"_{meta.model_name}")
        clerk.user_permissions.set(
            Permission.objects.filter(ends, content_type__app_label=meta.app_label)
        )
        for path in list_pages(model):
            assert SECRET not in client.get(path).content.decode(), path
