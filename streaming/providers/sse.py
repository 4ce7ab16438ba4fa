"""Server-sent events: bytes come in as they arrive, the objects of whole events come out.

It takes all that a server may send: every end of line, comments, data in several lines, names, a
byte order mark, and cuts anywhere. How much may pile up without making an event is for whoever
hands in the bytes to limit.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

BOM = b"\xef\xbb\xbf"
DONE_MARKER = b"[DONE]"
DONE_DATA = re.compile(rb"""["'`\s]*(\[\s*DONE\s*\]|DONE)["'`\s]*""", re.IGNORECASE)
"""How servers write it as data,"""
DONE_LINE = re.compile(rb"\s*\[\s*DONE\s*\]\s*", re.IGNORECASE)
"""and as a line without a field, where a single word may be anything."""
NON_EVENT_PREFIXES = (b"{", b"[", b"<")
"""How no line of a stream begins, but an answer in JSON or a page that came in its place."""
MAX_QUOTED_BYTES = 400  # Bytes of it that an error quotes.


def raise_unreadable(error: Exception) -> None:
    """What is done about an event that nobody can read, unless the caller knows better."""
    raise error


async def decode_events(
    parts: AsyncGenerator[bytes, None],
    *,
    on_done: Callable[[], None] = lambda: None,
    on_json_body: Callable[[], None] = lambda: None,
    on_unreadable: Callable[[Exception], None] = raise_unreadable,
) -> AsyncGenerator[dict[str, Any], None]:
    """The objects of a stream's events, until it says that it is done, of which `on_done` is told,
    or ends; empty ones for signs of life that say nothing, such as comments.

    Raises ValueError for what nobody can read, or hands it to `on_unreadable`. An answer in JSON in
    place of a stream is one object, of which `on_json_body` is told; the last event counts without
    its blank line too, if all of it is there. Closing this closes `parts`.
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
                    on_unreadable(error)
                    found = {}
                if found or not done:
                    yield found
                if done:
                    on_done()
                    return
    last = bytes(blocks.buffer).removeprefix(mark).strip()
    name, data, done = parse_fields(last)
    if last.startswith(NON_EVENT_PREFIXES) and not done:
        try:
            found = parse_json_body(last)
            on_json_body()
        except (ValueError, RecursionError) as error:
            on_unreadable(error)
            return
        yield found
    elif (cut := try_parse_data(name, data)) is not None:
        yield cut
    if done:
        on_done()


class BlockSplitter:
    """Cuts bytes into the blocks between blank lines, whose lines end in \\n then."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self._ends_with_cr = False

    def feed(self, part: bytes) -> list[bytes]:
        """The blocks that this part completes."""
        if not part:
            return []
        if self._ends_with_cr:  # The other half of a \\r\\n is no line of its own.
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
    """The name and the data of an event, which without data is none, and whether it or a last line
    of it says that the stream is done."""
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
    """The object in an event, whose name is its type unless it tells one itself."""
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
