"""Server-sent events: bytes come in as they arrive, the objects of whole events come out.

It takes all that a server may send: every end of line, comments, data in several lines, names, a
byte order mark, and cuts anywhere; also what is no such stream: single lines of JSON, or one
document. It limits nothing: the caller limits how many bytes pile up without making an event.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, NamedTuple

from streaming.providers.http.document import (
    BOM,
    OpenDocument,
    WordsInPlaceOfObject,
    is_bare,
    is_json_start,
    parse_objects,
    read_words,
)
from streaming.providers.http.sse_blocks import BlockSplitter, parse_fields, unwrap_event
from streaming.providers.http.tolerant_json import is_sign_of_life

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
                    name, data, done = unwrap_event(name, data, done)
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
    """Several objects in one event, objects of JSON without a field, a server's error in words, or
    nothing."""
    is_document = not data and is_bare(block) and not done
    is_sign = name != b"error" and is_sign_of_life(data.decode(errors="replace"))
    if (not data and not is_document) or is_sign:
        if not done:
            yield {}
        return
    source = data or block
    count, failure = 0, None
    try:
        for found in name_last(name, parse_objects(source)):
            count += 1
            yield found
    except WordsInPlaceOfObject as error:
        count += 1
        yield (
            {"type": "error", "error": error.words} if name == b"error" else {"error": error.words}
        )
    except (ValueError, RecursionError) as error:
        failure = error
    if name == b"error" and not count:
        yield {"type": "error", "error": source.decode(errors="replace")}
    elif failure:
        yield Unreadable(failure if is_json_start(data) else quote_body(source))
    elif not count:
        yield {}


def read_last_block(last: bytes, *, is_whole: bool) -> Iterator[WireEvent]:
    """The rest of a stream after its last blank line, which may be cut off; or a document in place
    of a stream, if nothing came before it (`is_whole`). Words, which a proxy sends, are an error in
    place of a stream, and can't be read at its end."""
    words = "" if is_bare(last) else read_words(last)
    if words and not is_sign_of_life(words):
        yield {"error": words} if is_whole else Unreadable(quote_body(last))
        return
    name, data, done = unwrap_event(*parse_fields(last))
    is_document = is_bare(last) and not done
    found: list[dict[str, Any]] = []
    try:
        for each in name_last(name, parse_objects(last if is_document else data)):
            found.append(each)
    except WordsInPlaceOfObject as error:
        is_whole = False
        found += [] if is_document else [{"error": error.words}]
    except (ValueError, RecursionError):
        is_whole = False
    if is_document and not found:
        yield Unreadable(quote_body(last))
    elif is_document and is_whole:
        yield CompleteDocument()
    yield from found
    if done:
        yield StreamDone()


def quote_body(body: bytes) -> ValueError:
    return ValueError(f"No stream of events, but: {body[:MAX_QUOTED_BYTES]!r}")


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
