"""Builds what the API returns from rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django.db.models.functions import Length

from chat.api import schemas
from chat.conversations.tree import Tree
from chat.models import Conversation, Message
from chat.presentation.current_text import read_current_text
from chat.replies import Reply
from chat.tool_parts.storage import NO_TOOLS, MessageTools, load_door_tools, measure_door_tools
from streaming.models import Stream


def build_conversation(row: Conversation) -> schemas.ConversationOut:
    return schemas.ConversationOut(**_conversation_fields(row, row.model_provider))


def build_row(row: Conversation) -> schemas.ConversationOut:
    """For a list, without a query for each row."""
    return schemas.ConversationOut(**_conversation_fields(row, row.provider))


def build_conversation_with_messages(
    row: Conversation, page: schemas.MessageList
) -> schemas.ConversationWithMessages:
    return schemas.ConversationWithMessages(
        **_conversation_fields(row, row.model_provider),
        messages=page.messages,
        earlier=page.earlier,
    )


def _conversation_fields(row: Conversation, provider: str) -> dict[str, Any]:
    return {
        "id": row.pk,
        "title": row.title,
        "status": row.status,
        "model": row.model,
        "provider": provider,
        "pinned": row.pinned,
        "read": row.is_read,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "current_leaf_id": row.current_leaf_id,
    }


def build_message(
    row: Message, versions: Sequence[UUID] = (), tools: MessageTools = NO_TOOLS
) -> schemas.MessageOut:
    text = read_current_text(row)
    return schemas.MessageOut(
        id=row.pk,
        conversation_id=row.conversation_id,
        parent_id=row.parent_id,
        role=cast(Any, row.role),
        content=text.content,
        reasoning=text.reasoning,
        seams=list(text.seams),
        is_complete=row.is_complete,
        created_at=row.created_at,
        model=row.model,
        provider=row.provider,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost=row.cost,
        finish_reason=row.finish_reason,
        index=text.index,
        stream=build_stream(row.stream) if row.stream else None,
        versions=[*versions] or [row.pk],
        tool_calls=[
            schemas.ToolCallOut(id=call.id, name=call.name, arguments=call.arguments)
            for call in tools.calls
        ],
        tool_outputs=[
            schemas.ToolOutputOut(call_id=output.call_id, output=output.text)
            for output in tools.outputs
        ],
    )


MAX_PAGE_CHARS = 1_000_000
"""Characters of the messages in one answer; it has at least one message."""


def build_message_page(
    conversation: Conversation, before: UUID | None, limit: int
) -> schemas.MessageList:
    """The newest messages of the branch that is shown, or those before a message of any branch, as
    many as fit. Raises KeyError for a message of another conversation."""
    tree = Tree.from_conversation(conversation)
    path = tree.path_to(before or conversation.current_leaf_id)
    if before is not None:
        path.pop()
    shown = _cut_to_size(conversation, path[-limit:])
    rows = conversation.messages.select_related("stream").in_bulk(shown)
    tools = load_door_tools(conversation, shown)
    return schemas.MessageList(
        messages=[
            build_message(rows[id], tree.list_versions(id), tools.get(id, NO_TOOLS))
            for id in shown
            if id in rows
        ],
        earlier=shown[0] if len(path) > len(shown) else None,
    )


def build_reply(reply: Reply) -> schemas.ReplyOut:
    both = (reply.question, reply.answer)
    tools = load_door_tools(reply.conversation, [one.pk for one in both])
    question, answer = (build_message(one, tools=tools.get(one.pk, NO_TOOLS)) for one in both)
    return schemas.ReplyOut(
        conversation=build_conversation(reply.conversation),
        question=question,
        answer=answer,
    )


def build_stream(row: Stream) -> schemas.StreamOut:
    return schemas.StreamOut(
        id=row.uuid,
        state=cast(Any, row.state),
        next_index=row.next_index,
        note=row.note,
        finish_reason=row.finish_reason,
        error=row.error,
    )


def _cut_to_size(conversation: Conversation, ids: list[UUID]) -> list[UUID]:
    """The last ones whose texts fit. A running reply is small until it ends."""
    size = Length("content") + Length("reasoning")
    sizes = Counter(dict(conversation.messages.filter(pk__in=ids).values_list("pk", size)))
    sizes.update(measure_door_tools(conversation, ids))
    total, first = 0, len(ids)
    while first and (first == len(ids) or total + sizes[ids[first - 1]] <= MAX_PAGE_CHARS):
        first -= 1
        total += sizes[ids[first]]
    return ids[first:]
