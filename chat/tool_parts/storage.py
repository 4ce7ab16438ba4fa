"""Writes and reads the tool calls and outputs of messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts.models import User
from chat.models import Message, ToolPart
from streaming.providers.tools import ToolCall, ToolOutput
from streaming.providers.types import Turn
from streaming.sources import register_periodic_task

PartKind = ToolPart.PartKind


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


def restore_states(user: User, turns: Iterable[Turn]) -> list[Turn]:
    """The turns of a program, with the states that the providers gave to their calls. The newest
    call counts, since some servers give the same ids in each reply."""
    turns = list(turns)
    ids = {call.id for turn in turns for call in turn.calls if not call.state}
    if not ids:
        return turns
    rows = ToolPart.objects.owned_by(user).filter(kind=PartKind.CALL, call_id__in=ids)
    states = {(row.call_id, row.name): row.state for row in rows.exclude(state="").order_by("pk")}
    return [
        replace(
            turn,
            calls=tuple(
                replace(call, state=call.state or states.get((call.id, call.name), ""))
                for call in turn.calls
            ),
        )
        for turn in turns
    ]


def purge_orphans() -> None:
    """Delete rows whose message is gone: processes of a version without this table delete messages
    only."""
    has_no_message = ~Exists(Message.objects.filter(pk=OuterRef("message_id")))
    ToolPart.objects.filter(has_no_message).delete()


def register_tasks() -> None:
    register_periodic_task(purge_orphans)
