"""The calls of tools in one reply: collected while it comes, and written when it is complete."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from streaming.events import Delta
from streaming.providers.http.call_arguments import parse_object
from streaming.providers.http.call_assembler import CallAssembler, make_call_id
from streaming.providers.http.parsed import CallPart, Meaning, ThoughtPart
from streaming.providers.http.wire import HttpWire
from streaming.providers.key_filter import KeyFilter
from streaming.providers.tools import ToolCall
from streaming.providers.types import Request
from streaming.storable_text import replace_unstorable

OPEN_MEANINGS = {"stop", "unknown", "other"}
"""A reply with calls that ends so ends because of them."""
CUT_MEANINGS = {"length", "content_filter", "refusal"}
"""A reply that ends so may have half of a call."""
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|/)")
"""A character that JSON may spell so, also one of a key."""


class ReplyCalls:
    """The calls are not written while they come: no caller can use half of a call, and no other
    request could continue it. Calls that the request does not ask for are left out: if it declares
    no tools, or forbids calls; and all but the first one if it forbids parallel ones. Google has no
    field for the last, and compatible servers may ignore the fields."""

    def __init__(self, wire: HttpWire, request: Request, key_filter: KeyFilter) -> None:
        self._wire = wire
        self._request = request
        self._key_filter = key_filter
        tools = request.tools
        may_call = tools is not None and bool(tools.functions) and tools.choice != "none"
        self._assembler = CallAssembler() if may_call else None
        self._is_serial = tools is not None and tools.parallel is False
        self._is_written = False

    def add(self, part: CallPart | ThoughtPart) -> bool:
        """Whether the part adds to the calls. Raises ProviderError for too much of them."""
        if self._assembler is None:
            return False
        if isinstance(part, CallPart):
            return self._assembler.add(part)
        self._assembler.add_thought(part)
        return False

    def write(self, meaning: Meaning) -> list[Delta]:
        """The calls of a reply that ends so."""
        if self._assembler is None:
            return []
        thoughts = self._assembler.join_thoughts()
        state = "" if thoughts is None else self._wire.build_call_state(self._request, thoughts)
        calls = self._assembler.build(is_cut=meaning in CUT_MEANINGS, state=state)
        calls = calls[:1] if self._is_serial else calls
        self._is_written = bool(calls)
        return [Delta(clean_call(call, self._key_filter).to_line(), "tool_call") for call in calls]

    def choose_meaning(self, meaning: Meaning) -> Meaning:
        """Why the reply ends, once its calls are written."""
        return "tool_calls" if self._is_written and meaning in OPEN_MEANINGS else meaning


def clean_call(call: ToolCall, key_filter: KeyFilter) -> ToolCall:
    """The call as it may be stored and shown: without a key, and in text that any database holds.
    A state is no text: without its key it would mean nothing, so it is dropped."""
    state = "" if key_filter.contains_key(call.state) else replace_unstorable(call.state)
    call = replace(
        call,
        id=make_call_id() if key_filter.contains_key(call.id) else replace_unstorable(call.id),
        name=replace_unstorable(key_filter.remove_keys(call.name)),
        arguments=replace_unstorable(key_filter.remove_keys(call.arguments)),
        state=state,
    )
    plain = ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "/", call.arguments)
    if key_filter.contains_key(plain):
        # Arguments that are cut, or that name a field twice, are found only as text.
        values = parse_object(call.arguments)
        spelled_out = plain if values is None else json.dumps(values, ensure_ascii=False)
        call = replace(call, arguments=replace_unstorable(key_filter.remove_keys(spelled_out)))
    return call
