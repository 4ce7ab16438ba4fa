"""The function tools of a request, in the forms of both APIs, and the calls and outputs in it."""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway.errors import build_invalid, build_missing
from chat.doors.gateway.item_fields import check_fields
from chat.doors.gateway.parameters import boolean, build_unsupported, exact_text, text
from streaming.providers.tools import (
    MAX_CALL_ID_CHARS,
    MAX_FUNCTION_NAME_CHARS,
    NOT_FORCED,
    FunctionTool,
    ToolCall,
    Tools,
)
from streaming.providers.types import Turn
from streaming.storable_text import replace_unstorable

MAX_FUNCTIONS = 128
MAX_TOOLS_CHARS = 100_000
"""All definitions together, as JSON. They are stored with each reply."""
MAX_DESCRIPTION_CHARS = 20_000
MAX_ARGUMENTS_CHARS = 1_000_000
"""Of a call in the input: as many as a reply may have, which a program sends back."""
MAX_DEPTH = 50
"""Of a schema. OpenAI takes ten levels of objects."""
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
FUNCTION_FIELDS = frozenset({"name", "description", "parameters", "strict"})
CHOICE_FIELDS = frozenset({"type", "name"})
CHAT_CHOICE_FIELDS = frozenset({"type", "function"})
CHOSEN_FIELDS = frozenset({"name"})
"""Of the function of a chat completion's choice."""
NOTHING = Turn("user", "")
"""Follows the last turn, whose calls have no output."""


# Definitions


def read_response_tools(name: str, value: Any) -> tuple[FunctionTool, ...]:
    """The `tools` of a response: functions with their fields beside the type. Raises Problem."""
    return _read_functions(name, value, is_nested=False)


def read_chat_tools(name: str, value: Any) -> tuple[FunctionTool, ...]:
    """The `tools` of a chat completion: functions in a field of that name. Raises Problem."""
    return _read_functions(name, value, is_nested=True)


def _read_functions(name: str, value: Any, *, is_nested: bool) -> tuple[FunctionTool, ...]:
    if not isinstance(value, list) or len(value) > MAX_FUNCTIONS:
        sentence = _("“%(name)s” must be a list of at most %(count)s functions.")
        raise build_invalid(name, sentence % {"name": name, "count": MAX_FUNCTIONS})
    if _measure_json(value) > MAX_TOOLS_CHARS:
        sentence = _("“%(name)s” is too long: at most %(count)s characters.")
        raise build_invalid(name, sentence % {"name": name, "count": MAX_TOOLS_CHARS})
    functions = tuple(
        _read_function(f"{name}[{number}]", one, is_nested=is_nested)
        for number, one in enumerate(value)
    )
    if len({function.name for function in functions}) < len(functions):
        raise build_invalid(name, _("Two functions have the same name."))
    return functions


def _measure_json(value: Any) -> int:
    """In characters. One that is nested too deeply to be written is longer than any limit."""
    try:
        return len(json.dumps(value))
    except RecursionError:
        return sys.maxsize


def _read_function(param: str, value: Any, *, is_nested: bool) -> FunctionTool:
    if not isinstance(value, dict):
        raise build_invalid(param, _("A tool must be an object."))
    if value.get("type") != "function":
        raise build_unsupported(f"{param}.type")
    fields = {name: one for name, one in value.items() if name != "type"}
    if is_nested:
        inner = fields.pop("function", None)
        if not isinstance(inner, dict) or fields:
            sentence = _("A tool must have a type and a function, which must be an object.")
            raise build_invalid(f"{param}.function", sentence)
        param, fields = f"{param}.function", inner
    for name in fields.keys() - FUNCTION_FIELDS:
        raise build_unsupported(f"{param}.{name[:100]}")
    parameters, strict = fields.get("parameters"), fields.get("strict")
    usual_strict = False if is_nested else None  # the usual value of each API
    if parameters is not None and not isinstance(parameters, dict):
        sentence = _("“%(name)s” must be a JSON schema, which is an object.")
        raise build_invalid(f"{param}.parameters", sentence % {"name": f"{param}.parameters"})
    return FunctionTool(
        name=read_function_name(f"{param}.name", fields.get("name")),
        description=text(MAX_DESCRIPTION_CHARS)(
            f"{param}.description", fields.get("description") or ""
        ),
        parameters=_clean_json(f"{param}.parameters", parameters),
        strict=usual_strict if strict is None else boolean(f"{param}.strict", strict),
    )


