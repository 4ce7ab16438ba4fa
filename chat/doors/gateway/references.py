"""Items of a request that stand for items of earlier responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
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

MAX_READ_JOURNALS = 50
"""Replies of one request whose items are only known from their journals."""


def resolve_references(user: User, turns: Sequence[Turn | ItemReference]) -> list[Turn]:
    """Each message that is referred to, once, with those of its parts that any reference names.
    Reasoning adds nothing, because models are not sent that of earlier replies. Raises Problem for
    the id of an item that the user has not, and for one of a reply that still runs."""
    references = [turn for turn in turns if isinstance(turn, ItemReference)]
    messages = _find_messages(user, references)
    tools = load_tools(messages.keys())
    known = _KnownIds(messages, tools)
    named = {reference.id for reference in references}
    with_text = {ids.parse_item_id(id) for id in named if id.startswith(ids.MESSAGE)}
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
        known.require(turn, message.pk)
        if message.pk not in taken and not turn.id.startswith(ids.REASONING):
            taken.add(message.pk)
            turn = to_turn(message, tools.get(message.pk, NO_TOOLS))
            resolved.append(_select_parts(turn, message.pk, named, message.pk in with_text))
    return resolved


def _select_parts(turn: Turn, message_id: UUID, named: Set[str], has_text: bool) -> Turn:
    """The parts of a message whose items have these ids, and its text if an id names that."""

    def is_named(prefix: str, number: int) -> bool:
        return ids.build_id(prefix, message_id, number) in named

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


class _KnownIds:
    """The ids of the items of messages, each as lists show it and as its response and its events
    did. Those of events are seldom others, and it takes a journal to know them."""

    def __init__(self, messages: Mapping[UUID, Any], tools: Mapping[UUID, MessageTools]) -> None:
        self._messages, self._tools = messages, tools
        self._listed: dict[UUID, set[str]] = {}
        self._streamed: dict[UUID, set[str]] = {}

    def require(self, reference: ItemReference, message_id: UUID) -> None:
        """Raises Problem if the message has no item with this id."""
        message, parts = self._messages[message_id], self._tools.get(message_id, NO_TOOLS)
        if message_id not in self._listed:
            self._listed[message_id] = {item["id"] for item in build_items(message, parts)}
        if reference.id in self._listed[message_id]:
            return
        # Only reasoning or calls stand between two texts of one reply.
        if not message.stream_id or not (message.has_reasoning or parts.calls):
            raise _build_not_found(reference)
        if message_id not in self._streamed:
            if len(self._streamed) == MAX_READ_JOURNALS:
                raise _build_many(reference)
            self._streamed[message_id] = _list_streamed_ids(message)
        if reference.id not in self._streamed[message_id]:
            raise _build_not_found(reference)


def _list_streamed_ids(message: Message) -> set[str]:
    """A response and its events have several messages if there was reasoning between them."""
    assert message.stream is not None
    try:
        output = load_output(message.stream, message.pk)
    except StreamNotFound:  # it is being deleted
        return set()
    return {run.id for run in (*output.runs, *output.streamed)}


def _build_many(reference: ItemReference) -> Problem:
    text = _(
        "A request may name parts of at most %(count)s replies that have several texts or thoughts."
        " Send the others as messages."
    )
    return build_invalid(reference.param, text % {"count": MAX_READ_JOURNALS})


def _build_not_found(reference: ItemReference) -> Problem:
    text = _("Item with id “%(id)s” not found.") % {"id": reference.id}
    return build_invalid(reference.param, text, "not_found")
