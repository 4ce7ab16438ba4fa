"""Turns with tool calls and outputs, in the forms that every provider accepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from streaming.providers.tools import FunctionTool, ToolCall, ToolOutput, Tools
from streaming.providers.types import Turn


def pair_calls(turns: Sequence[Turn]) -> list[Turn]:
    """The turns without calls that the next turn does not answer, and without outputs that answer
    no call of the turn before: providers refuse both. One neighbour of each role is expected."""
    paired: list[Turn] = []
    for at, turn in enumerate(turns):
        before = turns[at - 1] if at else None
        after = turns[at + 1] if at + 1 < len(turns) else None
        if turn.calls:
            answered = {output.call_id for output in after.outputs} if after else set()
            calls = {call.id: call for call in reversed(turn.calls) if call.id in answered}
            turn = replace(turn, calls=tuple(reversed(calls.values())))
        if turn.outputs:
            called = {call.id for call in before.calls} if before else set()
            outputs = {one.call_id: one for one in reversed(turn.outputs) if one.call_id in called}
            turn = replace(turn, outputs=tuple(reversed(outputs.values())))
        paired.append(turn)
    return paired


def infer_tools(turns: Iterable[Turn]) -> Tools | None:
    """Definitions for a request that declares no tools, although its turns have calls: Anthropic
    refuses such turns without any. None if there are no calls."""
    names = dict.fromkeys(call.name for turn in turns for call in turn.calls)
    return Tools(tuple(FunctionTool(name) for name in names), choice="none") if names else None


def write_tools_as_text(turns: Iterable[Turn]) -> list[Turn]:
    """For a reply that has no tools: the calls and outputs as sentences of their turns."""
    written: list[Turn] = []
    names: dict[str, str] = {}
    for turn in turns:
        if not turn.calls and not turn.outputs:  # nearly always
            written.append(turn)
            continue
        names |= {call.id: call.name for call in turn.calls}
        parts = [
            *(_write_output(output, names) for output in turn.outputs),
            turn.text,
            *map(_write_call, turn.calls),
        ]
        text = "\n\n".join(part for part in parts if part)
        written.append(replace(turn, text=text, calls=(), outputs=()))
    return written


def _write_call(call: ToolCall) -> str:
    return f"[Called {call.name} with {call.arguments}]"


def _write_output(output: ToolOutput, names: dict[str, str]) -> str:
    return f"[Output of {names.get(output.call_id, 'a function')}: {output.text}]"
