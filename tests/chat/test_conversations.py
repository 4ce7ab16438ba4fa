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
from tests.chat.factories import HTMX, ask, finish, html, page, write
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def reply(owner: User) -> Reply:
    return ask(owner, "Why do tides lag the moon?")


def titles(client: Client) -> list[str]:
    """The titles and headings of the list, from top to bottom."""
    found = re.findall(r"<h2>(.*?)</h2>|<bdi>([^<>]+)</bdi></a>", html(client.get("/sidebar/")))
    return [heading or title for heading, title in found]


def revision(user: User) -> int:
    user.refresh_from_db()
    return user.revision


def test_a_new_title_appears_in_the_list(as_owner: Client, reply: Reply) -> None:
    before = revision(reply.conversation.user)
    sent = as_owner.post(f"{page(reply)}title/", {"title": "  Tides \n and moons "}, headers=HTMX)
    assert sent.status_code == 204
    assert titles(as_owner) == ["Today", "Tides and moons"]
    assert revision(reply.conversation.user) > before
    as_owner.post(f"{page(reply)}title/", {"title": "  "})
    assert titles(as_owner) == ["Today", "Tides and moons"]


def test_pinned_conversations_stand_above_the_days(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    ask(owner, "Newer")
    as_owner.post(f"{page(reply)}pin/", {"pinned": "yes"})
    assert titles(as_owner) == ["Pinned", "Why do tides lag the moon?", "Today", "Newer"]
    as_owner.post(f"{page(reply)}pin/", {"pinned": "no"})
    assert "Pinned" not in titles(as_owner)


def test_a_reply_is_unread_until_its_page_is_opened(as_owner: Client, reply: Reply) -> None:
    finish(reply)
    assert 'data-state="unread"' in html(as_owner.get("/sidebar/"))
    before = revision(reply.conversation.user)
    as_owner.post(f"{page(reply)}reading/", headers=HTMX)
    assert 'class="activity-dot' not in html(as_owner.get("/sidebar/"))
    assert revision(reply.conversation.user) > before
    as_owner.post(f"{page(reply)}reading/", headers=HTMX)
    assert revision(reply.conversation.user) == before + 1, "nothing changed"


def test_deleting_hides_a_conversation_at_once_and_stops_its_reply(
    as_owner: Client, reply: Reply
) -> None:
    write(reply, "So far")
    as_owner.post(f"{page(reply)}deletion/")
    assert titles(as_owner) == []
    gone = [page(reply), f"/m/{reply.answer.pk}/", f"/m/{reply.question.pk}/edit/"]
    assert [as_owner.get(address).status_code for address in gone] == [404] * 3
    assert as_owner.post(f"{page(reply)}messages/", {"text": "x"}).status_code == 404
    assert Stream.objects.get().state == State.STOPPED


def test_a_deleted_conversation_can_be_restored(as_owner: Client, reply: Reply) -> None:
    finish(reply, "Because of friction.")
    toast = html(as_owner.post(f"{page(reply)}deletion/", headers=HTMX))
    undo = re.search(r'formaction="([^"]+)"', toast)
    assert undo
    assert as_owner.post(undo[1], headers=HTMX).status_code == 204
    assert "Because of friction." in html(as_owner.get(page(reply)))


def test_deleting_the_open_conversation_leads_to_the_start_page_with_an_undo(
    as_owner: Client, reply: Reply
) -> None:
    fields = {"open": str(reply.conversation.pk)}
    sent = as_owner.post(f"{page(reply)}deletion/", fields, headers=HTMX)
    assert sent.headers["HX-Redirect"] == "/"
    shown = html(as_owner.get("/"))
    assert "Deleted “Why do tides lag the moon?”" in shown
    assert f'formaction="{page(reply)}restoration/" data-return-to="{page(reply)}"' in shown
    as_owner.post(f"{page(reply)}restoration/")
    assert "Deleted “" not in html(as_owner.get("/"))


def test_a_deleted_conversation_is_offered_only_to_its_owner(
    as_stranger: Client, reply: Reply
) -> None:
    conversations.soft_delete(reply.conversation)
    session = as_stranger.session
    session["deleted"] = {"id": str(reply.conversation.pk), "at": timezone.now().isoformat()}
    session.save()
    assert "Deleted “" not in html(as_stranger.get("/"))


def test_a_deleted_conversation_is_purged_after_a_while(owner: User, reply: Reply) -> None:
    finish(reply)
    other = ask(owner, "Keep me")
    conversations.soft_delete(reply.conversation)
    conversations.purge_deleted()
    assert Conversation.objects.count() == 2, "it can be had back still"
    long_ago = timezone.now() - timedelta(seconds=20)
    Conversation.objects.filter(pk=reply.conversation.pk).update(deleted_at=long_ago)
    conversations.purge_deleted()
    assert [c.pk for c in Conversation.objects.all()] == [other.conversation.pk]
    assert not Message.objects.filter(pk=reply.answer.pk).exists()
    assert not StreamChunk.objects.filter(stream_id=reply.stream.pk).exists()


def test_the_menu_is_a_fragment_and_a_page(as_owner: Client, reply: Reply) -> None:
    alone = html(as_owner.get(f"{page(reply)}menu/", headers=HTMX))
    assert "<html" not in alone
    whole = html(as_owner.get(f"{page(reply)}menu/"))
    for shown in (alone, whole):
        for verb in ("title", "pin", "deletion"):
            assert f'action="{page(reply)}{verb}/"' in shown


def test_a_stranger_can_change_no_conversation(stranger: User, reply: Reply) -> None:
    client = create_signed_in_client(stranger)
    verbs = ("title", "pin", "reading", "deletion", "restoration")
    answers = [client.post(f"{page(reply)}{verb}/", {"title": "x"}) for verb in verbs]
    answers.append(client.get(f"{page(reply)}menu/"))
    assert [answer.status_code for answer in answers] == [404] * 6
    reply.conversation.refresh_from_db()
    assert reply.conversation.title == "Why do tides lag the moon?"
    assert reply.conversation.deleted_at is None
