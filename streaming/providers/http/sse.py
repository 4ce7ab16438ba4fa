"""Server-sent events: bytes come in as they arrive, the objects of whole events come out.

It takes all that a server may send: every end of line, comments, data in several lines, names, a
byte order mark, and cuts anywhere. It limits nothing: the caller limits how many bytes pile up
without making an event.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple

BOM = b"\xef\xbb\xbf"
DONE_MARKER = b"[DONE]"
DONE_DATA = re.compile(rb"""["'`\s]*(\[\s*DONE\s*\]|DONE)["'`\s]*""", re.IGNORECASE)
"""The marker as servers send it in data,"""
DONE_LINE = re.compile(rb"\s*\[\s*DONE\s*\]\s*", re.IGNORECASE)
"""and as a line without a field, where a single word may be anything."""
NON_EVENT_PREFIXES = (b"{", b"[", b"<")
"""No line of a stream begins with these; JSON or an HTML page in its place does."""
MAX_QUOTED_BYTES = 400
"""How much of such an answer an error quotes."""


class StreamDone(NamedTuple):
    """The stream said that it is done."""


class CompleteDocument(NamedTuple):
    """The answer was one JSON document in place of a stream, and all of it is here."""


class Unreadable(NamedTuple):
    """An event that can't be read."""

    error: Exception


WireEvent = dict[str, Any] | StreamDone | CompleteDocument | Unreadable


async def decode_events(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[WireEvent, None]:
    """The objects of a stream's events, until it ends or says that it is done; {} for signs of life
    that say nothing, such as comments.

    An answer in JSON in place of a stream is one object. The last event counts without its blank
    line, too, if all of it is there. Closing this closes `parts`.
    """
    blocks, mark = BlockSplitter(), BOM
    async with aclosing(parts):
        async for part in parts:
            for block in blocks.feed(part):
                block, mark = block.removeprefix(mark), b""
                name, data, done = parse_fields(block)
                try:
                    found = parse_data(name, data) if data else parse_empty_block(block)
                except (ValueError, RecursionError) as error:
                    yield Unreadable(error)
                    found = {}
                if found or not done:
                    yield found
                if done:
                    yield StreamDone()
                    return
    last = bytes(blocks.buffer).removeprefix(mark).strip()
    name, data, done = parse_fields(last)
    if last.startswith(NON_EVENT_PREFIXES) and not done:
        try:
            found = parse_json_body(last)
        except (ValueError, RecursionError) as error:
            yield Unreadable(error)
            return
        yield CompleteDocument()
        yield found
    elif (cut := try_parse_data(name, data)) is not None:
        yield cut
    if done:
        yield StreamDone()


class BlockSplitter:
    """Cuts bytes into the blocks between blank lines, whose lines end in \\n then."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self._ends_with_cr = False

    def feed(self, part: bytes) -> list[bytes]:
        """The blocks that this part completes."""
        if not part:
            return []
        if self._ends_with_cr:  # the other half of a \\r\\n is no line of its own
            part = part.removeprefix(b"\n")
        self._ends_with_cr = part.endswith(b"\r")
        if b"\r" in part:
            part = part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        searched = max(len(self.buffer) - 1, 0)
        self.buffer += part
        end = self.buffer.rfind(b"\n\n", searched)
        if end < 0:
            return []
        blocks = bytes(self.buffer[:end]).split(b"\n\n")
        del self.buffer[: end + 2]
        return blocks


def parse_fields(block: bytes) -> tuple[bytes, bytes, bool]:
    """The name and the data of an event, and whether it or its last line says that the stream is
    done. Without data it is no event."""
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif DONE_LINE.fullmatch(line) and not block.lstrip().startswith((b"{", b"<")):
            data.append(DONE_MARKER)
    done = bool(data and DONE_DATA.fullmatch(data[-1]))
    return name, b"\n".join(data[:-1] if done else data), done


def parse_empty_block(block: bytes) -> dict[str, Any]:
    """A block without data. Raises ValueError if it is the beginning of something else."""
    if not DONE_LINE.match(block) and block.lstrip().startswith(NON_EVENT_PREFIXES):
        raise ValueError(f"No stream of events, but: {block[:MAX_QUOTED_BYTES]!r}")
    return {}


def parse_data(name: bytes, data: bytes) -> dict[str, Any]:
    """The object in an event. The event's name is its type, unless the object has one."""
    found = json.loads(data.decode())
    if found in (None, "", []):
        found = {}
    if not isinstance(found, dict):
        raise ValueError(f"An event held {type(found).__name__} instead of an object.")
    if name:
        found.setdefault("type", name.decode())
    return found


def try_parse_data(name: bytes, data: bytes) -> dict[str, Any] | None:
    """The object in an event that the end of the stream may have cut off."""
    try:
        return parse_data(name, data)
    except (ValueError, RecursionError):
        return None


def parse_json_body(body: bytes) -> dict[str, Any]:
    """The object that came in place of a stream, or in a list as Google sends its errors."""
    try:
        found = json.loads(body.decode())
    except ValueError:
        found = None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise ValueError(f"No stream of events, but: {body[:MAX_QUOTED_BYTES]!r}")
    return found
