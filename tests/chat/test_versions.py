"""Versions of a question and of a reply, continued replies, and pages that show an old branch."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from chat.models import Conversation, Message
from chat.replies import Reply
from streaming import lifecycle
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from tests.chat.factories import HTMX, ask, finish, html, page
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def reply(owner: User) -> Reply:
    """A question of the owner, and its ended reply."""
    reply = ask(owner, "Why do tides lag the moon?")
    finish(reply, "Because of friction.")
    return reply


def version_form(**fields: str) -> dict[str, str]:
    return {"request_id": str(uuid4())} | fields


def shown_texts(client: Client, address: str) -> list[str]:
    """The texts of the messages on a page, in order."""
    shown = html(client.get(address))
    words = (
        r'<div class="prose user-text words" hx-ignore>(.*?)</div>'
        r'|<div class="prose" hx-ignore>(.*?)</div>'
    )
    found = re.findall(words, shown.split("<template")[0], re.S)
    texts = (re.sub("<.*?>", "", "".join(pair)).strip() for pair in found)
    return [text for text in texts if text]


# Edited questions


def test_an_edited_question_is_answered_beside_the_old_one(as_owner: Client, reply: Reply) -> None:
    address = f"/m/{reply.question.pk}/versions/"
    sent = as_owner.post(address, version_form(text="And the sun?"), headers=HTMX)
    assert html(sent).count("<article") == 2
    assert sent.headers["HX-Push-Url"] == page(reply)
    new = Message.objects.get(content="And the sun?")
    assert new.parent_id == reply.question.parent_id
    assert Message.objects.filter(pk=reply.answer.pk, content="Because of friction.").exists()
    assert shown_texts(as_owner, page(reply)) == ["And the sun?"]
    old = f"{page(reply)}?leaf={reply.question.pk}"
    assert shown_texts(as_owner, old) == ["Why do tides lag the moon?", "Because of friction."]


def test_versions_are_links_from_one_to_the_next(as_owner: Client, reply: Reply) -> None:
    assert "Versions of this message" not in html(as_owner.get(page(reply)))
    for text in ("Two", "Three"):
        as_owner.post(f"/m/{reply.question.pk}/versions/", version_form(text=text))
    first, second, third = Message.objects.filter(parent=None).order_by("created_at")
    shown = html(as_owner.get(f"{page(reply)}?leaf={second.pk}"))
    assert "<span>2/3</span>" in shown
    for other in (first, third):
        assert f'href="{page(reply)}?leaf={other.pk}#m-{other.pk}"' in shown


def test_the_form_of_a_question_is_a_fragment_and_a_page(as_owner: Client, reply: Reply) -> None:
    address = f"/m/{reply.question.pk}/edit/"
    alone = html(as_owner.get(address, headers=HTMX))
    together = html(as_owner.get(address))
    for shown in (alone, together):
        assert f'action="/m/{reply.question.pk}/versions/"' in shown
        assert "Why do tides lag the moon?</textarea>" in shown
    assert "<html" not in alone
    assert "Because of friction." in together
    assert as_owner.get(f"/m/{reply.answer.pk}/edit/").status_code == 404


def test_an_empty_version_is_rejected_and_nothing_is_stored(as_owner: Client, reply: Reply) -> None:
    response = as_owner.post(
        f"/m/{reply.question.pk}/versions/", version_form(text=" "), headers=HTMX
    )
    assert response.status_code == 422
    assert "Write a message first." in response.content.decode()
    assert Message.objects.count() == 2


# Regenerated replies


@pytest.mark.parametrize(("model", "answered_by"), [("", "demo"), ("demo-fast", "demo-fast")])
def test_a_regenerated_reply_stands_beside_the_old_one(
    as_owner: Client, reply: Reply, model: str, answered_by: str
) -> None:
    address = f"/m/{reply.answer.pk}/versions/"
    sent = as_owner.post(address, version_form(model=model), headers=HTMX)
    assert html(sent).count("<article") == 1
    new = Message.objects.exclude(pk=reply.answer.pk).get(role="assistant")
    assert (new.parent_id, new.model) == (reply.question.pk, answered_by)
    assert Conversation.objects.get().current_leaf_id == new.pk
    reply.answer.refresh_from_db()
    assert reply.answer.content == "Because of friction."


def test_the_same_button_in_two_tabs_makes_one_reply(as_owner: Client, reply: Reply) -> None:
    shown = html(as_owner.get(page(reply)))
    button = re.search(
        r'formaction="(/m/[^"]+/versions/)" name="request_id" value="([^"]+)"', shown
    )
    assert button
    first, second = (as_owner.post(button[1], {"request_id": button[2]}) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert Message.objects.filter(role="assistant").count() == 2
    assert f'value="{button[2]}"' not in html(as_owner.get(page(reply))), "the next is another"


def test_a_model_without_a_key_is_rejected_for_a_version_too(
    as_owner: Client, reply: Reply
) -> None:
    address = f"/m/{reply.answer.pk}/versions/"
    refused = as_owner.post(address, version_form(model="gpt-4.1"), headers=HTMX)
    assert refused.status_code == 422
    assert "No OpenAI API key." in refused.content.decode()
    assert Message.objects.count() == 2


def test_a_new_version_ends_the_branch_that_the_page_shows(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    second = ask(owner, "Shorter", reply.conversation)
    finish(second, "Friction.")
    as_owner.post(f"/m/{reply.answer.pk}/versions/", version_form())
    assert shown_texts(as_owner, page(reply)) == ["Why do tides lag the moon?"]


# Continued replies


CUT = [
    lifecycle.STOPPED,
    Ending.from_finish(Finish("length")),
    Ending.interrupted("The server stopped before the text was complete."),
]


@pytest.mark.parametrize("ending", CUT)
def test_an_unfinished_reply_can_be_continued_once_from_any_tab(
    as_owner: Client, owner: User, ending: Ending
) -> None:
    cut = ask(owner, "Tell me")
    finish(cut, "Half a sent", ending)
    shown = html(as_owner.get(page(cut)))
    button = re.search(
        r'formaction="(/m/[^"]+/continuations/)" name="request_id" value="([^"]+)"', shown
    )
    assert button
    for _ in range(2):
        sent = html(as_owner.post(button[1], {"request_id": button[2]}, headers=HTMX))
        assert f'id="m-{cut.answer.pk}"' in sent
        assert "Half a sent" in sent
    assert Stream.objects.filter(continues=cut.stream).count() == 1


def test_a_complete_reply_cannot_be_continued(as_owner: Client, reply: Reply) -> None:
    assert "/continuations/" not in html(as_owner.get(page(reply)))
    refused = as_owner.post(f"/m/{reply.answer.pk}/continuations/", version_form(), headers=HTMX)
    assert refused.status_code == 422


# Pages that show an old branch


def stale_form(reply: Reply, leaf: Message, seen: Message, text: str = "Go on") -> dict[str, str]:
    return {
        "text": text,
        "model": "demo",
        "request_id": str(uuid4()),
        "parent": str(leaf.pk),
        "seen": str(seen.pk),
    }


def test_a_message_from_a_page_that_is_behind_is_rejected(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    elsewhere = ask(owner, "From another tab", reply.conversation)
    stale = stale_form(reply, reply.answer, reply.answer)
    refused = as_owner.post(f"{page(reply)}messages/", stale, headers=HTMX)
    assert refused.status_code == 409
    shown = refused.content.decode()
    assert "This chat continued in another tab." in shown
    assert f'data-known-leaf="{elsewhere.answer.pk}"' in shown
    assert not Message.objects.filter(content="Go on").exists()
    branch = stale | {"seen": str(elsewhere.answer.pk)}
    assert as_owner.post(f"{page(reply)}messages/", branch).status_code == 302
    assert Message.objects.get(content="Go on").parent_id == reply.answer.pk


def test_without_scripts_a_page_that_is_behind_shows_the_new_messages_and_can_branch(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    newer = ask(owner, "From another tab", reply.conversation)
    refused = as_owner.post(
        f"{page(reply)}messages/", stale_form(reply, reply.answer, reply.answer)
    )
    shown = refused.content.decode()
    assert refused.status_code == 409
    assert ">\nGo on</textarea>" in shown
    assert "From another tab" in shown
    assert f'id="seen" name="seen" value="{newer.answer.pk}"' in shown
    assert f'name="parent" value="{reply.answer.pk}"' in shown


def test_a_message_from_an_older_branch_goes_to_that_branch(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    finish(ask(owner, "Shorter", reply.conversation), "Friction.")
    as_owner.post(f"/m/{reply.question.pk}/versions/", version_form(text="And the sun?"))
    old = html(as_owner.get(f"{page(reply)}?leaf={reply.question.pk}"))
    fields = dict(re.findall(r'name="(parent|seen)" value="([^"]+)">', old))
    sent = {"text": "Longer", "model": "demo", "request_id": str(uuid4())} | fields
    assert as_owner.post(f"{page(reply)}messages/", sent).status_code == 302
    longer = Message.objects.get(content="Longer")
    assert longer.parent is not None
    assert longer.parent.content == "Friction."


def test_a_message_after_one_of_another_chat_is_rejected(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    other = ask(owner, "Another chat")
    sent = stale_form(reply, other.answer, reply.answer)
    refused = as_owner.post(f"{page(reply)}messages/", sent, headers=HTMX)
    assert refused.status_code == 422
    assert "This page is out of date." in refused.content.decode()


def test_the_same_message_twice_is_accepted_although_its_page_is_behind(
    as_owner: Client, reply: Reply
) -> None:
    sent = stale_form(reply, reply.answer, reply.answer)
    first, second = (as_owner.post(f"{page(reply)}messages/", sent) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert Stream.objects.filter(state=State.QUEUED).count() == 1


# Strangers


def test_a_stranger_can_make_no_version(stranger: User, reply: Reply) -> None:
    client = create_signed_in_client(stranger)
    posted = [
        f"/m/{reply.question.pk}/versions/",
        f"/m/{reply.answer.pk}/versions/",
        f"/m/{reply.answer.pk}/continuations/",
    ]
    answers = [client.post(address, version_form(text="x")) for address in posted]
    answers.append(client.get(f"/m/{reply.question.pk}/edit/"))
    assert [answer.status_code for answer in answers] == [404] * 4
    assert Message.objects.count() == 2
