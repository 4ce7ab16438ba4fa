"""Tool calls and outputs on a page, whatever they say."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from chat.models import Conversation, Message, ToolPart
from chat.presentation import message_pages, tool_part_views
from chat.presentation.tool_part_views import MAX_SHOWN_TOOL_CHARS, load_tool_part_views
from chat.replies import add_turns
from streaming.providers.tools import ToolCall, ToolOutput
from streaming.providers.types import Turn

pytestmark = pytest.mark.django_db

MARKS = "a" + "\u0300" * 50_000 + "\u0323" * 50_000
"""Django's Truncator takes 22 seconds for it, because it normalizes it first."""


@pytest.fixture
def conversation(owner: User) -> Conversation:
    return Conversation.objects.create(user=owner, door="gateway")


def add_exchange(conversation: Conversation, call: ToolCall, output: str) -> None:
    turns = [
        Turn("user", "Rain?"),
        Turn("assistant", "", calls=(call,)),
        Turn("user", "", outputs=(ToolOutput(call.id, output),)),
    ]
    add_turns(conversation.user, conversation, turns)
    conversation.refresh_from_db()


def test_a_text_of_combining_marks_is_cut_before_anything_else(
    conversation: Conversation, as_owner: Client
) -> None:
    add_exchange(conversation, ToolCall("c", "f", MARKS), MARKS)
    shown = as_owner.get(f"/c/{conversation.pk}/").content.decode()
    assert shown.count("\u0300") == 2 * (MAX_SHOWN_TOOL_CHARS - 1)
    assert "\u0323" not in shown


def test_only_the_beginning_of_a_text_leaves_the_database(conversation: Conversation) -> None:
    exactly = "x" * MAX_SHOWN_TOOL_CHARS
    add_exchange(conversation, ToolCall("c", "f", exactly), f"{exactly}y")
    parts = load_tool_part_views(list(Message.objects.values_list("pk", flat=True)))
    [[call], [output]] = sorted(parts.values(), key=lambda found: found[0].label)
    assert (call.label, call.text) == ("Called f", exactly)
    assert (output.label, output.text) == ("Output of a tool", f"{exactly}…")


def test_a_page_counts_tool_parts_for_its_size(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        add_exchange(conversation, ToolCall(f"c{number}", "f", "{}"), "y" * 1_000)
    monkeypatch.setattr(message_pages, "MAX_PAGE_BYTES", 2_500)
    page = message_pages.load_branch_page(conversation)
    assert len(page.messages) == 6
    assert page.earlier_url
    monkeypatch.setattr(message_pages, "MAX_SHOWN_TOOL_CHARS", 100)
    monkeypatch.setattr(tool_part_views, "MAX_SHOWN_TOOL_CHARS", 100)
    assert len(message_pages.load_branch_page(conversation).messages) == 12


def test_a_chat_of_a_person_costs_no_query_for_tools(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Conversation.objects.create(user=owner)
    add_turns(owner, mine, [Turn("user", "A"), Turn("assistant", "a")])
    mine.refresh_from_db()
    monkeypatch.setattr(ToolPart, "objects", None)  # nothing may be asked of it
    monkeypatch.setattr(message_pages, "_count_fitting", lambda ids: len(ids))
    assert len(message_pages.load_branch_page(mine).messages) == 2


def test_a_reply_whose_calls_are_shown_has_no_warning(conversation: Conversation) -> None:
    add_exchange(conversation, ToolCall("c", "f", "{}"), "Rain.")
    Message.objects.filter(role="assistant").update(finish_reason="tool_calls")
    answer = message_pages.load_branch_page(conversation).messages[1]
    assert (answer.state, answer.status_text, answer.severity) == ("completed", "", "")
    ToolPart.objects.all().delete()
    answer = message_pages.load_branch_page(conversation).messages[1]
    assert (answer.status_text, answer.severity) == ("Wanted to call a tool", "waiting")
