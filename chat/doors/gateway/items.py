"""Messages as the items of lists, and pages of such lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from chat.doors.gateway import ids
from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.tool_objects import build_call_item, build_output_item
from chat.models import Conversation, Message, ToolPart
from chat.tool_parts.storage import NO_TOOLS, MessageTools, load_tools

Item = dict[str, Any]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
LIST_PARAMETERS = ("after", "limit", "order")


@dataclass(frozen=True, slots=True)
class ItemKey:
    """An item of a list without its text. `message_id` is None for the developer's text."""

    id: str
    message_id: UUID | None


def build_conversation_page(conversation: Conversation, query: Mapping[str, str]) -> Item:
    """Items along the newest branch. Raises Problem."""
    keys = _list_keys(conversation, conversation.current_leaf_id)
    return _build_page(conversation, keys, query)


def build_input_page(row: GatewayResponse, query: Mapping[str, str]) -> Item:
    """Items of everything that the model was sent. Raises Problem."""
    keys = _list_keys(row.conversation, row.answer.parent_id)
    id = ids.build_id(ids.MESSAGE, row.stream.uuid)
    if not row.developer_text:
        return _build_page(row.conversation, keys, query)
    developer = _build_message(id, "developer", "input_text", row.developer_text)
    return _build_page(row.conversation, [ItemKey(id, None), *keys], query, developer)


def _list_keys(conversation: Conversation, last_id: UUID | None) -> list[ItemKey]:
    """Oldest first. A conversation may hold far more text than a page of it."""
    rows = conversation.messages.annotate(
        has_reasoning=Q(reasoning__gt="", role=Message.Role.ASSISTANT),
        has_text=Q(content__gt=""),
        calls=Count("tool_parts", filter=Q(tool_parts__kind=ToolPart.PartKind.CALL)),
        outputs=Count("tool_parts", filter=Q(tool_parts__kind=ToolPart.PartKind.OUTPUT)),
    )
    fields = ("has_reasoning", "has_text", "calls", "outputs")
    nodes = {id: rest for id, *rest in rows.values_list("pk", "parent", *fields)}
    keys: list[ItemKey] = []
    at = last_id
    while at is not None:
        parent_id, *parts = nodes[at]
        keys += (ItemKey(id, at) for id in reversed(list_item_ids(at, *parts)))
        at = parent_id
    return keys[::-1]


def list_item_ids(
    message_id: UUID, has_reasoning: bool, has_text: bool, calls: int, outputs: int
) -> list[str]:
    """The items of one message, in the order in which a model reads them."""
    found = [ids.build_id(ids.REASONING, message_id)] if has_reasoning else []
    found += (ids.build_id(ids.CALL_OUTPUT, message_id, at + 1) for at in range(outputs))
    if has_text or not (calls or outputs):
        found.append(ids.build_id(ids.MESSAGE, message_id))
    return found + [ids.build_id(ids.CALL, message_id, at + 1) for at in range(calls)]


def _build_page(
    conversation: Conversation,
    keys: Sequence[ItemKey],
    query: Mapping[str, str],
    *others: Item,
) -> Item:
    """`others` are items that are no messages. One that was deleted meanwhile is left out."""
    chosen, has_more = choose_page(keys, query)
    wanted = {key.message_id for key in chosen if key.message_id}
    messages = conversation.messages.select_related("stream").in_bulk(wanted)
    found = {item["id"]: item for item in [*others, *list_items(list(messages.values()))]}
    return build_list([found[key.id] for key in chosen if key.id in found], has_more=has_more)


def list_items(messages: Sequence[Message]) -> list[Item]:
    tools = load_tools([message.pk for message in messages])
    return [
        item
        for message in messages
        for item in build_items(message, tools.get(message.pk, NO_TOOLS))
    ]


def build_items(message: Message, tools: MessageTools) -> list[Item]:
    """A message with reasoning, tool calls or outputs is several items."""
    is_answer = message.role == Message.Role.ASSISTANT
    has_reasoning = bool(is_answer and message.reasoning)
    counts = len(tools.calls), len(tools.outputs)
    calls, outputs = iter(tools.calls), iter(tools.outputs)
    items: list[Item] = []
    for id in list_item_ids(message.pk, has_reasoning, bool(message.content), *counts):
        if id.startswith(ids.REASONING):
            summary = [{"type": "summary_text", "text": message.reasoning}]
            items.append({"id": id, "type": "reasoning", "summary": summary})
        elif id.startswith(ids.CALL_OUTPUT):
            items.append(build_output_item(id, next(outputs)))
        elif id.startswith(ids.CALL):
            items.append(build_call_item(id, next(calls)))
        elif is_answer:
            items.append(_build_answer(id, message))
        else:
            items.append(_build_message(id, "user", "input_text", message.content))
    return items


def _build_answer(id: str, message: Message) -> Item:
    shown = _build_message(id, "assistant", "output_text", message.content)
    shown["content"][0] |= {"annotations": [], "logprobs": []}
    if message.stream is not None and not message.is_complete:
        shown["status"] = "incomplete" if message.stream.ended_at else "in_progress"
    return shown


def _build_message(id: str, role: str, kind: str, text: str) -> Item:
    return {
        "id": id,
        "type": "message",
        "status": "completed",
        "role": role,
        "content": [{"type": kind, "text": text}],
    }


def choose_page(
    keys: Sequence[ItemKey], query: Mapping[str, str]
) -> tuple[Sequence[ItemKey], bool]:
    """The part of a list that a request asks for, newest first by default, and whether there is
    more. Raises Problem."""
    limit = _read_limit(query.get("limit", str(DEFAULT_LIMIT)))
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise build_invalid("order", _("“order” must be “asc” or “desc”."))
    ordered = list(keys) if order == "asc" else list(reversed(keys))
    if after := query.get("after"):
        positions = [at for at, key in enumerate(ordered, 1) if key.id == after]
        if not positions:
            raise build_invalid("after", _("The list has no item with the id in “after”."))
        ordered = ordered[positions[0] :]
    return ordered[:limit], len(ordered) > limit


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
