"""The parts of a provider's event that an adapter reports beside the deltas.

`parse_event` of an adapter turns one object of the wire into any number of these. They are plain
values; `ending` decides what they mean together for the reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from streaming.events import Delta
from streaming.providers.types import FinishReason, Usage

Meaning = FinishReason | Literal["cut_off"]
"""Why a reply ends; `cut_off` where the server gave it up before it was complete."""


class Reason(NamedTuple):
    """Why the reply ends. It is the end only if nothing is added after it.

    `word` is the provider's own, where it says more than the meaning.
    """

    meaning: Meaning
    word: str = ""


class EndMark(NamedTuple):
    """The last event of the protocol: nothing comes after it."""


class WholeReply(NamedTuple):
    """The event has the message of a reply that was sent in one piece, if no other follows."""


class Refusal(NamedTuple):
    """The text that is added declines to answer."""


class Repeat(NamedTuple):
    """The text of a part of the reply, of an item or of all of it, behind its deltas. `deltas` may
    raise any exception."""

    deltas: Iterable[Delta]
    scope: Literal["part", "item", "reply"]


class CallPart(NamedTuple):
    """More of a call of a tool.

    `keys` are the names that the events of this reply have for the call, such as its index; without
    any, the part belongs to the last call, or begins the next one. `arguments` is a piece to add,
    or with `is_whole` all of them. `is_closed` says that nothing of the call is missing. `place` is
    the position of the call in the reply, where parts may come in another order.
    """

    keys: tuple[str, ...] = ()
    id: str = ""
    name: str = ""
    arguments: str = ""
    state: str = ""
    is_whole: bool = False
    is_closed: bool = False
    place: int | None = None


class ThoughtPart(NamedTuple):
    """More of a block of reasoning that the provider wants back with the calls of the reply.
    `fields` has pieces of its texts, by name."""

    key: str
    fields: Mapping[str, str]
    is_new: bool = False


class Block(NamedTuple):
    """A part of the reply, which the protocol closes before the end, is open or closed."""

    is_open: bool


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """The provider's error instead of a reply, in its own words; status 0 where it gave none.

    `codes` are its codes and types, `message` is its sentence. `is_page` says that a proxy or a web
    server answered, with HTML.
    """

    status: int
    codes: str
    message: str
    param: str = ""
    request_id: str = ""
    retry_after: float | None = None
    is_page: bool = False


ParsedEvent = (
    Delta
    | Reason
    | EndMark
    | WholeReply
    | Refusal
    | Repeat
    | Block
    | CallPart
    | ThoughtPart
    | Usage
    | ErrorResponse
)
