"""The interface of a wire for the fake's server: how a provider reads requests and sends
replies."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Piece, Usage
from tools.fake_provider.prompt_cache import PromptCache


@dataclass(slots=True)
class HttpRequest:
    """An HTTP request, read completely."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Decode the body, which may be empty."""
        loaded = json.loads(self.body or b"{}")
        assert isinstance(loaded, dict)
        return loaded


@dataclass(slots=True)
class Reply:
    """The state of one reply: its request, its behaviour, and the text sent so far."""

    model: str
    body: dict[str, Any]
    behaviour: Behaviour
    id: str = "fake"
    events: int = 0
    block: str = ""
    text: str = ""
    reasoning: str = ""


class Wire(Protocol):
    """A provider's format. Its methods build the bytes in the order of sending."""

    name: str

    def is_reply_request(self, request: HttpRequest) -> bool:
        """Return whether a request is for a reply over this wire."""
        ...

    def is_model_list_request(self, request: HttpRequest) -> bool:
        """Return whether a request is for this provider's list of models."""
        ...

    def build_model_list(self) -> Any:
        """Return the body of the list of models."""
        ...

    def get_key(self, headers: dict[str, str]) -> str:
        """Return the key of a request."""
        ...

    def get_model(self, request: HttpRequest) -> str:
        """Return the requested model."""
        ...

    def get_prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person."""
        ...

    def find_error(self, request: HttpRequest) -> ErrorAnswer | None:
        """Return the provider's error for a request that it refuses, or None."""
        ...

    def count_prompt(self, request: HttpRequest, cache: PromptCache) -> Usage:
        """Return the tokens of a request, after the cache has read it."""
        ...

    def format_start(self, reply: Reply) -> bytes:
        """Return the events before the first delta."""
        ...

    def format_delta(self, reply: Reply, piece: Piece) -> bytes:
        """Return one delta."""
        ...

    def format_end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """Return the end marker, and the usage."""
        ...

    def build_error(self, status: int) -> dict[str, Any]:
        """Return the usual error body for a status."""
        ...

    def format_error(self, reply: Reply, error: Any) -> bytes:
        """Return an error as an event of the stream; the usual one for None."""
        ...

    def get_id_header(self) -> str:
        """Return the name of the header that carries the request's id."""
        ...


def format_event(data: Any, name: str = "") -> bytes:
    """Encode any JSON as one event of a stream."""
    named = f"event: {name}\n".encode() if name else b""
    return named + b"data: " + dump_json(data) + b"\n\n"


def dump_json(data: Any) -> bytes:
    """Encode JSON as UTF-8, as the real providers do, with escapes for text that UTF-8 can't
    encode."""
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(data).encode()


def error_message(status: int) -> str:
    """Return the fake's message for a scripted error."""
    return f"The fake was asked to answer {status or 'with an error'}."
