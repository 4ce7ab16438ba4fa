"""The scripts and records of the fake, the same on both ends of its control endpoint."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Kind = Literal["text", "reasoning", "refusal"]
State = Literal["waiting", "streaming", "held", "stalled", "cut", "finished", "closed"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One delta of a reply. Lone surrogates are sent as JSON escapes, all else as UTF-8."""

    text: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage that the fake reports. `input` includes `cached` and `cache_written`."""

    input: int = 11
    output: int = 7
    reasoning: int = 0
    cached: int = 0
    cache_written: int = 0


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error instead of a reply, or with status 0 as an event in the middle of one.

    In the body and the headers, “{key}” stands for the key of the request, as some providers echo
    it. A body that is a string is sent unchanged, and “\\udcff” in it as the byte FF; None is the
    wire's usual error body.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The fake's answer to a request whose last prompt contains `prompt` (None: any request).

    For lists of models (`on`) only `error`, `first_delay` and `headers` apply, and for resuming a
    stored reply only `error`. `pieces` are the deltas; `times` is the number of requests that it
    answers, None for all. Delays are in seconds. The `…_after` count deltas sent before it happens,
    so 0 is before the first and `len(pieces)` after the last.
    """

    pieces: tuple[Piece, ...] = ()
    prompt: str | None = None
    on: Literal["reply", "models", "attach"] = "reply"
    times: int | None = 1
    first_delay: float = 0.0
    delay: float = 0.0
    hold_after: tuple[int, ...] = ()  # Waits for a release.
    stall_after: int | None = None  # Keeps the connection open and sends nothing more.
    cut_after: int | None = None  # Drops the connection in the middle of the body.
    end_after: int | None = None  # Ends the body properly, but without the end marker.
    error_after: int | None = None  # Sends `error` as an event there and ends.
    error: ErrorAnswer | None = None
    finish: str = "stop"  # In the format of the wire.
    stamp: bool = False  # Puts `finish` into every event of a reply, as some servers do.
    odd: str = ""  # The name of a row in `oddity_table`, which bends the bytes of the reply.
    usage: Usage | None = field(default_factory=Usage)
    counts_tokens: bool = False  # Counts the prompt instead, with the provider's cache of prompts.
    request_id: str = "req_fake"
    headers: dict[str, str] = field(default_factory=dict)  # Additional headers of a reply.
    extra: bytes = b""  # Raw bytes right after the headers of a reply.
    split_at: tuple[int, ...] = ()  # Positions in the body where a new packet begins.
    packet: int | None = None  # The largest packet in bytes.

    @classmethod
    def of(cls, *texts: str, **fields: Any) -> Self:
        """Return a reply of these text deltas."""
        return cls(pieces=tuple(Piece(text) for text in texts), **fields)

    @property
    def text(self) -> str:
        """Return the text that a client should have at the end, with halves of emoji joined."""
        units = "".join(piece.text for piece in self.pieces if piece.kind != "reasoning")
        joined = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return joined.replace("\0", "\ufffd")

    def to_json(self) -> dict[str, Any]:
        """Encode for the control endpoint."""
        return asdict(self) | {"extra": self.extra.decode("latin-1")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Decode from the control endpoint; besides our own form it accepts `text` and `deltas`."""
        fields = dict(data)
        texts = fields.pop("deltas", [])
        if "text" in fields:
            texts = [fields.pop("text")]
        pieces = [*fields.pop("pieces", []), *({"text": text} for text in texts)]
        error, usage = fields.pop("error", None), fields.pop("usage", {})
        return cls(
            pieces=tuple(Piece(**piece) for piece in pieces),
            error=None if error is None else ErrorAnswer(**error),
            usage=None if usage is None else Usage(**usage),
            hold_after=_to_tuple(fields.pop("hold_after", ())),
            split_at=_to_tuple(fields.pop("split_at", ())),
            extra=fields.pop("extra", "").encode("latin-1"),
            **fields,
        )


def _to_tuple(value: int | list[int] | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


@dataclass(slots=True)
class Record:
    """A request that the fake got. Times are seconds of the machine's monotonic clock.

    A wire's name with “.attached” is the resumption of a stored reply, with “.cancelled” its
    cancellation: neither is another generation.
    """

    id: int
    wire: str
    path: str
    key: str  # "absent", or the beginning of its hash: never the key.
    prompt: str
    headers: dict[str, str]  # Names in lower case, without headers that carry a key.
    body: dict[str, Any]
    started_at: float
    state: State = "waiting"
    sent: int = 0  # Deltas written so far,
    size: int = 0  # and bytes of the reply's body.
    ended_at: float | None = None
    closed_at: float | None = None  # The time of a disconnect before the end.
