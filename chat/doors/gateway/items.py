"""Messages as the items of lists, and pages of such lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chat.conversations.tree import Tree
from chat.doors.gateway import ids
from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.models import GatewayResponse
from chat.models import Conversation, Message

Item = dict[str, Any]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
LIST_PARAMETERS = ("after", "limit", "order", "include")


def list_conversation_items(conversation: Conversation) -> list[Item]:
    """Oldest first, along the newest branch."""
    return list_items(load_branch(conversation, conversation.current_leaf_id))


def list_input_items(row: GatewayResponse) -> list[Item]:
    """Everything that the model was sent, oldest first."""
    items = list_items(load_branch(row.conversation, row.answer.parent_id))
    if not row.developer_text:
        return items
    id = ids.build_id(ids.MESSAGE, row.stream.uuid)
    return [_build_message(id, "developer", "input_text", row.developer_text), *items]


def load_branch(conversation: Conversation, last_id: UUID | None) -> list[Message]:
    path = Tree.from_conversation(conversation).path_to(last_id)
    messages = conversation.messages.select_related("stream").in_bulk(path)
    return [messages[id] for id in path]


def list_items(messages: Sequence[Message]) -> list[Item]:
    return [item for message in messages for item in build_items(message)]


def build_items(message: Message) -> list[Item]:
    """An answer with reasoning is two items."""
    id = ids.build_id(ids.MESSAGE, message.pk)
    if message.role == Message.Role.USER:
        return [_build_message(id, "user", "input_text", message.content)]
    shown = _build_message(id, "assistant", "output_text", message.content)
    shown["content"][0] |= {"annotations": [], "logprobs": []}
    if message.stream is not None and not message.is_complete:
        shown["status"] = "incomplete" if message.stream.ended_at else "in_progress"
    if not message.reasoning:
        return [shown]
    summary = [{"type": "summary_text", "text": message.reasoning}]
    reasoning_id = ids.build_id(ids.REASONING, message.pk)
    return [{"id": reasoning_id, "type": "reasoning", "summary": summary}, shown]


def _build_message(id: str, role: str, kind: str, text: str) -> Item:
    return {
        "id": id,
        "type": "message",
        "status": "completed",
        "role": role,
        "content": [{"type": kind, "text": text}],
    }


def build_page(items: Sequence[Item], query: Mapping[str, str]) -> dict[str, Any]:
    """The part of a list that a request asks for, newest first by default. Raises Problem."""
    limit = _read_limit(query.get("limit", str(DEFAULT_LIMIT)))
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise build_invalid("order", _("“order” must be “asc” or “desc”."))
    ordered = list(items) if order == "asc" else list(reversed(items))
    if after := query.get("after"):
        positions = [at for at, item in enumerate(ordered, 1) if item["id"] == after]
        if not positions:
            raise build_invalid("after", _("The list has no item with the id in “after”."))
        ordered = ordered[positions[0] :]
    return build_list(ordered[:limit], has_more=len(ordered) > limit)


def build_list(items: Sequence[Item], *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(items),
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }


def _read_limit(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        sentence = _("“limit” must be a whole number from 1 to %(most)s.") % {"most": MAX_LIMIT}
        raise build_invalid("limit", sentence)
    return int(text)
