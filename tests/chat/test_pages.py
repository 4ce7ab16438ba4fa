"""Pages and their fragments, the list of conversations, and access by strangers."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from chat.conversations import sidebar
from chat.models import Conversation
from chat.replies import Reply
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from tests.chat.factories import (
    HTMX,
    QUESTION,
    build_message_form,
    finish_reply,
    get_path,
    read_html,
    start_reply,
    write_reply,
)


def remove_tokens(response: Any) -> str:
    """Return the page without the tokens, which differ at each rendering."""
    return re.sub(r"[A-Za-z0-9]{64}", "", response.content.decode())


def test_htmx_gets_the_messages_of_a_conversation_without_the_page(
    as_owner: Client, reply: Reply
) -> None:
    response = as_owner.get(get_path(reply), headers=HTMX)
    shown = read_html(response)
    assert shown.count("<article") == 2
    assert "<html" not in shown
    assert "HX-Request" in response.headers["Vary"]
    assert "no-store" in response.headers["Cache-Control"]


def test_only_a_page_with_a_running_reply_refreshes_itself_without_scripts(
    as_owner: Client, reply: Reply
) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="2; url={}"></noscript>'.format
    assert refresh(get_path(reply)) in read_html(as_owner.get(get_path(reply)))
    branch = f"{get_path(reply)}?leaf={reply.answer.pk}"
    assert refresh(branch) in read_html(as_owner.get(branch))
    refused = as_owner.post(f"{get_path(reply)}messages/", build_message_form(text=" "))
    assert b'http-equiv="refresh"' not in refused.content, "a refresh would delete the typed text"
    finish_reply(reply)
    assert 'http-equiv="refresh"' not in read_html(as_owner.get(get_path(reply)))


def test_a_strangers_request_is_answered_as_if_nothing_existed(
    as_stranger: Client, reply: Reply
) -> None:
    get_paths = [get_path(reply), f"/m/{reply.answer.pk}/", f"/m/{reply.answer.pk}/place/"]
    post_paths = [f"{get_path(reply)}messages/", f"/s/{reply.stream.uuid}/stop/"]
    answers: list[Any] = [as_stranger.get(address) for address in get_paths]
    answers += [as_stranger.post(address, build_message_form()) for address in post_paths]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert all(QUESTION not in answer.content.decode() for answer in answers)
    nothing = as_stranger.get(f"/c/{uuid.uuid4()}/")
    assert remove_tokens(nothing) == remove_tokens(answers[0])
    assert Stream.objects.get().state == State.QUEUED


def test_a_stranger_finds_nothing_in_the_sidebar(as_stranger: Client, reply: Reply) -> None:
    assert QUESTION not in read_html(as_stranger.get("/sidebar/"))


def test_conversations_are_listed_under_the_day_of_their_last_use(
    as_owner: Client, owner: User
) -> None:
    for days in (0, 0, 1, 6, 30):
        conversation = start_reply(owner, f"{days} days ago").conversation
        used = timezone.now() - timedelta(days=days)
        Conversation.objects.filter(pk=conversation.pk).update(updated_at=used)
    shown = read_html(as_owner.get("/sidebar/"))
    assert re.findall(r"<h2>(.*?)</h2>|<bdi>(\d+ days ago)</bdi></a>", shown) == [
        ("Today", ""),
        ("", "0 days ago"),
        ("", "0 days ago"),
        ("Yesterday", ""),
        ("", "1 days ago"),
        ("Previous 7 days", ""),
        ("", "6 days ago"),
        ("Older", ""),
        ("", "30 days ago"),
    ]


def test_running_and_failed_conversations_are_marked(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    assert 'data-state="running"></span><span class="sr-only">running: </span>' in read_html(
        as_owner.get("/sidebar/")
    )
    finish_reply(reply, "x", Ending.internal_error())
    assert 'data-state="failed"' in read_html(as_owner.get("/sidebar/"))
    finish_reply(start_reply(owner, "Again", reply.conversation))
    assert 'data-state="unread"' in read_html(as_owner.get("/sidebar/"))
    as_owner.get(get_path(reply))
    assert 'class="activity-dot' not in read_html(as_owner.get("/sidebar/")), "its page was opened"


def test_the_open_conversation_is_marked_in_the_page_and_in_the_fragment(
    as_owner: Client, reply: Reply
) -> None:
    row = f'href="{get_path(reply)}" aria-current="page"'
    assert row in read_html(as_owner.get(get_path(reply)))
    open_ = {"open": str(reply.conversation.pk)}
    assert row in read_html(as_owner.get("/sidebar/", open_, headers=HTMX))
    assert row not in read_html(as_owner.get("/sidebar/", {"open": "none"}, headers=HTMX))
    assert row not in read_html(as_owner.get("/sidebar/", headers=HTMX))


def test_the_sidebar_lists_one_page_of_conversations(
    as_owner: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebar, "PAGE_SIZE", 2)
    for number in range(3):
        start_reply(owner, f"Number {number}")
    shown = read_html(as_owner.get("/sidebar/"))
    assert "Number 0" not in shown
    assert "Number 2" in shown


def count_queries(client: Client, reply: Reply) -> int:
    with CaptureQueriesContext(connection) as made:
        client.get(get_path(reply))
    return len(made)


def test_a_long_conversation_takes_no_more_queries_than_a_short_one(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    finish_reply(reply)
    as_owner.get("/settings/keys/")  # the first request writes that the session was seen
    query_count = count_queries(as_owner, reply)
    for number in range(12):
        finish_reply(start_reply(owner, f"Number {number}", reply.conversation))
        finish_reply(start_reply(owner, f"Another chat {number}"))
    assert count_queries(as_owner, reply) == query_count


def test_replies_that_wait_for_their_turn_take_no_queries(
    as_owner: Client, owner: User, reply: Reply
) -> None:
    write_reply(reply, "so far")
    start_reply(owner, "Number 0", reply.conversation)
    as_owner.get(get_path(reply))
    query_count = count_queries(as_owner, reply)
    for number in range(1, 6):
        start_reply(owner, f"Number {number}", reply.conversation)
    assert count_queries(as_owner, reply) == query_count


@pytest.mark.parametrize("place", ["/", "new", "conversation", "refused", "nowhere"])
def test_no_page_has_inline_code_or_loads_from_other_sites(
    visitor: Client, as_owner: Client, reply: Reply, place: str
) -> None:
    finish_reply(reply, "**bold** [link](https://example.org)")
    response = {
        "/": lambda: visitor.get("/"),
        "new": lambda: as_owner.get("/"),
        "conversation": lambda: as_owner.get(get_path(reply)),
        "refused": lambda: as_owner.post("/c/", build_message_form(model="gpt-4.1")),
        "nowhere": lambda: as_owner.get("/nowhere/"),
    }[place]()
    shown = response.content.decode()
    assert "<main" in shown
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", shown)
    scripts = re.findall(r"<script([^>]*)>", shown)
    assert [s for s in scripts if "src=" not in s and 'type="application/json"' not in s] == []
    loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', shown)
    assert [address for address in loaded if not address.startswith("/static/")] == []
