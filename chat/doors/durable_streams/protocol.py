"""The protocol on one screen: offsets, cursors, content and server-sent events. Nothing here calls
the database."""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Sequence

NEXT_OFFSET = "Stream-Next-Offset"
UP_TO_DATE = "Stream-Up-To-Date"
CLOSED = "Stream-Closed"
CURSOR = "Stream-Cursor"
TTL = "Stream-TTL"
EXPIRES_AT = "Stream-Expires-At"
SEQUENCE = "Stream-Seq"
FORKED_FROM = "Stream-Forked-From"
FORK_OFFSET = "Stream-Fork-Offset"
FORK_SUB_OFFSET = "Stream-Fork-Sub-Offset"
PRODUCER_ID = "Producer-Id"
PRODUCER_EPOCH = "Producer-Epoch"
PRODUCER_SEQ = "Producer-Seq"
EXPECTED_SEQ = "Producer-Expected-Seq"
RECEIVED_SEQ = "Producer-Received-Seq"
SSE_ENCODING = "Stream-SSE-Data-Encoding"
STATE = "Stream-State"
"""Of a reply that has ended: how. Not of the protocol, whose end says nothing of success."""
REQUEST_HEADERS = (
    *("If-None-Match", CLOSED, TTL, EXPIRES_AT, SEQUENCE),
    *(FORKED_FROM, FORK_OFFSET, FORK_SUB_OFFSET, PRODUCER_ID, PRODUCER_EPOCH, PRODUCER_SEQ),
)
ANSWER_HEADERS = (
    *("ETag", "Location", NEXT_OFFSET, UP_TO_DATE, CLOSED, CURSOR, TTL, EXPIRES_AT, SSE_ENCODING),
    *(PRODUCER_EPOCH, PRODUCER_SEQ, EXPECTED_SEQ, RECEIVED_SEQ),
)

START = "-1"
NOW = "now"
OFFSET_PATTERN = re.compile(r"0{16}_([0-9]{16})", re.ASCII)
"""Clients and the suite of the protocol write the offset of the beginning as two such numbers. Ours
need only the second."""
MAX_POSITION = 10**16 - 1

CURSOR_EPOCH = 1_728_432_000
"""2024-10-09, from which the protocol counts intervals."""
CURSOR_INTERVAL_SECONDS = 20
MAX_JITTER_SECONDS = 3_600
MAX_CURSOR_DIGITS = 15

JSON_TYPE = "application/json"
SEPARATOR = b"\n"
"""Between the messages of a record. JSON as we write it has no line feed."""


class NotJson(ValueError):
    """The body of a request in JSON mode is not JSON, or has a number that we can't store."""


def encode_offset(position: int) -> str:
    return f"{0:016}_{position:016}"


def decode_offset(text: str) -> int | None:
    match = OFFSET_PATTERN.fullmatch(text)
    return int(match[1]) if match else None


def build_cursor(given: str, now: float) -> str:
    """A number that rises with the time, and that is greater than the client's own, so that no
    cache answers it with the same response for ever."""
    interval = int((now - CURSOR_EPOCH) // CURSOR_INTERVAL_SECONDS)
    if not re.fullmatch(f"[0-9]{{1,{MAX_CURSOR_DIGITS}}}", given) or int(given) < interval:
        return str(interval)
    return str(int(given) + 1 + secrets.randbelow(MAX_JITTER_SECONDS // CURSOR_INTERVAL_SECONDS))


# Content


def get_media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    return get_media_type(content_type) == JSON_TYPE


def is_text(content_type: str) -> bool:
    """Whether events carry it as it is. Other content is sent as Base64."""
    return get_media_type(content_type).startswith("text/") or is_json(content_type)


# `json.dumps` would make an encoder for each of a body's messages, of which there may be 500,000.
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def split_json(body: bytes) -> list[bytes]:
    """The messages of a body: the elements of an array, or the only value. Raises NotJson."""
    try:
        value = json.loads(body)
        return [_encode_json(part) for part in (value if isinstance(value, list) else [value])]
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise NotJson from error


def _encode_json(value: object) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return _ASCII_ENCODER.encode(value).encode()


def count_units(data: bytes, *, json_mode: bool) -> int:
    return data.count(SEPARATOR) + 1 if json_mode else len(data)


def cut_units(data: bytes, start: int, stop: int, *, json_mode: bool) -> bytes:
    return (
        SEPARATOR.join(data.split(SEPARATOR)[start:stop]) if json_mode else bytes(data[start:stop])
    )


def join_pieces(pieces: Sequence[bytes], *, json_mode: bool) -> bytes:
    """The body of an answer."""
    if json_mode:
        return b"[" + b",".join(pieces).replace(SEPARATOR, b",") + b"]"
    return b"".join(pieces)


# Server-sent events. Clients of this protocol take the space after the colon as content.


def encode_data_event(text: str) -> bytes:
    """Each line of the text needs a line of the event; a client can't tell a carriage return from a
    line feed."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return ("event: data\n" + "".join(f"data:{line}\n" for line in lines) + "\n").encode()


def encode_base64(data: bytes) -> str:
    return b64encode(data).decode()


def encode_control_event(position: int, *, cursor: str, up_to_date: bool, ending: str) -> bytes:
    """`ending` is empty for an open stream; otherwise its state."""
    fields: dict[str, object] = {"streamNextOffset": encode_offset(position)}
    if ending:
        fields |= {"streamClosed": True, "upToDate": True}
        fields |= {"streamState": ending} if ending != CLOSED else {}
    else:
        fields["streamCursor"] = cursor
        fields |= {"upToDate": True} if up_to_date else {}
    return f"event: control\ndata:{json.dumps(fields, separators=(',', ':'))}\n\n".encode()
