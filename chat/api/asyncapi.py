"""The AsyncAPI document of the socket, at `/api/asyncapi.json`.

The examples are those of docs/protocol.md; a test compares them. `…` shortens an id there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import getdoc
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import BaseModel

from chat.api import socket_frames as frames

VERSION = "3.0.0"
"""Of AsyncAPI."""
SCHEMAS = "#/components/schemas/"
MESSAGES = "#/channels/socket/messages/"
CHANNEL = {"$ref": "#/channels/socket"}
DESCRIPTION = "Send messages, and follow, stop and continue replies. See docs/protocol.md."
CLOSE_CODES = (
    "After a close code from 4000 to 4399, reconnect with the cursors. "
    "After one from 4400 to 4499, don’t."
)
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "An access token of the settings."}
}


@dataclass(frozen=True, slots=True)
class DocumentedFrame:
    """`answers` are the kinds of frames that answer it."""

    model: type[BaseModel]
    examples: tuple[Mapping[str, Any], ...]
    answers: tuple[type[BaseModel], ...] = ()

    @property
    def key(self) -> str:
        name = self.model.__name__
        return name[0].lower() + name[1:]


def _document(
    model: type[BaseModel], *examples: Mapping[str, Any], answers: tuple[type[BaseModel], ...] = ()
) -> DocumentedFrame:
    kind = model.model_fields["type"].annotation.__args__[0]  # type: ignore[union-attr]
    return DocumentedFrame(model, tuple({"type": kind, **one} for one in examples), answers)


STREAM = {"stream": "9b2e…"}
CLIENT_FRAMES = (
    _document(frames.HelloCommand, {}, answers=(frames.HelloFrame,)),
    _document(
        frames.FollowCommand,
        {**STREAM, "after": 41},
        answers=(frames.ChunkFrame, frames.SnapshotFrame, frames.StateFrame, frames.EndFrame),
    ),
    _document(frames.UnfollowCommand, STREAM),
    _document(frames.StopCommand, STREAM),
    _document(frames.PingCommand, {"n": 3}, answers=(frames.PongFrame,)),
    _document(frames.PongCommand, {"n": 7}),
    _document(
        frames.SendCommand,
        {"request": "7c1d…", "text": "Why do tides lag the moon?", "model": "demo"},
        answers=(frames.ReplyFrame,),
    ),
    _document(
        frames.ContinueCommand,
        {"request": "e03a…", "message": "5c9d…"},
        answers=(frames.ReplyFrame,),
    ),
)
SERVER_FRAMES = (
    _document(frames.HelloFrame, {"version": 1, "revision": 12}),
    _document(
        frames.ChunkFrame,
        {
            **STREAM,
            "first": 13,
            "index": 17,
            "kind": "text",
            "delta": "the tide ",
            "offset": 118,
        },
    ),
    _document(
        frames.SnapshotFrame, {**STREAM, "index": 41, "text": "…", "reasoning": "", "seams": [57]}
    ),
    _document(frames.StateFrame, {**STREAM, "state": "running", "note": ""}),
    _document(
        frames.EndFrame,
        {**STREAM, "state": "completed", "next": 42, "finish_reason": "stop", "error": None},
    ),
    _document(
        frames.ReplyFrame,
        {
            "request": "7c1d…",
            "conversation": "0e7a…",
            "question": "d2b4…",
            "message": "5c9d…",
            **STREAM,
        },
    ),
    _document(frames.ChangedFrame, {"revision": 13}, {"revision": 14, "topic": "drafts"}),
    _document(frames.PingFrame, {"n": 7, "revision": 13}),
    _document(frames.PongFrame, {"n": 3}),
    _document(
        frames.ErrorFrame,
        {
            "code": "bad_cursor",
            "message": "“after” must be a whole number from -1 on.",
            **STREAM,
        },
    ),
    _document(frames.ByeFrame, {"retry_ms": 500}),
)


def serve_document(request: HttpRequest) -> HttpResponse:
    server = {
        "host": request.get_host(),
        "protocol": "wss" if request.is_secure() else "ws",
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY_SCHEMES],
    }
    return JsonResponse(build_document() | {"servers": {"holdfast": server}})


@cache
def build_document() -> dict[str, Any]:
    """Without the servers. From the view of the server, as AsyncAPI wants it: it receives the
    frames of the client."""
    all_frames = CLIENT_FRAMES + SERVER_FRAMES
    schemas = dict(_build_schemas(all_frames))
    return {
        "asyncapi": VERSION,
        "info": {"title": "Holdfast", "version": "1", "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws/",
                "description": CLOSE_CODES,
                "messages": {
                    one.key: {"$ref": f"#/components/messages/{one.key}"} for one in all_frames
                },
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": dict(_build_operations()),
        "components": {
            "messages": {one.key: _build_message(one) for one in all_frames},
            "schemas": schemas,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _build_message(one: DocumentedFrame) -> dict[str, Any]:
    return {
        "name": one.examples[0]["type"],
        "summary": " ".join((getdoc(one.model) or "").split()),
        "payload": {"$ref": f"{SCHEMAS}{one.model.__name__}"},
        "examples": [{"payload": dict(example)} for example in one.examples],
    }


def _build_schemas(documented: tuple[DocumentedFrame, ...]) -> Iterator[tuple[str, Any]]:
    for one in documented:
        schema = one.model.model_json_schema(ref_template=SCHEMAS + "{model}")
        yield from schema.pop("$defs", {}).items()
        yield one.model.__name__, schema


def _build_operations() -> Iterator[tuple[str, Any]]:
    keys = {one.model: one.key for one in SERVER_FRAMES}
    for one in CLIENT_FRAMES:
        operation: dict[str, Any] = {
            "action": "receive",
            "channel": CHANNEL,
            "messages": [{"$ref": MESSAGES + one.key}],
        }
        if one.answers:
            answers: tuple[type[BaseModel], ...] = (*one.answers, frames.ErrorFrame)
            messages = [{"$ref": MESSAGES + keys[model]} for model in answers]
            operation["reply"] = {"channel": CHANNEL, "messages": messages}
        yield one.key, operation
    for one in SERVER_FRAMES:
        message = [{"$ref": MESSAGES + one.key}]
        yield one.key, {"action": "send", "channel": CHANNEL, "messages": message}
