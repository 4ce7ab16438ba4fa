"""Puts the calls of tools in one reply together from their parts.

Servers number the parts in different ways: by an index, by an id, by both, or not at all. Some give
each call the index 0, some each part of a call another id, some repeat the name in each part.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from streaming.providers import errors
from streaming.providers.http.call_arguments import parse_object
from streaming.providers.http.parsed import CallPart, ThoughtPart
from streaming.providers.tools import (
    MAX_CALL_ID_CHARS,
    MAX_CALLS,
    MAX_FUNCTION_NAME_CHARS,
    ToolCall,
)

MAX_CALL_CHARS = 1_000_000
"""All the calls of a reply together."""
MAX_STATE_CHARS = 500_000
"""A longer state is dropped: the provider can do without it."""


@dataclass(slots=True)
class _OpenCall:
    """A call as far as its parts are here."""

    id: str = ""
    name: str = ""
    state: str = ""
    pieces: list[str] = field(default_factory=list)
    is_whole: bool = False
    is_closed: bool = False
    place: int = 0

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class CallAssembler:
    """The calls of one reply, and the blocks of reasoning that belong to them."""

    def __init__(self) -> None:
        self._thoughts: list[dict[str, list[str]]] = []
        self._thoughts_by_key: dict[str, dict[str, list[str]]] = {}
        self._thought_chars = 0
        self._calls: list[_OpenCall] = []
        self._by_key: dict[str, _OpenCall] = {}
        self._chars = 0

    def add(self, part: CallPart) -> bool:
        """Whether the part adds anything to the reply. Raises ProviderError for too much."""
        call = self._find(part)
        if call is None:
            if not (part.id or part.name or part.arguments):
                return False
            call = _OpenCall()
            self._calls.append(call)
        for key in part.keys:
            self._by_key[key] = call
        added = _merge(call, part)
        self._chars += added
        if len(self._calls) > MAX_CALLS:
            raise errors.ProviderError(errors.TOO_MANY_CALLS)
        if self._chars > MAX_CALL_CHARS:
            raise errors.ProviderError(errors.CALLS_TOO_LONG)
        return added > 0

    def add_thought(self, part: ThoughtPart) -> None:
        """Blocks that are too long for a state are forgotten."""
        block = None if part.is_new else self._thoughts_by_key.get(part.key)
        if block is None:
            block = {}
            self._thoughts.append(block)
            self._thoughts_by_key[part.key] = block
        for name, text in part.fields.items():
            self._thought_chars += len(text)
            if self._thought_chars <= MAX_STATE_CHARS:
                block.setdefault(name, []).append(text)

    def join_thoughts(self) -> list[dict[str, str]] | None:
        """The blocks of reasoning, whole; None if they are too long."""
        if self._thought_chars > MAX_STATE_CHARS:
            return None
        return [
            {name: "".join(pieces) for name, pieces in block.items()} for block in self._thoughts
        ]

    def build(self, *, is_cut: bool, state: str = "") -> list[ToolCall]:
        """The calls that have a name of a usual length. Of a reply that was cut, only those that
        are complete. `state` is that of the first call, unless it has one of its own."""
        calls: list[ToolCall] = []
        ids: set[str] = set()
        for call in sorted(self._calls, key=lambda call: call.place):
            arguments = call.arguments.strip()
            is_complete = parse_object(arguments) is not None or (call.is_closed and not arguments)
            has_name = 0 < len(call.name) <= MAX_FUNCTION_NAME_CHARS
            if not has_name or (is_cut and not is_complete):
                continue
            if not call.id or call.id in ids or len(call.id) > MAX_CALL_ID_CHARS:
                call.id = make_call_id()
            ids.add(call.id)
            own = call.state or ("" if calls else state)
            own = own if len(own) <= MAX_STATE_CHARS else ""
            calls.append(ToolCall(call.id, call.name, arguments or "{}", own))
        return calls

    def _find(self, part: CallPart) -> _OpenCall | None:
        """The call that the part belongs to; None for a new one."""
        if part.id and (part.is_whole or not part.keys):
            same_id = (call for call in self._calls if call.id == part.id)
            if call := next(same_id, None):
                return call
        known = next((self._by_key[key] for key in part.keys if key in self._by_key), None)
        if not part.keys and self._calls:
            known = self._calls[-1]
        return None if known is None or _begins_another(known, part) else known


def _begins_another(call: _OpenCall, part: CallPart) -> bool:
    """Whether the part begins another call, although its key is that of this one."""
    if part.id and call.id and part.id != call.id:
        has_new_id = bool(part.name) or not part.keys
        return has_new_id and not _is_repeat(call, part)
    if not part.name or not call.name or part.id:
        return False
    if not part.keys:
        return True
    if part.is_whole and call.is_whole:
        return not _is_repeat(call, part)
    return part.name != call.name and bool(call.pieces)


def _is_repeat(call: _OpenCall, part: CallPart) -> bool:
    """Whether the part is the whole call once more. A call that comes in pieces is not joined for
    this, which would take longer with each piece."""
    if not (part.is_whole and call.is_whole and part.name == call.name):
        return False
    return part.arguments == call.arguments


def _merge(call: _OpenCall, part: CallPart) -> int:
    """Add the part to the call. Returns how many characters it adds."""
    added = 0
    if part.id and not call.id:
        call.id = part.id
        added += len(part.id)
    if part.name and part.name != call.name and not (call.name and (part.is_whole or call.pieces)):
        if len(call.name) <= MAX_FUNCTION_NAME_CHARS:  # a longer one is left out
            call.name += part.name  # some servers send the name in pieces
        added += len(part.name)
    if part.state and not call.state:
        call.state = part.state
        added += len(part.state)
    if part.arguments and part.is_whole:
        if (before := call.arguments) != part.arguments:
            call.pieces = [part.arguments]
            added += max(len(part.arguments) - len(before), 1)
        call.is_whole = True
    elif part.arguments and not call.is_whole:
        call.pieces.append(part.arguments)
        added += len(part.arguments)
    call.is_closed = call.is_closed or part.is_closed
    call.place = call.place if part.place is None else part.place
    return added


def make_call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"
