"""A client of the AI SDK's door without the AI SDK. It is as strict as the stock one about the
parts: an unknown part, a missing field or a delta without its start is an error."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import quote

TIMEOUT_SECONDS = 15.0

REQUIRED: dict[str, dict[str, type]] = {
    "start": {},
    "start-step": {},
    "text-start": {"id": str},
    "text-delta": {"id": str, "delta": str},
    "text-end": {"id": str},
    "reasoning-start": {"id": str},
    "reasoning-delta": {"id": str, "delta": str},
    "reasoning-end": {"id": str},
    "message-metadata": {"messageMetadata": dict},
    "finish-step": {},
    "finish": {},
    "abort": {},
    "error": {"errorText": str},
    "data-holdfast": {"data": dict},
}
"""The parts that both lines of the AI SDK know, as far as this door may send them."""
FINISH_REASONS = {"stop", "length", "content-filter", "tool-calls", "error", "other", None}


@dataclass
class UIMessage:
    """A message that grows by parts. `error` is the text of an error, `status` how it ended."""

    id: str = ""
    parts: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    status: str = "streaming"
    error: str = ""
    finish_reason: str | None = None
    open: dict[str, dict[str, Any]] = field(default_factory=dict)

    def read_text(self, kind: str = "text") -> str:
        return "".join(part["text"] for part in self.parts if part["type"] == kind)

    def apply(self, part: dict[str, Any]) -> None:
        kind = part["type"]
        for name, type_ in REQUIRED[kind].items():
            assert isinstance(part[name], type_), part
        assert self.status == "streaming", f"{part} after the end"
        self.metadata |= part.get("messageMetadata", {})
        match kind:
            case "start":
                self.id, self.parts, self.open = part["messageId"], [], {}
            case "text-start" | "reasoning-start":
                assert part["id"] not in self.open
                new = {"type": kind.removesuffix("-start"), "text": "", "state": "streaming"}
                self.open[part["id"]] = new
                self.parts.append(new)
            case "text-delta" | "reasoning-delta":
                self._get_open(part, "-delta")["text"] += part["delta"]
            case "text-end" | "reasoning-end":
                ended = self._get_open(part, "-end")
                ended |= {
                    "state": "done",
                    **{k: part[k] for k in ("providerMetadata",) if k in part},
                }
                del self.open[part["id"]]
            case "data-holdfast":
                assert part["transient"] is True
                self.notes.append(part["data"]["note"])
            case "finish":
                assert part["finishReason"] in FINISH_REASONS
                self.status, self.finish_reason = "ready", part["finishReason"]
            case "abort":
                self.status = "stopped"
            case "error":
                self.status, self.error = "error", part["errorText"]
        if self.status != "streaming":
            assert self.open == {}, "a part is still open at the end"

    def _get_open(self, part: dict[str, Any], suffix: str) -> dict[str, Any]:
        found = self.open[part["id"]]
        assert found["type"] == part["type"].removesuffix(suffix)
        return found


class UIMessageResponse:
    """An open response, whose parts are read one by one."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers
        self.last_event_id = ""
        self.has_done = False
        self.raw = b""

    def read_json(self) -> Any:
        return json.loads(self._response.read())

    def read_error(self) -> dict[str, Any]:
        body = self.read_json()
        assert body.keys() == {"error", "code"}
        return {"status": self.status, **body}

    def read_parts(self) -> Iterator[dict[str, Any]]:
        """All parts until the body ends. Raises IncompleteRead if it breaks off."""
        assert self.status == 200, self._response.read()
        unread = b""
        while piece := self._response.read1():  # readline would hide that a body breaks off
            self.raw += piece
            *blocks, unread = (unread + piece).split(b"\n\n")
            for block in blocks:
                yield from self._read_block(block.decode().split("\n"))
        assert unread == b"", "the body ends after a whole event"

    def _read_block(self, lines: list[str]) -> Iterator[dict[str, Any]]:
        for line in lines:
            if line.startswith("id: "):
                self.last_event_id = line[4:]
            elif line == "data: [DONE]":
                self.has_done = True
            elif line.startswith("data: "):
                assert not self.has_done
                yield json.loads(line[6:])
            else:
                assert line == ":", line

    def read_message(self, into: UIMessage | None = None) -> UIMessage:
        """The message when the body has ended, which it has to do properly."""
        message = into or UIMessage()
        for part in self.read_parts():
            message.apply(part)
        assert self.has_done
        return message


@contextmanager
def open_response(
    port: int, method: str, path: str, body: Any = None, **headers: str
) -> Iterator[UIMessageResponse]:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    json_type = {"Content-Type": "application/json"} if body is not None else {}
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, names | json_type)
        yield UIMessageResponse(connection.getresponse())
    finally:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()


def build_message(id: str, text: str, role: str = "user") -> dict[str, Any]:
    return {"id": id, "role": role, "parts": [{"type": "text", "text": text}]}


def build_body(chat: str, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": chat, "messages": messages, "trigger": "submit-message", "model": "demo"} | fields


def build_path(chat: str, what: str) -> str:
    """As the stock transports do: they quote everything but letters, digits and a few marks."""
    return f"/api/chat/{quote(chat, safe='')}/{what}"
