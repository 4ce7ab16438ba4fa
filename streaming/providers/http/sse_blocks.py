"""Cuts the bytes of server-sent events into blocks, and a block into its fields.

It takes what servers really send: every end of line, no blank lines between events, blanks around
the name of a field, and objects of JSON in lines without one.
"""

from __future__ import annotations

import json
import re

from streaming.providers.http.tolerant_json import TOLERANT_DECODER

DONE_MARKER = b"[DONE]"
DONE_DATA = re.compile(rb"""["'`\s]*(\[\s*DONE\s*\]|DONE)["'`\s]*""", re.IGNORECASE)
"""The marker as servers send it in data,"""
DONE_LINE = re.compile(rb"\s*\[\s*DONE\s*\]\s*", re.IGNORECASE)
"""and as a line without a field, where a single word may be anything."""
FIELD_NAMES = {b"data", b"event", b"id", b"retry", b"error", b""}
"""A line that begins with a colon is a comment."""
MAX_FAILED_CUTS = 16
"""How often a line is read as a whole event before a stream counts as one with blank lines."""


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
        is_followed = following.startswith((b"data:", b"{", first_field))
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
        return is_enclosed and isinstance(
            TOLERANT_DECODER.decode(line.decode(errors="replace")), dict
        )
    except (ValueError, RecursionError):
        return False


def has_field(block: bytes) -> bool:
    """Whether any line has the form of one in a stream of events, or is its last mark."""
    return any(
        (b":" in line and line.partition(b":")[0].strip().lower() in FIELD_NAMES)
        or DONE_LINE.fullmatch(line)
        for line in block.split(b"\n")
    )


def parse_fields(block: bytes) -> tuple[bytes, bytes, bool]:
    """The name and the data of an event, and whether a line of it says that the stream is
    done. Without data it is no event. An error in a field of its own counts as data, with the lines
    without a name that follow it."""
    name, data, error, error_at = b"", list[bytes](), list[bytes](), 0
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field != b"data":  # nearly never
            field = field.strip().lower()
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.strip()
        elif field == b"error":
            error_at = error_at if error else len(data)
            error.append(value)
        elif DONE_LINE.fullmatch(line) and not block.lstrip().startswith((b"{", b"<")):
            data.append(DONE_MARKER)
        elif error and field not in FIELD_NAMES:
            error.append(line)
        elif is_whole_object(line.strip()):
            data.append(line)
    if error:
        data.insert(error_at, wrap_error(b"\n".join(error)))
    for at, line in enumerate(data[:-1]):
        if DONE_LINE.fullmatch(line):  # what follows it does not count
            del data[at + 1 :]
            break
    done = bool(data and DONE_DATA.fullmatch(data[-1]))
    return name, b"\n".join(data[:-1] if done else data), done


def unwrap_event(name: bytes, data: bytes, done: bool) -> tuple[bytes, bytes, bool]:
    """The event within the data of another, if there is one: two libraries that each add their
    “data:”, or a line of an error that became data."""
    if has_field(data.partition(b"\n")[0]):
        inner_name, inner, inner_done = parse_fields(data)
        if inner or inner_done:
            return inner_name or name, inner, done or inner_done
    return name, data, done


def wrap_error(value: bytes) -> bytes:
    try:
        error = json.loads(value.decode(errors="replace"))
    except (ValueError, RecursionError):
        error = value.decode(errors="replace").strip()
    return json.dumps({"error": error}).encode()
