"""What a wire is to the fake's server: how a provider reads requests and says things."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Piece, Usage


@dataclass(slots=True)
class Call:
    """An HTTP request, read to its end."""

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
    """One reply while it is said: what was asked, how it goes, and what was said so far."""

    model: str
    body: dict[str, Any]
    how: Behaviour
    id: str = "fake"
    events: int = 0
    block: str = ""
    text: str = ""
    reasoning: str = ""


class Wire(Protocol):
    """A provider's way of saying things. Its methods make the bytes in the order of sending."""

    name: str

    def serves(self, call: Call) -> bool:
        """Whether a request is for a reply over this wire."""
        ...

    def lists(self, call: Call) -> bool:
        """Whether a request is for this provider's list of models."""
        ...

    def models(self) -> Any:
        """That list."""
        ...

    def key(self, headers: dict[str, str]) -> str:
        """The key that came with a request."""
        ...

    def model(self, call: Call) -> str:
        """The model that is asked."""
        ...

    def prompt(self, body: dict[str, Any]) -> str:
        """What the person said last."""
        ...

    def forbids(self, call: Call) -> ErrorAnswer | None:
        """What the real one answers to a request that it does not take."""
        ...

    def start(self, reply: Reply) -> bytes:
        """What comes before the first delta."""
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
    """Any JSON as one event of a stream."""
    named = f"event: {name}\n".encode() if name else b""
    return named + b"data: " + dumped(data) + b"\n\n"


def dumped(data: Any) -> bytes:
    """JSON as UTF-8, as the real ones send it; with escapes where UTF-8 has no way to say it."""
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(data).encode()


def asked(status: int) -> str:
    """The fake's sentence for an error that it was asked for."""
    return f"The fake was asked to answer {status or 'with an error'}."
