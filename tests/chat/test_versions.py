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
from tests.chat.factories import HTMX, finish_reply, get_path, read_html, start_reply
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended_reply(owner: User) -> Reply:
    """A question of the owner, and its ended reply."""
    ended_reply = start_reply(owner, "Why do tides lag the moon?")
    finish_reply(ended_reply, "Because of friction.")
    return ended_reply


def build_version_form(**fields: str) -> dict[str, str]:
    return {"request_id": str(uuid4())} | fields


def read_texts(client: Client, address: str) -> list[str]:
    """The texts of the messages on a page, in order."""
    shown = read_html(client.get(address))
    words = (
        r'<div class="prose user-text words" hx-ignore>(.*?)</div>'
        r'|<div class="prose" hx-ignore>(.*?)</div>'
    )
    found = re.findall(words, shown.split("<template")[0], re.S)
    texts = (re.sub("<.*?>", "", "".join(pair)).strip() for pair in found)
    return [text for text in texts if text]


# Edited questions


def test_an_edited_question_is_answered_beside_the_old_one(
    as_owner: Client, ended_reply: Reply
) -> None:
    address = f"/m/{ended_reply.question.pk}/versions/"
    sent = as_owner.post(address, build_version_form(text="And the sun?"), headers=HTMX)
    assert read_html(sent).count("<article") == 2
    assert sent.headers["HX-Push-Url"] == get_path(ended_reply)
    new = Message.objects.get(content="And the sun?")
    assert new.parent_id == ended_reply.question.parent_id
    assert Message.objects.filter(pk=ended_reply.answer.pk, content="Because of friction.").exists()
    assert read_texts(as_owner, get_path(ended_reply)) == ["And the sun?"]
    old = f"{get_path(ended_reply)}?leaf={ended_reply.question.pk}"
    assert read_texts(as_owner, old) == ["Why do tides lag the moon?", "Because of friction."]


def test_versions_are_links_from_one_to_the_next(as_owner: Client, ended_reply: Reply) -> None:
    assert "Versions of this message" not in read_html(as_owner.get(get_path(ended_reply)))
    for text in ("Two", "Three"):
        as_owner.post(f"/m/{ended_reply.question.pk}/versions/", build_version_form(text=text))
    first, second, third = Message.objects.filter(parent=None).order_by("created_at")
    shown = read_html(as_owner.get(f"{get_path(ended_reply)}?leaf={second.pk}"))
    assert "<span>2/3</span>" in shown
    for other in (first, third):
        assert f'href="{get_path(ended_reply)}?leaf={other.pk}#m-{other.pk}"' in shown


def test_the_form_of_a_question_is_a_fragment_and_a_page(
    as_owner: Client, ended_reply: Reply
) -> None:
    address = f"/m/{ended_reply.question.pk}/edit/"
    alone = read_html(as_owner.get(address, headers=HTMX))
    together = read_html(as_owner.get(address))
    for shown in (alone, together):
        assert f'action="/m/{ended_reply.question.pk}/versions/"' in shown
        assert "Why do tides lag the moon?</textarea>" in shown
    assert "<html" not in alone
    assert "Because of friction." in together
    assert as_owner.get(f"/m/{ended_reply.answer.pk}/edit/").status_code == 404


def test_an_empty_version_is_rejected_and_nothing_is_stored(
    as_owner: Client, ended_reply: Reply
) -> None:
    response = as_owner.post(
        f"/m/{ended_reply.question.pk}/versions/", build_version_form(text=" "), headers=HTMX
    )
    assert response.status_code == 422
    assert "Write a message first." in response.content.decode()
    assert Message.objects.count() == 2


# Regenerated replies


@pytest.mark.parametrize(("model", "answered_by"), [("", "demo"), ("demo-fast", "demo-fast")])
def test_a_regenerated_reply_stands_beside_the_old_one(
    as_owner: Client, ended_reply: Reply, model: str, answered_by: str
) -> None:
    address = f"/m/{ended_reply.answer.pk}/versions/"
    sent = as_owner.post(address, build_version_form(model=model), headers=HTMX)
    assert read_html(sent).count("<article") == 1
    new = Message.objects.exclude(pk=ended_reply.answer.pk).get(role="assistant")
    assert (new.parent_id, new.model) == (ended_reply.question.pk, answered_by)
    assert Conversation.objects.get().current_leaf_id == new.pk
    ended_reply.answer.refresh_from_db()
    assert ended_reply.answer.content == "Because of friction."


