"""A tab that was loaded before a deployment keeps its own scripts, and gets fragments from the new
server. Those scripts find elements by older names, so the fragments have both names. The release
after 0.1.0 may drop the old names, and this module."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import User
from chat.models import Conversation
from chat.replies import Reply
from tests.chat.factories import (
    HTMX,
    build_message_form,
    extend_conversation,
    finish_reply,
    get_path,
    read_html,
    start_reply,
)

pytestmark = pytest.mark.django_db


def has_class(shown: str, *names: str) -> bool:
    found = [set(value.split()) for value in re.findall(r'class="([^"]*)"', shown)]
    return all(any(name in classes for classes in found) for name in names)


def fetch_html(client: Client, address: str) -> str:
    return read_html(client.get(address, headers=HTMX))


def test_a_running_reply_has_the_names_that_old_scripts_look_for(
    as_owner: Client, reply: Reply
) -> None:
    shown = fetch_html(as_owner, f"/m/{reply.answer.pk}/")
    assert has_class(shown, "foot", "foot-line"), "the footer is replaced when the reply ends"
    assert 'data-tone="waiting"' in shown, "the words of a waiting reply are taken over"
    assert 'form="acts"' in shown, "the buttons submit the form of the old page"


def test_an_ended_reply_has_the_names_that_old_scripts_look_for(
    as_owner: Client, reply: Reply
) -> None:
    finish_reply(reply)
    shown = fetch_html(as_owner, f"/m/{reply.answer.pk}/")
    assert has_class(shown, "foot", "foot-line")
    assert 'form="acts"' in shown
    question = fetch_html(as_owner, f"/m/{reply.question.pk}/")
    assert has_class(question, "foot", "words"), "the lines of a message stay lines"
    edit = fetch_html(as_owner, f"/m/{reply.question.pk}/edit/")
    assert f'data-give-up="{reply.question.pk}"' in edit, "Cancel gives the message back"


def test_earlier_messages_are_fetched_by_old_scripts(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply)
    extend_conversation(reply, 120)
    first = re.search(r'hx-get="([^"]+)"', fetch_html(as_owner, get_path(reply)))
    assert first
    shown = fetch_html(as_owner, first[1])
    assert has_class(shown, "older", "older-link")
    assert "insight" in shown, "the event that old scripts fire"


def test_old_scripts_find_the_end_of_the_sidebar_and_its_menus(
    as_owner: Client, owner: User
) -> None:
    for number in range(250):
        Conversation.objects.create(user=owner, title=f"Chat {number}")
    shown = fetch_html(as_owner, "/sidebar/")
    assert 'id="chats-end"' in shown
    assert has_class(shown, "conversations", "more", "elsewhere")


def test_old_tabs_can_undo_a_deletion(as_owner: Client, reply: Reply) -> None:
    as_owner.post(f"{get_path(reply)}deletion/", {"open": str(reply.conversation.pk)}, headers=HTMX)
    shown = read_html(as_owner.get("/"))
    assert f'form="acts" formaction="{get_path(reply)}restoration/"' in shown
    assert f'data-back="{get_path(reply)}"' in shown, "it leads back to the open conversation"


def test_old_scripts_can_send_although_the_chat_moved_on(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    finish_reply(reply)
    newer = start_reply(owner, "And the sun?", reply.conversation)
    form = build_message_form(parent=str(reply.answer.pk), seen=str(reply.answer.pk))
    refused = as_owner.post(f"{get_path(reply)}messages/", form, headers=HTMX)
    shown = refused.content.decode()
    assert f'data-seen="{newer.answer.pk}"' in shown
    assert has_class(shown, "refusal")
