"""Function tools: what a caller declares, what a model calls, and what the caller answers.

A call is written to the journal whole, as one line of JSON (docs/decisions/0025).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

NOT_FORCED = ("auto", "none", "required")
MAX_CALLS = 128
"""In one message."""
MAX_CALL_ID_CHARS = 200
MAX_FUNCTION_NAME_CHARS = 128
"""Twice as many as the providers take."""


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function that the model may call. `parameters` is a JSON schema; None means that there are
    none. `strict` is None where the caller leaves it to the provider."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """The functions of a request. `choice` is auto, none, required, or “function:” and the name of
    the one that must be called. `parallel` says whether one reply may have several calls; None
    leaves it to the provider."""

    functions: tuple[FunctionTool, ...] = ()
    choice: str = "auto"
    parallel: bool | None = None

    @property
    def forced_name(self) -> str:
        """The name of the function that must be called; empty if the model chooses."""
        return self.choice.removeprefix("function:") if self.choice not in NOT_FORCED else ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Tools:
        functions = tuple(FunctionTool(**function) for function in values["functions"])
        return cls(functions, values["choice"], values["parallel"])


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for. `arguments` is JSON as the model wrote it, which may be
    invalid.

    `state` is what the provider wants back with the call, in the words of its adapter. It begins
    with the adapter's name and a space, since no other provider can read it.
    """

    id: str
    name: str
    arguments: str
    state: str = ""

    @property
    def length(self) -> int:
        """In characters."""
        return len(self.id) + len(self.name) + len(self.arguments) + len(self.state)

    def to_line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def parse_calls(lines: str) -> tuple[ToolCall, ...]:
    """The calls of a journal's lines. The last one may still be cut, and is left out then."""
    whole = lines[: lines.rfind("\n") + 1]
    return tuple(ToolCall(**json.loads(line)) for line in whole.split("\n") if line)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """The caller's answer to a call."""

    call_id: str
    text: str

    @property
    def length(self) -> int:
        """In characters."""
        return len(self.call_id) + len(self.text)


def format_calls(calls: Iterable[ToolCall]) -> str:
    return "".join(call.to_line() for call in calls)
