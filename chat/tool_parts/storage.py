"""Writes and reads the tool calls and outputs of messages."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Max, Sum
from django.db.models.functions import Length

from accounts.models import User
from chat.models import Conversation, Message, ToolPart
from streaming.providers.tools import ToolCall, ToolOutput
from streaming.providers.types import Turn

PartKind = ToolPart.PartKind
CallIdentity = tuple[str, str, str]
"""The id, the name and the arguments of a call, in one spelling."""
MAX_COMPARED_CALLS = 1_000
"""So many calls with the ids and names of a request are compared if no row has its arguments."""


@dataclass(frozen=True, slots=True)
class MessageTools:
    """The tool calls and outputs of one message, in their order."""

    calls: tuple[ToolCall, ...] = ()
    outputs: tuple[ToolOutput, ...] = ()

    @property
    def length(self) -> int:
        """In characters."""
        return sum(call.length for call in self.calls) + sum(one.length for one in self.outputs)


NO_TOOLS = MessageTools()


def save_tools(turns: Iterable[tuple[Message, Turn]]) -> None:
    """Store the calls and outputs of turns that were just written as messages."""
    rows = [row for message, turn in turns for row in _build_rows(message, turn)]
    if rows:
        ToolPart.objects.bulk_create(rows)


def _build_rows(message: Message, turn: Turn) -> list[ToolPart]:
    calls = [
        ToolPart(
            message=message,
            kind=PartKind.CALL,
            call_id=call.id,
            name=call.name,
            text=call.arguments,
            state=call.state,
        )
        for call in turn.calls
    ]
    outputs = [
        ToolPart(message=message, kind=PartKind.OUTPUT, call_id=output.call_id, text=output.text)
        for output in turn.outputs
    ]
    return calls + outputs


def load_tools(message_ids: Collection[UUID]) -> Mapping[UUID, MessageTools]:
    """Those of each message that has any."""
    calls: dict[UUID, list[ToolCall]] = defaultdict(list)
    outputs: dict[UUID, list[ToolOutput]] = defaultdict(list)
    for row in ToolPart.objects.filter(message__in=message_ids).order_by("pk"):
        if row.kind == PartKind.CALL:
            calls[row.message_id].append(ToolCall(row.call_id, row.name, row.text, row.state))
        else:
            outputs[row.message_id].append(ToolOutput(row.call_id, row.text))
    return {
        id: MessageTools(tuple(calls.get(id, ())), tuple(outputs.get(id, ())))
        for id in {*calls, *outputs}
    }


def load_door_tools(
    conversation: Conversation, message_ids: Collection[UUID]
) -> Mapping[UUID, MessageTools]:
    """Those of messages of one conversation. Only programs declare tools, so a chat of the pages
    needs no query."""
    return load_tools(message_ids) if conversation.door else {}


def measure_door_tools(
    conversation: Conversation, message_ids: Collection[UUID]
) -> dict[UUID, int]:
    """The characters of calls and outputs of each message that has any, without the states."""
    if not conversation.door:
        return {}
    parts = ToolPart.objects.filter(message__in=message_ids).order_by()
    size = Sum(Length("call_id") + Length("name") + Length("text"))
    return dict(parts.values_list("message_id").annotate(size=size))


def count_door_chars(conversation: Conversation) -> int:
    """The characters of all arguments and outputs of a conversation."""
    if not conversation.door:
        return 0
    parts = ToolPart.objects.filter(message__conversation=conversation)
    return parts.aggregate(chars=Sum(Length("text")))["chars"] or 0


def restore_states(user: User, turns: Iterable[Turn]) -> list[Turn]:
    """The turns of a program, with the states that the providers gave to their calls. A state
    belongs to a call with the same id, name and arguments, since some servers give the same ids in
    each reply. The newest of these counts."""
    turns = list(turns)
    calls = [call for turn in turns for call in turn.calls if not call.state]
    if not calls:
        return turns
    rows = _find_rows(user, calls)
    states = dict(ToolPart.objects.filter(pk__in=rows.values()).values_list("pk", "state"))

    def restore(call: ToolCall) -> ToolCall:
        row = None if call.state else rows.get(_identify(call.id, call.name, call.arguments))
        return replace(call, state=states[row]) if row in states else call

    return [replace(turn, calls=tuple(map(restore, turn.calls))) for turn in turns]


def _find_rows(user: User, calls: Sequence[ToolCall]) -> dict[CallIdentity, int]:
    """The newest row with a state for each call that has one. A program that sends the whole
    history each time has stored each call as often, so the database reads only the newest."""
    rows = (
        ToolPart.objects.owned_by(user)
        .exclude(state="")
        .filter(
            kind=PartKind.CALL,
            call_id__in={call.id for call in calls},
            name__in={call.name for call in calls},
        )
    )
    newest = rows.values_list("call_id", "name", "text").annotate(newest=Max("pk"))
    wanted = {_identify(call.id, call.name, call.arguments) for call in calls}
    same = newest.filter(text__in={call.arguments for call in calls})
    found = _index_rows(same.order_by("newest"), wanted)
    if len(found) < len(wanted):  # some clients write the JSON in their own way
        others = newest.order_by("-newest")[:MAX_COMPARED_CALLS]
        found = _index_rows(reversed(others), wanted) | found
    return found


def _index_rows(
    rows: Iterable[tuple[str, str, str, int]], wanted: Collection[CallIdentity]
) -> dict[CallIdentity, int]:
    """Of two rows that a client can't tell apart, the last one."""
    found = {_identify(id, name, arguments): pk for id, name, arguments, pk in rows}
    return {identity: pk for identity, pk in found.items() if identity in wanted}


def _identify(id: str, name: str, arguments: str) -> CallIdentity:
    with suppress(ValueError, RecursionError):  # a model may write anything
        arguments = json.dumps(json.loads(arguments), sort_keys=True)
    return id, name, arguments
