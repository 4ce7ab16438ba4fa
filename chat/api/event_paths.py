"""The event streams in the OpenAPI document. They are served beside Django's views
(streaming/doors/sse), so django-ninja knows nothing of them."""

from __future__ import annotations

from typing import Any

from streaming.doors.sse.event_stream import EVENT_NAMES
from streaming.doors.sse.request import MAX_FOLLOWS
from streaming.follow import MAX_CURSOR, START_CURSOR

ERRORS = {
    400: "A cursor, a stream or another part of the address has a wrong value.",
    401: "There is no valid access token.",
    403: "The token does not have the right, or a page of another site asks.",
    404: "There is no such stream, or it is not yours.",
    405: "The method is not GET.",
    429: "Too many open connections, or requests with this token; see Retry-After.",
    503: "The database is away; see Retry-After.",
}
ERROR_FRAME = {
    "type": "object",
    "title": "EventError",
    "description": "An error frame of docs/protocol.md.",
    "required": ["type", "code", "message"],
    "properties": {
        "type": {"const": "error"},
        "code": {"type": "string", "description": "For programs."},
        "message": {"type": "string", "description": "A sentence for people."},
        "stream": {"type": "string", "format": "uuid"},
    },
}
EVENT = {
    "type": "object",
    "title": "Event",
    "description": "A server-sent event.",
    "required": ["event", "data"],
    "properties": {
        "event": {
            "enum": ["hello", *EVENT_NAMES.values(), "changed", "error", "bye"],
            "description": "The type of the frame in data.",
        },
        "id": {"type": "string", "description": "The cursors of all streams after this event."},
        "retry": {"type": "integer", "description": "Milliseconds until a client reconnects."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "A frame of docs/protocol.md.",
        },
    },
}
EVENT_SCHEMAS = {"Event": EVENT, "EventError": ERROR_FRAME}
EVENTS = {
    "description": "Server-sent events. Before OpenAPI 3.2 the schema describes each event.",
    "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}},
}
CURSOR = {"type": "integer", "minimum": START_CURSOR, "maximum": MAX_CURSOR}
WAIT = {
    "in": "query",
    "name": "wait",
    "required": False,
    "description": "0: what there is now, and then the end of the response.",
    "schema": {"enum": ["0"], "type": "string"},
}
LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "required": False,
    "description": "The id of the last event. Of its cursors and those of the address the larger "
    "ones count.",
    "schema": {"type": "string"},
}
ID = {
    "in": "path",
    "name": "id",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
AFTER = {
    "in": "query",
    "name": "after",
    "required": False,
    "description": "The index of the last chunk that the client holds.",
    "schema": CURSOR | {"default": START_CURSOR},
}
FOLLOW = {
    "in": "query",
    "name": "follow",
    "required": False,
    "description": "The id of a stream, and the cursor after a colon.",
    "schema": {
        "type": "array",
        "maxItems": MAX_FOLLOWS,
        "items": {"type": "string", "pattern": r"^[0-9a-f-]{36}(:(-1|0|[1-9][0-9]{0,15}))?$"},
    },
}
READ_ALL = {
    "description": "The stream has ended, and the client has read it. Do not reconnect.",
    "headers": {"Stream-State": {"schema": {"type": "string"}}},
}


def _build_operation(
    name: str, summary: str, parameters: list[Any], answers: dict[int, Any]
) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/EventError"}}}
    errors = {status: {"description": text, "content": content} for status, text in ERRORS.items()}
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": ["streams"],
        "security": [{"token": []}],
        "parameters": [*parameters, WAIT, LAST_EVENT_ID],
        "responses": {200: EVENTS} | answers | errors,
    }
    return {"get": operation}


EVENT_PATHS = {
    "/api/streams/{id}/events": _build_operation(
        "follow_stream", "Follow Stream", [ID, AFTER], {204: READ_ALL}
    ),
    "/api/streams/events": _build_operation("follow_streams", "Follow Streams", [FOLLOW], {}),
}
