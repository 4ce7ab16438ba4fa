"""The interface of a wire for the fake's server: how a provider reads requests and sends
replies."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Piece, Usage


@dataclass(slots=True)
class Call:
    """An HTTP request, read completely."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, which may be empty."""
        loaded = json.loads(self.body or b"{}")
        assert isinstance(loaded, dict)
        return loaded


@dataclass(slots=True)
class Reply:
    """The state of one reply: its request, its behaviour, and the text sent so far."""

    model: str
    body: dict[str, Any]
    how: Behaviour
    id: str = "fake"
    events: int = 0
    block: str = ""
    text: str = ""
    reasoning: str = ""


class Wire(Protocol):
    """A provider's format. Its methods build the bytes in the order of sending."""

    name: str

    def serves(self, call: Call) -> bool:
        """Return whether a request is for a reply over this wire."""
        ...

    def lists(self, call: Call) -> bool:
        """Return whether a request is for this provider's list of models."""
        ...

    def models(self) -> Any:
        """The body of the list of models."""
        ...

    def key(self, headers: dict[str, str]) -> str:
        """Return the key of a request."""
        ...

    def model(self, call: Call) -> str:
        """Return the requested model."""
        ...

    def prompt(self, body: dict[str, Any]) -> str:
        """Return the last message of the person."""
        ...

    def forbids(self, call: Call) -> ErrorAnswer | None:
        """Return the provider's error for a request that it refuses, or None."""
        ...

    def start(self, reply: Reply) -> bytes:
        """The events before the first delta."""
        ...

    def delta(self, reply: Reply, piece: Piece) -> bytes:
        """One delta."""
        ...

    def end(self, reply: Reply, finish: str, usage: Usage | None) -> bytes:
        """The end marker, and the usage."""
        ...

    def error(self, status: int) -> dict[str, Any]:
        """The usual error body for a status."""
        ...

    def broken(self, reply: Reply, error: Any) -> bytes:
        """An error as an event of the stream; the usual one for None."""
        ...

    def id_header(self) -> str:
        """The name of the header that carries the request's id."""
        ...


def event(data: Any, name: str = "") -> bytes:
    """Encode any JSON as one event of a stream."""
    named = f"event: {name}\n".encode() if name else b""
    return named + b"data: " + dumped(data) + b"\n\n"


def dumped(data: Any) -> bytes:
    """Encode JSON as UTF-8, as the real providers do, with escapes for text that UTF-8 can't
    encode."""
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(data).encode()


def asked(status: int) -> str:
    """The fake's message for a scripted error."""
    return f"The fake was asked to answer {status or 'with an error'}."
