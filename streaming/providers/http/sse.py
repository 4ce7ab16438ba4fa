"""Server-sent events: bytes come in as they arrive, the objects of whole events come out.

It takes all that a server may send: every end of line, comments, data in several lines, names, a
byte order mark, and cuts anywhere; also what is no such stream: single lines of JSON, or one
document. It limits nothing: the caller limits how many bytes pile up without making an event.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, NamedTuple

from streaming.providers.http.tolerant_json import TOLERANT_DECODER, is_sign_of_life

BOM = b"\xef\xbb\xbf"
DONE_MARKER = b"[DONE]"
DONE_DATA = re.compile(rb"""["'`\s]*(\[\s*DONE\s*\]|DONE)["'`\s]*""", re.IGNORECASE)
"""The marker as servers send it in data,"""
DONE_LINE = re.compile(rb"\s*\[\s*DONE\s*\]\s*", re.IGNORECASE)
"""and as a line without a field, where a single word may be anything."""
NON_EVENT_PREFIXES = (b"{", b"[", b"<")
"""No line of a stream begins with these; JSON or an HTML page in its place does."""
_BLANKS = re.compile(r"\s*")
MAX_FAILED_CUTS = 16
"""How often a line is read as a whole event before a stream counts as one with blank lines."""
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

    An answer in JSON in place of a stream is one object, or those of its list. The last event
    counts without its blank line, too, if all of it is there. Closing this closes `parts`.
    """
    blocks, mark, document = BlockSplitter(), BOM, OpenDocument()
    async with aclosing(parts):
        async for part in parts:
            for block in blocks.feed(part):
                if mark or document.buffer:
                    block, mark = block.removeprefix(mark), b""
                    if document.take_block(block):
                        continue
                name, data, done = parse_fields(block)
                try:
                    found = parse_data(name, data) if data else None
                except (ValueError, RecursionError):
                    found = None
                if found is None:
                    for event in read_odd_block(name, data, block, done):
                        yield event
                elif found or not done:
                    yield found
                if done:
                    yield StreamDone()
                    return
    last = bytes(document.buffer + blocks.buffer).removeprefix(mark).strip()
    for event in read_last_block(last, is_whole=bool(mark or document.buffer)):
        yield event


# Blocks other than an event with one object


def read_odd_block(name: bytes, data: bytes, block: bytes, done: bool) -> Iterator[WireEvent]:
    """Several objects in one event, objects of JSON without a field, or nothing."""
    is_bare = not data and block.lstrip().startswith(NON_EVENT_PREFIXES) and not done
    if (not data and not is_bare) or (name != b"error" and is_sign_of_life(data)):
        if not done:
            yield {}
        return
    source = data or block
    count = 0
    try:
        for found in name_last(name, parse_objects(source)):
            count += 1
            yield found
    except (ValueError, RecursionError) as error:
        if name == b"error" and not count:
            yield {"type": "error", "error": source.decode(errors="replace")}
        else:
            yield Unreadable(quote_body(source) if is_bare else error)


def read_last_block(last: bytes, *, is_whole: bool) -> Iterator[WireEvent]:
    """The rest of a stream after its last blank line, which may be cut off; or a document in place
    of a stream, if nothing came before it (`is_whole`)."""
    name, data, done = parse_fields(last)
    is_bare = last.startswith(NON_EVENT_PREFIXES) and not done
    found: list[dict[str, Any]] = []
    try:
        for each in name_last(name, parse_objects(last if is_bare else data)):
            found.append(each)
    except (ValueError, RecursionError):
        if is_bare and not found:
            yield Unreadable(quote_body(last))
        is_whole = False
    if is_bare and is_whole:
        yield CompleteDocument()
    yield from found
    if done:
        yield StreamDone()


class OpenDocument:
    """A document of JSON in place of a stream, with blank lines in it."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def take_block(self, block: bytes) -> bool:
        """Keep a block of the document; False if it is none, but an event or a whole object."""
        if not self.buffer and (holds_objects(block) or not self._is_start(block)):
            return False
        self.buffer += block + b"\n\n"
        return True

    def _is_start(self, block: bytes) -> bool:
        return block.lstrip().startswith((b"{", b"[")) and not DONE_LINE.match(block)


def parse_objects(source: bytes) -> Iterator[dict[str, Any]]:
    """The objects that stand one after the other, or in lists. Raises ValueError at the first thing
    that is none."""
    text, at, decoder = source.decode(), 0, TOLERANT_DECODER
    while (at := _skip_blanks(text, at)) < len(text):
        found, at = decoder.raw_decode(text, at)
        for each in found if isinstance(found, list) else [found]:
            if not isinstance(each, dict):
                raise ValueError(f"An event held {type(each).__name__} instead of an object.")
            yield each


def holds_objects(block: bytes) -> bool:
    try:
        return bool(list(parse_objects(block)))
    except (ValueError, RecursionError):
        return False


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def quote_body(body: bytes) -> ValueError:
    return ValueError(f"No stream of events, but: {body[:MAX_QUOTED_BYTES]!r}")


# Blocks and their fields


class BlockSplitter:
    """Cuts bytes into the blocks between blank lines, whose lines end in \\n then.

    Some servers send no blank lines. A line with a whole object is a block of its own where another
    event follows in the next line.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self._ends_with_cr = False
        self._failed_cuts = 0
        self._has_single_lines = False

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
        blocks = []
        if end >= 0:
            blocks = bytes(self.buffer[:end]).split(b"\n\n")
            del self.buffer[: end + 2]
        if self.buffer and b"\n" in part:
            while line := self._cut_single_line():
                blocks.append(line)
        return blocks

    def _cut_single_line(self) -> bytes:
        """The first lines up to a whole object, if the rest is another event; or nothing."""
        start = 0
        if not self.buffer.startswith((b"{", b"data:")):
            start = self.buffer.find(b"\ndata:") + 1
            if not start:
                return b""
        end = self.buffer.find(b"\n", start)
        if end < 0 or self._failed_cuts >= MAX_FAILED_CUTS:
            return b""
        following = bytes(self.buffer[end + 1 : end + 8])
        first_field = bytes(self.buffer[: self.buffer.find(b":") + 1])
        is_followed = following.startswith((b"data:", first_field))
        if not (is_followed or self._has_single_lines or self.buffer.startswith(b"{")):
            return b""
        line = bytes(self.buffer[start:end]).removeprefix(b"data:").strip()
        if not (DONE_DATA.fullmatch(line) or is_whole_object(line)):
            self._failed_cuts += 1
            return b""
        self._has_single_lines = True
        block = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        return block


def is_whole_object(line: bytes) -> bool:
    is_enclosed = line[:1] + line[-1:] == b"{}"
    try:
        return is_enclosed and isinstance(TOLERANT_DECODER.decode(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def parse_fields(block: bytes) -> tuple[bytes, bytes, bool]:
    """The name and the data of an event, and whether it or its last line says that the stream is
    done. Without data it is no event. An error in a field of its own counts as data."""
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"error":
            data.append(wrap_error(value))
        elif DONE_LINE.fullmatch(line) and not block.lstrip().startswith((b"{", b"<")):
            data.append(DONE_MARKER)
    done = bool(data and DONE_DATA.fullmatch(data[-1]))
    return name, b"\n".join(data[:-1] if done else data), done


def wrap_error(value: bytes) -> bytes:
    try:
        error = json.loads(value)
    except (ValueError, RecursionError):
        error = value.decode(errors="replace").strip()
    return json.dumps({"error": error}).encode()


def parse_data(name: bytes, data: bytes) -> dict[str, Any]:
    """The object in an event. The event's name is its type, unless the object has one. Raises
    ValueError for data that is no single object."""
    found = json.loads(data.decode())
    if found in (None, "", []):
        found = {}
    if not isinstance(found, dict):
        raise ValueError(f"An event held {type(found).__name__} instead of an object.")
    return name_event(name, found) if name else found


def name_last(name: bytes, objects: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The objects of one block. The block has one name, that of its last event: lines without blank
    lines between them may be several events."""
    waiting = None
    try:
        for found in objects:
            if waiting is not None:
                yield waiting
            waiting = found
    except (ValueError, RecursionError):
        if waiting is not None:
            yield waiting
        raise
    if waiting is not None:
        yield name_event(name, waiting)


def name_event(name: bytes, found: dict[str, Any]) -> dict[str, Any]:
    if name == b"error" and not found.get("error") and found.get("type") != "error":
        return {"type": "error", "error": found}
    if name:
        found.setdefault("type", name.decode(errors="replace"))
    return found
