"""Drafts of signed-in people are stored for all their devices: each save continues a known version,
and a text that was sent never comes back."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event
from time import sleep
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.rate_limits import RateLimit
from chat import conversations
from chat.drafts import storage, views
from chat.drafts.models import Draft
from chat.drafts.storage import DraftChange, DraftConflict, TooManyDrafts
from chat.models import Conversation
from chat.replies import Reply
from streaming.sources import get_periodic_tasks
from tests.chat.factories import HTMX, build_message_form, get_path, read_html, read_revision
from tests.factories import run_at_once

DRAFT = uuid.UUID(int=16)
HERE, ELSEWHERE = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def save(client: Client, text: str, base: int = 0, *, id: uuid.UUID = DRAFT, **fields: Any) -> Any:
    form = {"text": text, "base": base, "version": base + 1, "writer": HERE, **fields}
    return client.post(f"/drafts/{id}/", form, headers=HTMX)


def list_texts(client: Client, conversation: str = "") -> list[str]:
    response = client.get("/drafts/", {"conversation": conversation})
    return [draft["text"] for draft in response.json()["drafts"]]


def test_a_draft_is_listed_on_every_device_with_its_settings(as_owner: Client, owner: User) -> None:
    before = read_revision(owner)
    saved = save(as_owner, "Half a thought", model="demo-slow", temperature="0.5", unknown="x")
    assert saved.json() == {"version": 1, "revision": before + 1}
    (draft,) = as_owner.get("/drafts/").json()["drafts"]
    assert draft.pop("age") < 60
    settings = {"model": "demo-slow", "temperature": "0.5"}
    assert draft == {
        "id": str(DRAFT),
        "version": 1,
        "text": "Half a thought",
        "settings": settings,
    }
    shown = read_html(as_owner.get("/"))
    assert "Half a thought" in shown.split('<script id="drafts"')[1].split("</script>")[0]


def test_a_draft_belongs_to_its_conversation(as_owner: Client, reply: Reply) -> None:
    id = str(reply.conversation.pk)
    save(as_owner, "New")
    save(as_owner, "Old", id=uuid.uuid4(), conversation=id)
    assert list_texts(as_owner) == ["New"]
    assert list_texts(as_owner, id) == ["Old"]
    save(as_owner, "Moved", 1, conversation=id)
    assert list_texts(as_owner) == []
    assert sorted(list_texts(as_owner, id)) == ["Moved", "Old"]


def test_a_save_that_continues_an_old_version_is_refused_with_the_text_of_now(
    as_owner: Client,
) -> None:
    save(as_owner, "One")
    save(as_owner, "One and two", 1)
    refused = save(as_owner, "One or three", 1, writer=ELSEWHERE)
    assert refused.json()["draft"]["text"] == "One and two"
    assert refused.json()["draft"]["version"] == 2
    assert list_texts(as_owner) == ["One and two"]


@pytest.mark.parametrize("writer", [HERE, ELSEWHERE])
def test_the_same_text_again_is_no_conflict(as_owner: Client, owner: User, writer: str) -> None:
    save(as_owner, "One")
    before = read_revision(owner)
    again = save(as_owner, "One", writer=writer)
    assert again.json()["version"] == 1
    assert read_revision(owner) <= before + 1


def test_a_page_goes_on_after_the_response_of_its_save_was_lost(as_owner: Client) -> None:
    save(as_owner, "One")
    save(as_owner, "One two", 1)  # and its page never hears of it
    assert save(as_owner, "One two three", 1, version=3).json()["version"] == 3
    late = save(as_owner, "One two", 1, version=2)
    assert "draft" in late.json(), "an older text never replaces a newer one"
    assert list_texts(as_owner) == ["One two three"]


@pytest.mark.parametrize("path", ["/c/", "messages/"])
def test_sending_clears_the_draft_and_a_late_save_does_not_bring_it_back(
    as_owner: Client, reply: Reply, path: str
) -> None:
    into = str(reply.conversation.pk) if path == "messages/" else ""
    address = f"{get_path(reply)}{path}" if into else path
    save(as_owner, "One", conversation=into)
    sent = as_owner.post(address, build_message_form(text="One", draft=str(DRAFT)), headers=HTMX)
    assert sent.status_code == 200
    assert list_texts(as_owner, into) == []
    for base, version in ((1, 2), (0, 1), (1, 9)):
        assert "draft" in save(as_owner, "One", base, version=version).json()
    assert list_texts(as_owner, into) == []


def test_a_draft_of_the_highest_version_is_cleared_as_often_as_it_is_sent(
    as_owner: Client,
) -> None:
    save(as_owner, "One", version=views.MAX_VERSION)
    for _ in range(2):
        form = build_message_form(text="One", draft=str(DRAFT))
        assert as_owner.post("/c/", form, headers=HTMX).status_code == 200
    assert list_texts(as_owner) == []


def test_a_save_that_arrives_only_after_the_message_is_refused(as_owner: Client) -> None:
    as_owner.post("/c/", build_message_form(text="One", draft=str(DRAFT)), headers=HTMX)
    assert "draft" in save(as_owner, "One").json()
    assert list_texts(as_owner) == []


@pytest.mark.django_db(transaction=True)
def test_a_draft_whose_first_save_ends_only_after_the_message_is_cleared(owner: User) -> None:
    change = DraftChange("One", {}, base=0, version=1, writer=HERE)
    is_stored, is_clearing = Event(), Event()

    def save_slowly() -> None:
        with transaction.atomic():
            storage.save_draft(owner, DRAFT, change, None)
            is_stored.set()
            assert is_clearing.wait(10)
            sleep(0.3)  # `clear_draft` has found no draft, and waits for this one

    def clear() -> None:
        assert is_stored.wait(10)
        is_clearing.set()
        storage.clear_draft(owner, DRAFT)

    assert run_at_once(save_slowly, clear) == [None, None]
    row = Draft.objects.get()
    assert (row.text, row.version, row.writer) == ("", 2, "")
    with pytest.raises(DraftConflict):
        storage.save_draft(owner, DRAFT, replace(change, base=1, version=2), None)


@pytest.mark.parametrize("saved", ["One", ""])
def test_a_late_save_after_the_message_is_refused_whatever_the_draft_held(
    as_owner: Client, saved: str
) -> None:
    save(as_owner, "One")
    save(as_owner, saved, 1)
    as_owner.post("/c/", build_message_form(text="One", draft=str(DRAFT)), headers=HTMX)
    assert "draft" in save(as_owner, "One", 2).json()
    assert list_texts(as_owner) == []


def test_a_rejected_message_leaves_the_draft(as_owner: Client) -> None:
    save(as_owner, "One")
    form = build_message_form(text="One", draft=str(DRAFT), model="no-such-model")
    assert as_owner.post("/c/", form, headers=HTMX).status_code == 422
    assert list_texts(as_owner) == ["One"]


@pytest.mark.parametrize("draft", ["", "x", "'; --", "\0"])
def test_a_message_with_an_odd_draft_is_sent(as_owner: Client, draft: str) -> None:
    sent = as_owner.post("/c/", build_message_form(draft=draft), headers=HTMX)
    assert sent.status_code == 200


def test_an_emptied_draft_is_listed_no_more_and_can_be_written_again(as_owner: Client) -> None:
    save(as_owner, "One")
    assert save(as_owner, " \n", 1).status_code == 200
    assert list_texts(as_owner) == []
    assert save(as_owner, "Two", 2).status_code == 200
    assert list_texts(as_owner) == ["Two"]


# Whose it is


def test_a_stranger_neither_sees_nor_changes_nor_clears_a_draft(
    as_owner: Client, as_stranger: Client, reply: Reply
) -> None:
    save(as_owner, "Between us")
    assert list_texts(as_stranger) == []
    assert "Between us" not in read_html(as_stranger.get("/"))
    # The same answer as for an id that nobody uses: it is stored, beside the owner's draft.
    assert save(as_stranger, "Mine", 1, version=2).json()["version"] == 2
    assert list_texts(as_stranger) == ["Mine"]
    assert save(as_stranger, "Mine too", 2, version=3).json()["version"] == 3
    form = build_message_form(text="Mine", draft=str(DRAFT))
    assert as_stranger.post("/c/", form, headers=HTMX).status_code == 200
    assert list_texts(as_stranger) == []
    assert list_texts(as_owner) == ["Between us"]
    conversation = str(reply.conversation.pk)
    assert save(as_stranger, "x", conversation=conversation).status_code == 404
    for unknown in (conversation, str(uuid.uuid4()), "x"):
        response = as_stranger.get("/drafts/", {"conversation": unknown})
        assert response.json() == {"drafts": None}


def test_the_page_of_another_account_saves_nothing(as_owner: Client) -> None:
    headers = HTMX | {"X-Account": "another"}
    form = {"text": "x", "base": 0, "version": 1, "writer": HERE}
    refused = as_owner.post(f"/drafts/{DRAFT}/", form, headers=headers)
    assert refused.status_code == 409
    assert refused.headers["X-Account"]
    assert not Draft.objects.exists()


def test_a_visitor_saves_and_sees_nothing(visitor: Client) -> None:
    for response in (save(visitor, "x"), visitor.get("/drafts/")):
        assert (response.status_code, response.content) == (204, b"")
    assert not Draft.objects.exists()


# Limits


def test_a_draft_has_a_limit_of_bytes(as_owner: Client) -> None:
    longest = "🌊" * (storage.MAX_DRAFT_BYTES // 4)
    assert save(as_owner, longest).status_code == 200
    assert save(as_owner, longest + "w", 1).status_code == 413
    assert save(as_owner, longest, 1, system_prompt="w").status_code == 413
    assert list_texts(as_owner) == [longest]


def test_a_person_has_a_limit_of_drafts_and_loses_none(
    as_owner: Client, as_stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_DRAFTS_PER_USER", 3)
    statuses = [save(as_owner, f"wave {n}", id=uuid.UUID(int=n)).status_code for n in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert save(as_owner, "wave 0, higher", 1, id=uuid.UUID(int=0)).status_code == 200
    assert save(as_owner, "", 1, id=uuid.UUID(int=1)).status_code == 200
    assert save(as_owner, "wave 3", id=uuid.UUID(int=3)).status_code == 200
    assert save(as_owner, "wave 1 again", 2, id=uuid.UUID(int=1)).status_code == 429
    assert save(as_stranger, "another's").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_drafts_that_are_written_again_at_once_cannot_exceed_the_limit_together(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_DRAFTS_PER_USER", 2)
    change = DraftChange("wave", {}, base=1, version=2, writer=HERE)
    ids = [uuid.UUID(int=number) for number in range(5)]
    for id in ids:
        Draft.objects.create(pk=id, user=owner, version=1)
    results = run_at_once(*[partial(storage.save_draft, owner, id, change, None) for id in ids])
    assert [type(result) for result in results].count(TooManyDrafts) == 3
    assert Draft.objects.exclude(text="").count() == 2


def test_a_person_has_a_limit_of_saves_a_minute(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SAVE_LIMIT", RateLimit("draft-saves", 2, 60))
    statuses = [save(as_owner, f"{n}", n).status_code for n in range(4)]
    assert statuses == [200, 200, 429, 429]


@pytest.mark.parametrize(
    "fields",
    [
        {"base": "x"},
        {"base": -1},
        {"version": 0},
        {"version": views.MAX_VERSION + 1},
        {"writer": "me"},
        {"base": 5, "version": 5},
        {"conversation": "x"},
    ],
)
def test_an_odd_save_is_refused(as_owner: Client, fields: dict[str, Any]) -> None:
    form = {"text": "x", "base": 0, "version": 1, "writer": HERE} | fields
    assert as_owner.post(f"/drafts/{DRAFT}/", form, headers=HTMX).status_code == 400


def test_a_page_gets_the_newest_texts_and_the_ids_of_all(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_LISTED_TEXTS", 2)
    for number in range(3):
        save(as_owner, f"wave {number}", id=uuid.UUID(int=number))
    drafts = as_owner.get("/drafts/").json()["drafts"]
    assert [draft.get("text") for draft in drafts] == ["wave 2", "wave 1", None]
    assert [uuid.UUID(draft["id"]).int for draft in drafts] == [2, 1, 0]


# Deletion


def test_deleting_a_conversation_or_an_account_deletes_its_drafts(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    save(as_owner, "There", conversation=str(reply.conversation.pk))
    save(as_owner, "New", id=uuid.uuid4())
    conversations.delete(Conversation.objects.get())
    assert [draft.text for draft in Draft.objects.all()] == ["New"]
    owner.delete()
    assert not Draft.objects.exists()


def test_workers_purge_old_and_cleared_drafts_and_those_without_an_owner(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    assert storage.purge_drafts in get_periodic_tasks()
    now = timezone.now()
    rows: dict[str, dict[str, Any]] = {
        "kept": {"text": "kept"},
        "old": {"text": "old", "updated_at": now - storage.DRAFT_LIFETIME},
        "sent just now": {"text": ""},
        "sent": {"text": "", "updated_at": now - storage.CLEARED_LIFETIME - timedelta(minutes=1)},
        "of a deleted conversation": {"text": "x", "conversation_id": uuid.uuid4()},
        "of a deleted account": {"text": "x", "user_id": owner.pk + 1000},
    }
    ids = {}
    for name, fields in rows.items():
        ids[name] = uuid.uuid4()
        defaults = {"pk": ids[name], "user_id": owner.pk, "version": 1}
        Draft.objects.create(**(defaults | fields))
    storage.purge_drafts()
    left = set(Draft.objects.values_list("pk", flat=True))
    assert left == {ids["kept"], ids["sent just now"]}


def test_the_table_accepts_deletions_by_processes_that_do_not_know_it(
    as_owner: Client, reply: Reply
) -> None:
    save(as_owner, "There", conversation=str(reply.conversation.pk))
    with connection.cursor() as cursor:
        for table in ("chat_message", "chat_conversation"):
            cursor.execute(f"DELETE FROM {table}")
    assert as_owner.get("/").status_code == 200
    storage.purge_drafts()
    assert not Draft.objects.exists()