def test_the_same_button_in_two_tabs_makes_one_reply(as_owner: Client, ended_reply: Reply) -> None:
    shown = read_html(as_owner.get(get_path(ended_reply)))
    button = re.search(
        r'formaction="(/m/[^"]+/versions/)" name="request_id" value="([^"]+)"', shown
    )
    assert button
    first, second = (as_owner.post(button[1], {"request_id": button[2]}) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert Message.objects.filter(role="assistant").count() == 2
    assert f'value="{button[2]}"' not in read_html(as_owner.get(get_path(ended_reply))), (
        "the next is another"
    )


def test_a_model_without_a_key_is_rejected_for_a_version_too(
    as_owner: Client, ended_reply: Reply
) -> None:
    address = f"/m/{ended_reply.answer.pk}/versions/"
    refused = as_owner.post(address, build_version_form(model="gpt-4.1"), headers=HTMX)
    assert refused.status_code == 422
    assert "No OpenAI API key." in refused.content.decode()
    assert Message.objects.count() == 2


def test_a_new_version_ends_the_branch_that_the_page_shows(
    as_owner: Client, owner: User, ended_reply: Reply
) -> None:
    second = start_reply(owner, "Shorter", ended_reply.conversation)
    finish_reply(second, "Friction.")
    as_owner.post(f"/m/{ended_reply.answer.pk}/versions/", build_version_form())
    assert read_texts(as_owner, get_path(ended_reply)) == ["Why do tides lag the moon?"]


# Continued replies


UNFINISHED_ENDINGS = [
    lifecycle.STOPPED,
    Ending.from_finish(Finish("length")),
    Ending.interrupted("The server stopped before the text was complete."),
]


@pytest.mark.parametrize("ending", UNFINISHED_ENDINGS)
def test_an_unfinished_reply_can_be_continued_once_from_any_tab(
    as_owner: Client, owner: User, ending: Ending
) -> None:
    cut = start_reply(owner, "Tell me")
    finish_reply(cut, "Half a sent", ending)
    shown = read_html(as_owner.get(get_path(cut)))
    button = re.search(
        r'formaction="(/m/[^"]+/continuations/)" name="request_id" value="([^"]+)"', shown
    )
    assert button
    for _ in range(2):
        sent = read_html(as_owner.post(button[1], {"request_id": button[2]}, headers=HTMX))
        assert f'id="m-{cut.answer.pk}"' in sent
        assert "Half a sent" in sent
    assert Stream.objects.filter(continues=cut.stream).count() == 1


def test_a_complete_reply_cannot_be_continued(as_owner: Client, ended_reply: Reply) -> None:
    assert "/continuations/" not in read_html(as_owner.get(get_path(ended_reply)))
    refused = as_owner.post(
        f"/m/{ended_reply.answer.pk}/continuations/", build_version_form(), headers=HTMX
    )
    assert refused.status_code == 422


# Pages that show an old branch


def build_stale_form(leaf: Message, seen: Message, text: str = "Go on") -> dict[str, str]:
    return {
        "text": text,
        "model": "demo",
        "request_id": str(uuid4()),
        "parent": str(leaf.pk),
        "seen": str(seen.pk),
    }


def test_a_message_from_a_page_that_is_behind_is_rejected(
    as_owner: Client, owner: User, ended_reply: Reply
) -> None:
    elsewhere = start_reply(owner, "From another tab", ended_reply.conversation)
    stale = build_stale_form(ended_reply.answer, ended_reply.answer)
    refused = as_owner.post(f"{get_path(ended_reply)}messages/", stale, headers=HTMX)
    assert refused.status_code == 409
    shown = refused.content.decode()
    assert "This chat continued in another tab." in shown
    assert f'data-known-leaf="{elsewhere.answer.pk}"' in shown
    assert not Message.objects.filter(content="Go on").exists()
    branch = stale | {"seen": str(elsewhere.answer.pk)}
    assert as_owner.post(f"{get_path(ended_reply)}messages/", branch).status_code == 302
    assert Message.objects.get(content="Go on").parent_id == ended_reply.answer.pk


def test_without_scripts_a_page_that_is_behind_shows_the_new_messages_and_can_branch(
    as_owner: Client, owner: User, ended_reply: Reply
) -> None:
    newer = start_reply(owner, "From another tab", ended_reply.conversation)
    refused = as_owner.post(
        f"{get_path(ended_reply)}messages/",
        build_stale_form(ended_reply.answer, ended_reply.answer),
    )
    shown = refused.content.decode()
    assert refused.status_code == 409
    assert ">\nGo on</textarea>" in shown
    assert "From another tab" in shown
    assert f'id="seen" name="seen" value="{newer.answer.pk}"' in shown
    assert f'name="parent" value="{ended_reply.answer.pk}"' in shown


def test_a_message_from_an_older_branch_goes_to_that_branch(
    as_owner: Client, owner: User, ended_reply: Reply
) -> None:
    finish_reply(start_reply(owner, "Shorter", ended_reply.conversation), "Friction.")
    as_owner.post(
        f"/m/{ended_reply.question.pk}/versions/", build_version_form(text="And the sun?")
    )
    old = read_html(as_owner.get(f"{get_path(ended_reply)}?leaf={ended_reply.question.pk}"))
    fields = dict(re.findall(r'name="(parent|seen)" value="([^"]+)">', old))
    sent = {"text": "Longer", "model": "demo", "request_id": str(uuid4())} | fields
    assert as_owner.post(f"{get_path(ended_reply)}messages/", sent).status_code == 302
    longer = Message.objects.get(content="Longer")
    assert longer.parent is not None
    assert longer.parent.content == "Friction."


def test_a_message_after_one_of_another_chat_is_rejected(
    as_owner: Client, owner: User, ended_reply: Reply
) -> None:
    other = start_reply(owner, "Another chat")
    sent = build_stale_form(other.answer, ended_reply.answer)
    refused = as_owner.post(f"{get_path(ended_reply)}messages/", sent, headers=HTMX)
    assert refused.status_code == 422
    assert "This page is out of date." in refused.content.decode()


def test_the_same_message_twice_is_accepted_although_its_page_is_behind(
    as_owner: Client, ended_reply: Reply
) -> None:
    sent = build_stale_form(ended_reply.answer, ended_reply.answer)
    first, second = (as_owner.post(f"{get_path(ended_reply)}messages/", sent) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert Stream.objects.filter(state=State.QUEUED).count() == 1


# Strangers


def test_a_stranger_can_make_no_version(stranger: User, ended_reply: Reply) -> None:
    client = create_signed_in_client(stranger)
    posted = [
        f"/m/{ended_reply.question.pk}/versions/",
        f"/m/{ended_reply.answer.pk}/versions/",
        f"/m/{ended_reply.answer.pk}/continuations/",
    ]
    answers = [client.post(address, build_version_form(text="x")) for address in posted]
    answers.append(client.get(f"/m/{ended_reply.question.pk}/edit/"))
    assert [answer.status_code for answer in answers] == [404] * 4
    assert Message.objects.count() == 2
