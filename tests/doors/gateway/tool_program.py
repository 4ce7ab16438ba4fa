"""A program with a function tool, and replies that call it."""

from __future__ import annotations

from typing import Any

from chat.models import Message
from chat.replies.handler import load_turns
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.models import Kind
from streaming.providers.tools import ToolCall
from streaming.providers.types import Turn
from tests.doors.gateway.program import Program, find_stream, write_response
from tests.factories import Piece

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}
PARIS = ToolCall("call_1", "get_weather", '{"city": "Paris \N{WATER WAVE}\u2028"}', "google sig")
ROME = ToolCall("call_2", "get_weather", '{"city": "Rome"}')
CALLED = Ending.from_finish(Finish("tool_calls", {"input": 12, "output": 7}))


def load_request(id: str) -> list[Turn]:
    """The turns that the model is sent for a response."""
    row = Message.objects.select_related("conversation").get(stream=find_stream(id))
    return load_turns(row.conversation, row.parent_id)


def write_calls(*calls: ToolCall) -> list[Piece]:
    return [(Kind.TOOL_CALL, call.to_line()) for call in calls]


def ask_with_tool(program: Program, *pieces: Piece, input: Any = "Rain?", **parameters: Any) -> str:
    """A response whose reply has called."""
    asked = program.ask(input, tools=[WEATHER], **parameters)
    write_response(asked["id"], *pieces, ending=CALLED)
    return str(asked["id"])


def answer_call(call: ToolCall, text: str = "Rain.") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call.id, "output": text}
