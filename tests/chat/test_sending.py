"""Sending a message and stopping its reply, with scripts and without."""

import re
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.api_keys import keys
from accounts.models import User
from chat.messages.forms import MAX_MESSAGE_CHARS
from chat.models import Conversation, Message
from chat.replies import Reply
from streaming.models import State, Stream
from tests.chat.factories import (
    HTMX,
    QUESTION,
    build_message_form,
    find_article,
    finish_reply,
    get_path,
    read_html,
    read_text_box,
    write_reply,
)

KEY = "sk-harbour-0123456789-ab12"


def test_sending_without_scripts_leads_to_the_conversation(as_owner: Client) -> None:
    response = as_owner.post("/c/", build_message_form(), follow=True)
    conversation = Conversation.objects.get()
    assert response.redirect_chain == [(f"/c/{conversation.pk}/", 302)]
    shown = read_html(response)
    assert f'<h1 id="title" tabindex="-1" dir="auto">{QUESTION}</h1>' in shown
    assert 'aria-label="You"' in shown
    assert 'aria-label="demo" aria-busy="true"' in shown


def test_htmx_gets_both_messages_and_the_address_of_the_conversation(as_owner: Client) -> None:
    response = as_owner.post("/c/", build_message_form(), headers=HTMX)
    question, answer = Message.objects.order_by("role").reverse()
    assert response.headers["HX-Push-Url"] == f"/c/{question.conversation_id}/"
    shown = read_html(response)
    assert shown.count("<article") == 2
    assert QUESTION in find_article(shown, question)
    assert 'data-state="queued"' in find_article(shown, answer)


def test_a_message_in_a_conversation_follows_its_last_reply(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply)
    response = as_owner.post(
        f"{get_path(reply)}messages/", build_message_form(text="Shorter"), headers=HTMX
    )
    assert "HX-Push-Url" not in response.headers
    second = Message.objects.get(content="Shorter")
    assert second.parent_id == reply.answer.pk


def test_the_same_request_twice_gets_the_same_answer(as_owner: Client) -> None:
    twice = build_message_form()
    first, second = (as_owner.post("/c/", twice, headers=HTMX) for _ in range(2))
    assert read_html(first) == read_html(second)
    assert first.headers["HX-Push-Url"] == second.headers["HX-Push-Url"]
    assert Message.objects.count() == 2


def test_a_model_without_a_key_is_rejected_before_anything_is_stored(as_owner: Client) -> None:
    response = as_owner.post("/c/", build_message_form(model="gpt-4.1"), headers=HTMX)
    shown = response.content.decode()
    assert response.status_code == 422
    assert 'role="alert"' in shown
    assert "No OpenAI API key." in shown
    assert 'href="/settings/keys/"' in shown
    assert not Conversation.objects.exists()


def test_without_scripts_a_rejected_text_is_still_in_the_box(
    as_owner: Client, reply: Reply
) -> None:
    sent = build_message_form(
        text="\n  <b>Do not lose me</b>\n", model="gpt-4.1", temperature="0.4"
    )
    response = as_owner.post(f"{get_path(reply)}messages/", sent)
    shown = response.content.decode()
    assert response.status_code == 422
    assert "No OpenAI API key." in shown
    assert read_text_box(shown) == sent["text"]
    assert re.search(r'name="temperature"[^>]* value="0.4"', shown)
    assert QUESTION in shown, "the conversation is still there"


def test_an_unknown_model_is_rejected_with_advice(as_owner: Client) -> None:
    response = as_owner.post("/c/", build_message_form(model="hal-9000"), headers=HTMX)
    assert response.status_code == 422
    assert "No provider here serves the model “hal-9000”." in response.content.decode()


def test_lines_are_stored_as_they_were_typed(as_owner: Client) -> None:
    as_owner.post(
        "/c/", build_message_form(text=" one\r\ntwo\rthree\n\nfour ", system_prompt="a\r\nb")
    )
    assert Message.objects.get(role="user").content == " one\ntwo\nthree\n\nfour "
    assert Conversation.objects.get().system_prompt == "a\nb"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"text": ""}, "Write a message first."),
        ({"text": " \r\n\t"}, "Write a message first."),
        ({"text": "x" * (MAX_MESSAGE_CHARS + 1)}, "400001 characters, and at most 400000"),
        ({"model": ""}, "Choose a model first."),
        ({"request_id": ""}, "Reload it, and send the message again."),
        ({"request_id": "not-a-uuid"}, "Reload it, and send the message again."),
        ({"max_tokens": "0"}, "Max tokens must be at least 1."),
        ({"max_tokens": "many"}, "Max tokens must be a whole number."),
        ({"model": "gpt-4o", "max_tokens": "16385"}, "GPT-4o writes at most 16,384 tokens."),
        ({"temperature": "2.1"}, "Temperature must be a number from 0 to 2."),
        ({"temperature": "-1"}, "Temperature must be a number from 0 to 2."),
        ({"temperature": "nan"}, "Temperature must be a number from 0 to 2."),
        ({"temperature": "warm"}, "Temperature must be a number from 0 to 2."),
        ({"system_prompt": "x" * 100_001}, "The system prompt is too long"),
    ],
)
def test_an_invalid_field_is_rejected_with_what_to_change(
    as_owner: Client, owner: User, wrong: dict[str, str], sentence: str
) -> None:
    keys.save(owner, "openai", KEY)
    response = as_owner.post("/c/", build_message_form(**wrong), headers=HTMX)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Message.objects.exists()


def test_a_message_at_the_limit_is_sent_even_if_every_line_end_is_two_characters(
    as_owner: Client,
) -> None:
    text = "\n" * (MAX_MESSAGE_CHARS - 1) + "x"
    as_owner.post("/c/", build_message_form(text=text.replace("\n", "\r\n")))
    assert Message.objects.get(role="user").content == text


def test_the_longest_possible_message_fits_into_a_form(as_owner: Client) -> None:
    longest = urlencode(build_message_form(text="🌊" * MAX_MESSAGE_CHARS))
    as_owner.post("/c/", longest, content_type="application/x-www-form-urlencoded")
    assert len(Message.objects.get(role="user").content) == MAX_MESSAGE_CHARS


def test_settings_a_model_does_not_take_are_left_out(as_owner: Client) -> None:
    as_owner.post("/c/", build_message_form(model="demo", temperature="0.7", max_tokens="4000"))
    conversation = Conversation.objects.get()
    assert (conversation.temperature, conversation.max_tokens) == (None, 4000)


def test_stopping_keeps_the_text_so_far(as_owner: Client, reply: Reply) -> None:
    write_reply(reply, "So far.")
    address = f"/s/{reply.stream.uuid}/stop/"
    assert as_owner.post(address, headers=HTMX).status_code == 204
    assert as_owner.post(address).headers["Location"] == get_path(reply), "once more is fine"
    reply.answer.refresh_from_db()
    assert reply.answer.content == "So far."
    assert Stream.objects.get().state == State.STOPPED