def read_function_name(param: str, value: Any) -> str:
    if not isinstance(value, str) or not FUNCTION_NAME.fullmatch(value):
        sentence = _("“%(name)s” must have 1 to 64 letters, digits, underscores or hyphens.")
        raise build_invalid(param, sentence % {"name": param})
    return value


def _clean_json(param: str, value: Any, depth: int = 0) -> Any:
    """The value as every database stores it. Raises Problem."""
    if depth > MAX_DEPTH or (isinstance(value, float) and not math.isfinite(value)):
        sentence = _("“%(name)s” is nested too deeply, or has a number that is too large.")
        raise build_invalid(param, sentence % {"name": param})
    if isinstance(value, dict):
        return {
            replace_unstorable(key): _clean_json(param, one, depth + 1)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_clean_json(param, one, depth + 1) for one in value]
    return replace_unstorable(value) if isinstance(value, str) else value


# The choice


def read_choice(name: str, value: Any) -> str:
    """`tool_choice` of either API, as `Tools` has it. Raises Problem."""
    if value in NOT_FORCED and isinstance(value, str):
        return value
    if not isinstance(value, dict) or value.get("type") != "function":
        raise build_unsupported(name)
    if "function" in value:
        check_fields(name, value, CHAT_CHOICE_FIELDS)
        inner, known = value["function"], CHOSEN_FIELDS
    else:
        inner, known = value, CHOICE_FIELDS
    if not isinstance(inner, dict):
        raise build_unsupported(name)
    check_fields(name, inner, known)
    return f"function:{read_function_name(f'{name}.name', inner.get('name'))}"


def build_tools(given: Mapping[str, Any]) -> Tools | None:
    """The tools of checked parameters; None if there are none. Raises Problem."""
    functions: tuple[FunctionTool, ...] = given.get("tools", ())
    choice: str = given.get("tool_choice", "auto")
    tools = Tools(functions, choice, given.get("parallel_tool_calls"))
    names = {function.name for function in functions}
    if (tools.forced_name and tools.forced_name not in names) or (
        choice == "required" and not functions
    ):
        sentence = _("“tool_choice” asks for a function that “tools” does not have.")
        raise build_invalid("tool_choice", sentence)
    return tools if functions else None


# Calls and outputs


def read_call(param: str, id: Any, name: Any, arguments: Any) -> ToolCall:
    """A call of an earlier reply. A model may have made its name up. Raises Problem."""
    if not name:
        raise build_missing(f"{param}.name")
    return ToolCall(
        read_call_id(f"{param}.call_id", id),
        exact_text(MAX_FUNCTION_NAME_CHARS)(f"{param}.name", name),
        exact_text(MAX_ARGUMENTS_CHARS)(f"{param}.arguments", arguments),
    )


def read_call_id(param: str, value: Any) -> str:
    """Raises Problem."""
    if not value:
        raise build_missing(param)
    return str(exact_text(MAX_CALL_ID_CHARS)(param, value))


def check_calls(param: str, calls: Sequence[ToolCall], turns: Sequence[Turn]) -> None:
    """Each call has one output in the next turn, and each output its call in the turn before, as
    the providers require. `calls` are those of the answer before these turns, which `param` has.
    Raises Problem."""
    for turn in (*turns, NOTHING):
        called = Counter(call.id for call in calls)
        answered = Counter(output.call_id for output in turn.outputs)
        if missing := [id for id in called if id not in answered]:
            sentence = _("No tool output found for function call %(id)s.") % {"id": missing[0]}
            raise build_invalid(param, sentence)
        if unknown := [id for id in answered if id not in called]:
            sentence = _("No tool call found for function call output with call_id %(id)s.")
            raise build_invalid(param, sentence % {"id": unknown[0]})
        if doubled := [id for id in answered if answered[id] > called[id]]:
            sentence = _("More than one tool output found for function call %(id)s.")
            raise build_invalid(param, sentence % {"id": doubled[0]})
        calls = turn.calls
        if len(ids := [call.id for call in calls]) > len(set(ids)):  # no reply here has that
            [(id, _count)] = Counter(ids).most_common(1)
            raise build_invalid(param, _("Two function calls have the id %(id)s.") % {"id": id})
