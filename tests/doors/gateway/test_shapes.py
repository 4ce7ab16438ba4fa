"""Objects and events as the SDK's own types and the published schema of Open Responses have them.
`make prove-comply` runs a whole suite."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.conversations import Conversation, ConversationItem
from openai.types.responses import Response, ResponseItem, ResponseStreamEvent
from pydantic import TypeAdapter

from chat.doors.gateway.chat_objects import ChatEncoder, build_completion
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.output import load_output
from chat.doors.gateway.response_encoder import ResponseEncoder
from streaming.journal import Chunk
from streaming.lifecycle import STOPPED, Ending
from streaming.models import Kind, State, Stream
from tests.doors.gateway.program import COMPLETED, Program, find_stream, write_response
from tests.factories import Piece, build_chunks

pytestmark = pytest.mark.django_db

PIECES: tuple[Piece, ...] = ((Kind.REASONING, "Hm."), "Because ", (Kind.SEAM, ""), "of friction.")
ENDINGS = [COMPLETED, STOPPED, Ending(State.FAILED, error_class="x", error="Sorry.")]
REQUIRED = [
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
]
"""The fields that Open Responses requires of each response, at least as null."""
NEVER_NULL = {
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "store",
    "background",
    "service_tier",
    "metadata",
    "output",
}

check_event: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
check_item: TypeAdapter[Any] = TypeAdapter(ConversationItem)
check_input: TypeAdapter[Any] = TypeAdapter(ResponseItem)


def encode(encoder: Any, stream: Stream) -> list[str]:
    """The data of all events of an ended stream."""
    chunks: list[Chunk] = build_chunks(PIECES)
    body: bytes = encoder.encode_start()
    body += b"".join(encoder.encode_event(chunk) for chunk in chunks) + encoder.encode_end(stream)
    return [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("ending", [None, *ENDINGS], ids=["running", "done", "stopped", "failed"])
def test_a_response_has_every_field_in_its_type(program: Program, ending: Ending | None) -> None:
    id = program.ask()["id"]
    write_response(id, *PIECES, ending=ending)
    shown = program.get(f"/responses/{id}").data
    assert set(REQUIRED) - shown.keys() == set()
    assert {name for name in NEVER_NULL if shown[name] is None} == set()
    Response.model_validate(shown, strict=True)
    for item in program.get(f"/responses/{id}/input_items").data["data"]:
        check_input.validate_python(item, strict=True)


@pytest.mark.parametrize("ending", ENDINGS, ids=["done", "stopped", "failed"])
def test_each_event_is_valid(program: Program, ending: Ending) -> None:
    id = program.ask()["id"]
    write_response(id, *PIECES, ending=ending)
    stream = find_stream(id)
    row = GatewayResponse.objects.get(stream=stream)
    events = encode(ResponseEncoder(row, stream, -1), stream)
    assert len(events) > 10
    for event in events:
        check_event.validate_json(event, strict=True)


def test_chat_completions_are_valid(program: Program) -> None:
    id = program.ask()["id"]
    write_response(id, *PIECES)
    stream = find_stream(id)
    row = GatewayResponse.objects.get(stream=stream)
    completion = build_completion(row, stream, load_output(stream, row.answer_id))
    ChatCompletion.model_validate(completion, strict=True)
    *chunks, done = encode(ChatEncoder(row, stream, includes_usage=True), stream)
    assert done == "[DONE]"
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(chunk, strict=True)


def test_conversations_and_models_are_valid(program: Program) -> None:
    items = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "a"}]
    made = program.post("/conversations", {"items": items}).data
    Conversation.model_validate(made, strict=True)
    shown = program.ask("B", conversation=made["id"])
    write_response(shown["id"], *PIECES)
    listed = program.get(f"/conversations/{made['id']}/items").data["data"]
    assert len(listed) == 5
    for item in listed:
        check_item.validate_python(item, strict=True)
    for model in program.get("/models").data["data"]:
        Model.model_validate(model, strict=True)
