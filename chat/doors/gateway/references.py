"""Items of a request that stand for items of earlier responses."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from chat.api.problems import Problem
from chat.doors.gateway import ids
from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.items import build_items
from chat.doors.gateway.message_input import ItemReference
from chat.doors.gateway.output import load_output
from chat.doors.gateway.reading import DOOR_NAME
from chat.models import Message
from chat.replies.handler import to_turn
from chat.tool_parts.storage import NO_TOOLS, MessageTools, load_tools
from streaming.access import StreamNotFound
from streaming.providers.types import Turn


def resolve_references(user: User, turns: Sequence[Turn | ItemReference]) -> list[Turn]:
    """Each message that is referred to, once, with those of its parts that any reference names.
    Reasoning adds nothing, because models are not sent that of earlier replies. Raises Problem for
    the id of an item that the user has not, and for one of a reply that still runs."""
    references = [turn for turn in turns if isinstance(turn, ItemReference)]
    messages = _find_messages(user, references)
    tools = load_tools(messages.keys())
    find_ids = cache(lambda pk: _list_ids(messages[pk], tools.get(pk, NO_TOOLS)))
    find_streamed_ids = cache(lambda pk: _list_streamed_ids(messages[pk]))
    named = {reference.id for reference in references}
    taken: set[UUID] = set()
    resolved: list[Turn] = []
    for turn in turns:
        if isinstance(turn, Turn):
            resolved.append(turn)
            continue
        uuid = ids.parse_item_id(turn.id)
        message = messages.get(uuid) if uuid else None
        if message is None:
            raise _build_not_found(turn)
        if message.stream is not None and message.stream.ended_at is None:
            text = _("The response with the item “%(id)s” has not ended yet. Wait for it.")
            raise build_invalid(turn.param, text % {"id": turn.id})
        # The ids of events are seldom others, and it takes a journal to know them.
        if turn.id not in find_ids(message.pk) and turn.id not in find_streamed_ids(message.pk):
            raise _build_not_found(turn)
        if message.pk not in taken and not turn.id.startswith(ids.REASONING):
            taken.add(message.pk)
            turn = to_turn(message, tools.get(message.pk, NO_TOOLS))
            resolved.append(_select_parts(turn, message.pk, named))
    return resolved


def _select_parts(turn: Turn, message_id: UUID, named: Set[str]) -> Turn:
    """The parts of a message whose items have these ids."""

    def is_named(prefix: str, number: int) -> bool:
        return ids.build_id(prefix, message_id, number) in named

    has_text = any(
        id.startswith(ids.MESSAGE) and ids.parse_item_id(id) == message_id for id in named
    )
    return replace(
        turn,
        text=turn.text if has_text else "",
        calls=tuple(call for at, call in enumerate(turn.calls, 1) if is_named(ids.CALL, at)),
        outputs=tuple(
            output for at, output in enumerate(turn.outputs, 1) if is_named(ids.CALL_OUTPUT, at)
        ),
    )


def _find_messages(user: User, references: Sequence[ItemReference]) -> dict[UUID, Any]:
    uuids = [ids.parse_item_id(reference.id) for reference in references]
    wanted = {uuid for uuid in uuids if uuid}
    if not wanted:
        return {}
    messages = Message.objects.owned_by(user).filter(pk__in=wanted, conversation__door=DOOR_NAME)
    messages = messages.select_related("stream").annotate(has_reasoning=Q(reasoning__gt=""))
    return {message.pk: message for message in messages}


def _list_ids(message: Message, parts: MessageTools) -> set[str]:
    """Of the items as lists show them."""
    return {item["id"] for item in build_items(message, parts)}


def _list_streamed_ids(message: Message) -> set[str]:
    """Of the items as the response shows them or its events did. Those have several messages if
    there was reasoning between them."""
    if message.stream is None:
        return set()
    try:
        output = load_output(message.stream, message.pk)
    except StreamNotFound:  # it is being deleted
        return set()
    return {run.id for run in (*output.runs, *output.streamed)}


def _build_not_found(reference: ItemReference) -> Problem:
    text = _("Item with id “%(id)s” not found.") % {"id": reference.id}
    return build_invalid(reference.param, text, "not_found")
