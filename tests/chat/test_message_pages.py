"""The messages that a page shows, and its links to the others."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.models import Message
from chat.presentation import message_pages
from chat.replies import Reply
from tests.chat.factories import HTMX, extend_conversation, finish_reply, get_path, read_html


def read_message_ids(shown: str) -> list[str]:
    return re.findall(r'<article class="message" id="m-([^"]+)"', shown)


def test_a_page_starts_with_the_newest_messages_and_links_to_earlier_ones(
    as_owner: Client, reply: Reply
) -> None:
    finish_reply(reply)
    messages = [str(message.pk) for message in extend_conversation(reply, 120)]
    fetched: list[str] = []
    address = get_path(reply)
    for _ in range(3):
        shown = read_html(as_owner.get(unescape(address), headers=HTMX))
        fetched = read_message_ids(shown) + fetched
        found = re.search(r'hx-get="([^"]+)"', shown)
        address = found[1] if found else ""
    assert fetched == messages
    assert address == ""


HUGE_TEXT = "&" * 400_000


def create_huge_messages(reply: Reply, length: int) -> list[str]:
    """Create a conversation whose replies are huge and whose questions are not. Return the ids."""
    finish_reply(reply, HUGE_TEXT)
    messages = extend_conversation(reply, length)
    replies = reply.conversation.messages.filter(role=Message.Role.ASSISTANT)
    replies.update(content=HUGE_TEXT)
    return [str(message.pk) for message in messages]


def test_a_page_holds_few_huge_messages_and_links_to_the_others(
    as_owner: Client, reply: Reply
) -> None:
    messages = create_huge_messages(reply, 12)
    fetched: list[str] = []
    address = get_path(reply)
    while address:
        shown = read_html(as_owner.get(unescape(address), headers=HTMX))
        assert 0 < len(read_message_ids(shown)) <= 5
        fetched = read_message_ids(shown) + fetched
        found = re.search(r'hx-get="([^"]+)"', shown)
        address = found[1] if found else ""
    assert fetched == messages


def test_a_question_and_its_reply_share_a_page_however_large_they_are(
    as_owner: Client, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_pages, "MAX_PAGE_BYTES", 10)
    messages = create_huge_messages(reply, 6)
    assert read_message_ids(read_html(as_owner.get(get_path(reply)))) == messages[4:]
    older = read_html(as_owner.get(f"{get_path(reply)}earlier/?before={messages[4]}"))
    assert read_message_ids(older) == messages[2:4]


def test_the_size_of_a_page_counts_reasoning_and_bytes(
    as_owner: Client, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_reply(reply)
    messages = [str(message.pk) for message in extend_conversation(reply, 6)]
    Message.objects.update(content="", reasoning="é" * 10)
    monkeypatch.setattr(message_pages, "MAX_PAGE_BYTES", 60)
    assert read_message_ids(read_html(as_owner.get(get_path(reply)))) == messages[3:]
    monkeypatch.setattr(message_pages, "MAX_PAGE_BYTES", 59)
    assert read_message_ids(read_html(as_owner.get(get_path(reply)))) == messages[4:]


def test_a_page_from_an_old_message_on_links_to_the_end_of_its_branch(
    as_owner: Client, reply: Reply
) -> None:
    messages = create_huge_messages(reply, 12)
    shown = read_html(as_owner.get(f"{get_path(reply)}?leaf={messages[2]}"))
    assert read_message_ids(shown) == messages[2:7]
    assert f'name="parent" value="{messages[-1]}"' in shown, "a new question follows the last one"
    found = re.search(r'href="([^"]+)">↓ Latest', shown)
    assert found
    assert found[1].endswith(f"?leaf={messages[-1]}")
    newest = read_html(as_owner.get(found[1]))
    assert read_message_ids(newest)[-1] == messages[-1]
    assert "↓ Latest" not in newest


def test_only_the_text_of_shown_messages_is_read(as_owner: Client, reply: Reply) -> None:
    messages = create_huge_messages(reply, 12)
    with CaptureQueriesContext(connection) as queries:
        shown = read_message_ids(read_html(as_owner.get(get_path(reply))))
    [query] = [each["sql"] for each in queries if '"chat_message"."content",' in each["sql"]]
    read_ids = [id for id in messages if id.replace("-", "") in query.replace("-", "")]
    assert read_ids == shown


def test_without_scripts_earlier_messages_are_a_page_of_their_own(
    as_owner: Client, as_stranger: Client, reply: Reply
) -> None:
    finish_reply(reply)
    messages = extend_conversation(reply, 60)
    address = f"{get_path(reply)}earlier/?before={messages[10].pk}"
    shown = read_html(as_owner.get(address))
    assert read_message_ids(shown) == [str(message.pk) for message in messages[:10]]
    assert "↓ Latest" in shown
    assert as_owner.get(f"{get_path(reply)}earlier/?before=nothing").status_code == 404
    assert as_stranger.get(address).status_code == 404


def test_a_linked_message_is_shown_however_old_it_is(as_owner: Client, reply: Reply) -> None:
    finish_reply(reply)
    messages = extend_conversation(reply, 80)
    shown = read_html(as_owner.get(f"{get_path(reply)}?leaf={messages[4].pk}"))
    assert read_message_ids(shown) == [str(message.pk) for message in messages[4:]]
