"""Actions on conversations: rename, pin, read, delete and restore."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from chat import conversations
from chat.models import Conversation, Message
from chat.replies import Reply
from streaming.models import State, Stream, StreamChunk
from tests.chat.factories import (
    HTMX,
    finish_reply,
    get_path,
    read_html,
    read_revision,
    start_reply,
    write_reply,
)
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db


def list_sidebar_texts(client: Client) -> list[str]:
    """The titles and headings of the list, from top to bottom."""
    found = re.findall(
        r"<h2>(.*?)</h2>|<bdi>([^<>]+)</bdi></a>", read_html(client.get("/sidebar/"))
    )
    return [heading or title for heading, title in found]


def test_a_new_title_appears_in_the_list(as_owner: Client, reply: Reply) -> None:
    before = read_revision(reply.conversation.user)
    sent = as_owner.post(
        f"{get_path(reply)}title/", {"title": "  Tides \n and moons "}, headers=HTMX
    )
    assert sent.status_code == 204
    assert list_sidebar_texts(as_owner) == ["Today", "Tides and moons"]
    assert read_revision(reply.conversation.user) > before
    as_owner.post(f"{get_path(reply)}title/", {"title": "  "})
    assert list_sidebar_texts(as_owner) == ["Today", "Tides and moons"]


def test_pinned_conversations_stand_above_the_days(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    start_reply(owner, "Newer")
    as_owner.post(f"{get_path(reply)}pin/", {"pinned": "yes"})
    assert list_sidebar_texts(as_owner) == [
        "Pinned",
        "Why do tides lag the moon?",
        "Today",
        "Newer",
    ]
    as_owner.post(f"{get_path(reply)}pin/", {"pinned": "no"})
    assert "Pinned" not in list_sidebar_texts(as_owner)


def test_a_reply_is_unread_until_its_page_is_opened(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply)
    assert 'data-state="unread"' in read_html(as_owner.get("/sidebar/"))
    before = read_revision(reply.conversation.user)
    as_owner.post(f"{get_path(reply)}reading/", headers=HTMX)
    assert 'class="activity-dot' not in read_html(as_owner.get("/sidebar/"))
    assert read_revision(reply.conversation.user) > before
    as_owner.post(f"{get_path(reply)}reading/", headers=HTMX)
    assert read_revision(reply.conversation.user) == before + 1, "nothing changed"


def test_deleting_hides_a_conversation_at_once_and_stops_its_reply(
    as_owner: Client, reply: Reply
) -> None:
    write_reply(reply, "So far")
    as_owner.post(f"{get_path(reply)}deletion/")
    assert list_sidebar_texts(as_owner) == []
    paths = [get_path(reply), f"/m/{reply.answer.pk}/", f"/m/{reply.question.pk}/edit/"]
    assert [as_owner.get(address).status_code for address in paths] == [404] * 3
    assert as_owner.post(f"{get_path(reply)}messages/", {"text": "x"}).status_code == 404
    assert Stream.objects.get().state == State.STOPPED


def test_a_deleted_conversation_can_be_restored(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply, "Because of friction.")
    toast = read_html(as_owner.post(f"{get_path(reply)}deletion/", headers=HTMX))
    undo = re.search(r'formaction="([^"]+)"', toast)
    assert undo
    assert as_owner.post(undo[1], headers=HTMX).status_code == 204
    assert "Because of friction." in read_html(as_owner.get(get_path(reply)))


def test_deleting_the_open_conversation_leads_to_the_start_page_with_an_undo(
    as_owner: Client, reply: Reply
) -> None:
    fields = {"open": str(reply.conversation.pk)}
    sent = as_owner.post(f"{get_path(reply)}deletion/", fields, headers=HTMX)
    assert sent.headers["HX-Redirect"] == "/"
    shown = read_html(as_owner.get("/"))
    assert "Deleted “Why do tides lag the moon?”" in shown
    assert f'formaction="{get_path(reply)}restoration/" data-return-to="{get_path(reply)}"' in shown
    as_owner.post(f"{get_path(reply)}restoration/")
    assert "Deleted “" not in read_html(as_owner.get("/"))


def test_a_deleted_conversation_is_offered_only_to_its_owner(
    as_stranger: Client, reply: Reply
) -> None:
    conversations.soft_delete(reply.conversation)
    session = as_stranger.session
    session["deleted"] = {"id": str(reply.conversation.pk), "at": timezone.now().isoformat()}
    session.save()
    assert "Deleted “" not in read_html(as_stranger.get("/"))


def test_a_deleted_conversation_is_purged_after_a_while(owner: User, reply: Reply) -> None:
    finish_reply(reply)
    other = start_reply(owner, "Keep me")
    conversations.soft_delete(reply.conversation)
    conversations.purge_deleted()
    assert Conversation.objects.count() == 2, "it can still be restored"
    long_ago = timezone.now() - timedelta(minutes=1)
    Conversation.objects.filter(pk=reply.conversation.pk).update(deleted_at=long_ago)
    conversations.purge_deleted()
    assert [c.pk for c in Conversation.objects.all()] == [other.conversation.pk]
    assert not Message.objects.filter(pk=reply.answer.pk).exists()
    assert not StreamChunk.objects.filter(stream_id=reply.stream.pk).exists()


def test_the_menu_is_a_fragment_and_a_page(as_owner: Client, reply: Reply) -> None:
    alone = read_html(as_owner.get(f"{get_path(reply)}menu/", headers=HTMX))
    assert "<html" not in alone
    complete_page = read_html(as_owner.get(f"{get_path(reply)}menu/"))
    for shown in (alone, complete_page):
        for verb in ("title", "pin", "deletion"):
            assert f'action="{get_path(reply)}{verb}/"' in shown


def test_a_stranger_can_change_no_conversation(stranger: User, reply: Reply) -> None:
    client = create_signed_in_client(stranger)
    verbs = ("title", "pin", "reading", "deletion", "restoration")
    answers = [client.post(f"{get_path(reply)}{verb}/", {"title": "x"}) for verb in verbs]
    answers.append(client.get(f"{get_path(reply)}menu/"))
    assert [answer.status_code for answer in answers] == [404] * 6
    reply.conversation.refresh_from_db()
    assert reply.conversation.title == "Why do tides lag the moon?"
    assert reply.conversation.deleted_at is None
