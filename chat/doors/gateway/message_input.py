"""The messages of a request, in the forms of both APIs, as turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.item_fields import (
    CALL_FIELDS,
    CHAT_CALL_FIELDS,
    CHAT_FUNCTION_FIELDS,
    OUTPUT_FIELDS,
    PART_FIELDS,
    REFERENCE_FIELDS,
    check_fields,
    check_message_fields,
)
from chat.doors.gateway.parameters import Check, build_unsupported, exact_text, text
from chat.doors.gateway.tool_input import read_call, read_call_id
from chat.messages.forms import MAX_MESSAGE_CHARS
from streaming.providers.tools import MAX_CALLS, ToolCall, ToolOutput
from streaming.providers.types import Turn

MAX_MESSAGES = 1_000
MAX_ID_CHARS = 100
DEVELOPER_ROLES = ("system", "developer")

read_text = text(MAX_MESSAGE_CHARS)
read_output = exact_text(MAX_MESSAGE_CHARS)


@dataclass(frozen=True, slots=True)
class ItemReference:
    """Stands for an item of an earlier response."""

    id: str
    param: str


@dataclass(frozen=True, slots=True)
class MessageInput:
    """`developer` has the messages of the roles system and developer, which a model gets first,
    wherever they stood."""

    turns: tuple[Turn | ItemReference, ...]
    developer: tuple[str, ...] = ()


def read_input(param: str, value: Any) -> MessageInput:
    """The `input` of a response, or the `messages` of a chat completion. Raises Problem."""
    if isinstance(value, str):
        return MessageInput((Turn("user", read_text(param, value)),))
    if not isinstance(value, list) or len(value) > MAX_MESSAGES:
        sentence = _("“%(name)s” must be a list of at most %(count)s messages.")
        raise build_invalid(param, sentence % {"name": param, "count": MAX_MESSAGES})
    reader = InputReader()
    for number, item in enumerate(value):
        reader.read_item(f"{param}[{number}]", item)
    return MessageInput(tuple(reader.turns), tuple(reader.developer))


@dataclass(slots=True)
class InputReader:
    """Collects turns. Calls belong to the assistant's message before them, and outputs that follow
    each other are one turn."""

    turns: list[Turn | ItemReference] = field(default_factory=list)
    developer: list[str] = field(default_factory=list)

    def read_item(self, param: str, item: Any) -> None:
        """Raises Problem."""
        if not isinstance(item, dict):
            raise build_invalid(param, _("A message must be an object."))
        match item.get("type") or ("message" if "role" in item else "item_reference"):
            case "reasoning":
                return  # models are not sent the reasoning of earlier replies
            case "item_reference":
                check_fields(param, item, REFERENCE_FIELDS)
                id = text(MAX_ID_CHARS)(f"{param}.id", item.get("id"))
                self.turns.append(ItemReference(id, param))
            case "function_call":
                check_fields(param, item, CALL_FIELDS)
                names = (item.get(name) for name in ("call_id", "name", "arguments"))
                self._add_calls(read_call(param, *names))
            case "function_call_output":
                check_fields(param, item, OUTPUT_FIELDS)
                id = read_call_id(f"{param}.call_id", item.get("call_id"))
                output = _read_content(f"{param}.output", item, "output", read_output)
                self._add_output(ToolOutput(id, output))
            case "message":
                self._read_message(param, item)
            case _:
                raise build_unsupported(f"{param}.type")

    def _read_message(self, param: str, item: dict[str, Any]) -> None:
        check_message_fields(param, item)
        role = item.get("role")
        calls = _read_chat_calls(f"{param}.tool_calls", item.get("tool_calls"))
        has_text = not calls or item.get("content") is not None
        read = read_output if role == "tool" else read_text
        content = _read_content(f"{param}.content", item, "content", read) if has_text else ""
        if role == "tool":
            id = read_call_id(f"{param}.tool_call_id", item.get("tool_call_id"))
            self._add_output(ToolOutput(id, content))
        elif role in DEVELOPER_ROLES:
            self.developer.append(content)
        elif role == "assistant":
            self._add_answer(f"{param}.content", content)
            self._add_calls(*calls)
        elif role == "user":
            self._add_question(content)
        else:
            raise build_unsupported(f"{param}.role")

    def _add_answer(self, param: str, content: str) -> None:
        """Text between the calls of one reply and their outputs belongs to that reply."""
        last = self._last_turn
        if last is not None and last.calls:
            joined = read_text(param, join_texts(last.text, content))
            self.turns[-1] = replace(last, text=joined)
        else:
            self.turns.append(Turn("assistant", content))

    def _add_calls(self, *calls: ToolCall) -> None:
        last = self._last_turn
        if last is None or last.role != "assistant":
            last = Turn("assistant", "")
            self.turns.append(last)
        self.turns[-1] = replace(last, calls=last.calls + calls)

    def _add_output(self, output: ToolOutput) -> None:
        last = self._last_turn
        if last is None or not last.outputs or last.text:
            last = Turn("user", "")
            self.turns.append(last)
        self.turns[-1] = replace(last, outputs=(*last.outputs, output))

    def _add_question(self, content: str) -> None:
        last = self._last_turn
        if last is not None and last.outputs and not last.text:
            self.turns[-1] = replace(last, text=content)
        else:
            self.turns.append(Turn("user", content))

    @property
    def _last_turn(self) -> Turn | None:
        last = self.turns[-1] if self.turns else None
        return last if isinstance(last, Turn) else None


def _read_chat_calls(param: str, value: Any) -> list[ToolCall]:
    if not value:
        return []
    if not isinstance(value, list) or len(value) > MAX_CALLS:
        sentence = _("“%(name)s” must be a list of at most %(count)s calls.")
        raise build_invalid(param, sentence % {"name": param, "count": MAX_CALLS})
    calls = []
    for number, call in enumerate(value):
        here = f"{param}[{number}]"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type", "function") != "function":
            raise build_unsupported(here)
        check_fields(here, call, CHAT_CALL_FIELDS)
        check_fields(f"{here}.function", function, CHAT_FUNCTION_FIELDS)
        calls.append(
            read_call(here, call.get("id"), function.get("name"), function.get("arguments"))
        )
    return calls


def _read_content(param: str, item: dict[str, Any], name: str, read: Check) -> str:
    content, refusal = item.get(name), item.get("refusal")
    if refusal and content:
        raise build_unsupported(f"{param.removesuffix(name)}refusal")  # it is one or the other
    if refusal:
        content = refusal
    if not isinstance(content, list):
        return str(read(param, content))
    parts = (_read_part(f"{param}[{n}]", part, read) for n, part in enumerate(content))
    return str(read(param, "".join(parts)))  # together they have the limit of one text


def _read_part(param: str, part: Any, read: Check) -> str:
    if not isinstance(part, dict):
        raise build_invalid(param, _("A part of a message must be an object."))
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in PART_FIELDS:
        raise build_unsupported(f"{param}.type")
    check_fields(param, part, PART_FIELDS[kind])
    name = "refusal" if kind == "refusal" else "text"
    return str(read(f"{param}.{name}", part.get(name)))


def join_texts(*texts: str | None) -> str:
    return "\n\n".join(part for part in texts if part)


def require_turns(turns: Sequence[Turn | ItemReference]) -> list[Turn]:
    """Raises Problem for a reference, which only responses may have."""
    for turn in turns:
        if isinstance(turn, ItemReference):
            raise build_unsupported(f"{turn.param}.type")
    return [turn for turn in turns if isinstance(turn, Turn)]
