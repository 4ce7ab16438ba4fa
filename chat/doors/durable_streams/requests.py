"""The headers and parameters of a request, as values. Raises Problem for the malformed ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat.api.problems import Problem
from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.models import MAX_HEADER_CHARS, MAX_STREAM_NAME_CHARS

PATH = "/v1/stream/"
REPLIES = "replies/"
RESERVED = ("__ds", "__ds/", REPLIES)
MAX_SAFE_INTEGER = 2**53 - 1
MAX_TTL_SECONDS = 100 * 366 * 24 * 60 * 60
MAX_APPEND_BYTES = 2**20
"""Bytes of one request, so that a page of a reader is bounded."""
NUMBER = re.compile(r"0|[1-9][0-9]{0,16}", re.ASCII)
DIGITS = re.compile(r"[0-9]{1,17}", re.ASCII)
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\s*(;.*)?", re.ASCII)
DEFAULT_TYPE = "application/octet-stream"
MODES = frozenset({"", "long-poll", "sse"})


@dataclass(frozen=True, slots=True)
class Producer:
    """A writer that numbers its requests."""

    id: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Fork:
    """`offset` is None for the end of the source."""

    source_name: str
    offset: int | None
    sub_offset: int


@dataclass(frozen=True, slots=True)
class Creation:
    """`content_type` is empty for a fork that takes that of its source."""

    content_type: str
    ttl_seconds: int | None
    expiry_text: str
    expires_at: datetime | None
    closes: bool
    fork: Fork | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Addition:
    content_type: str
    sequence: str
    producer: Producer | None
    closes: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """`position` is None for the end of the stream as it is now."""

    position: int | None
    mode: str
    cursor: str


def build_bad_request(text: str | Promise) -> Problem:
    return Problem(400, "bad_request", text)


def build_bad_cursor(text: str | Promise) -> Problem:
    return Problem(400, "bad_cursor", text)


def parse_creation(request: HttpRequest) -> Creation:
    headers = request.headers
    ttl, expiry = headers.get(protocol.TTL, ""), headers.get(protocol.EXPIRES_AT, "")
    if ttl and expiry:
        raise build_bad_request(_("Send a Stream-TTL or a Stream-Expires-At, not both."))
    fork = _parse_fork(request)
    content_type = headers.get("Content-Type", "").strip() or ("" if fork else DEFAULT_TYPE)
    if content_type and not MEDIA_TYPE.fullmatch(content_type):
        raise build_bad_request(_("The Content-Type is no media type."))
    return Creation(
        _limit(content_type),
        _parse_ttl(ttl),
        _limit(expiry),
        _parse_expiry(expiry),
        _closes(request),
        fork,
        _read_body(request),
    )


def parse_addition(request: HttpRequest) -> Addition:
    addition = Addition(
        request.headers.get("Content-Type", "").strip(),
        _limit(request.headers.get(protocol.SEQUENCE, "")),
        _parse_producer(request),
        _closes(request),
        _read_body(request),
    )
    if not addition.body and not addition.closes:
        raise build_bad_request(_("The body is empty. Only a request that closes needs none."))
    if addition.body and not addition.content_type:
        raise build_bad_request(_("The Content-Type is missing."))
    return addition


def parse_reading(request: HttpRequest) -> ReadRequest:
    offsets = request.GET.getlist("offset")
    mode = request.GET.get("live", "")
    if len(offsets) > 1:
        raise build_bad_cursor(_("Send one offset."))
    if mode not in MODES:
        raise build_bad_request(_("“live” is “long-poll” or “sse”."))
    if mode and not offsets:
        raise build_bad_request(_("A live request needs an offset."))
    offset = offsets[0] if offsets else protocol.START
    position = 0 if offset == protocol.START else protocol.decode_offset(offset)
    if position is None and offset != protocol.NOW:
        raise build_bad_cursor(_("The offset is not one of this server."))
    return ReadRequest(position, mode, request.GET.get("cursor", ""))


def check_name(name: str) -> None:
    if name.startswith(RESERVED):
        text = _("Names that begin with “replies/” or “__ds” are not for streams of programs.")
        raise Problem(403, "reserved_name", text)
    if len(name) > MAX_STREAM_NAME_CHARS:
        text = _("The name of a stream may have up to %(count)s characters.")
        raise build_bad_request(text % {"count": MAX_STREAM_NAME_CHARS})


def _closes(request: HttpRequest) -> bool:
    return request.headers.get(protocol.CLOSED, "").lower() == "true"


def _read_body(request: HttpRequest) -> bytes:
    if len(request.body) > MAX_APPEND_BYTES:
        text = _("A request may write up to %(count)s bytes. Send several.")
        raise Problem(413, "too_large", text % {"count": MAX_APPEND_BYTES})
    return request.body


def _limit(value: str) -> str:
    if len(value) > MAX_HEADER_CHARS:
        text = _("A header has more than %(count)s characters.")
        raise build_bad_request(text % {"count": MAX_HEADER_CHARS})
    return value


def _parse_ttl(text: str) -> int | None:
    if not text:
        return None
    if not NUMBER.fullmatch(text) or int(text) > MAX_TTL_SECONDS:
        raise build_bad_request(_("The Stream-TTL is no number of seconds up to a century."))
    return int(text)


def _parse_expiry(text: str) -> datetime | None:
    """An RFC 3339 time has a zone."""
    if not text:
        return None
    try:
        time = parse_datetime(text)
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: a zone leads out of the years 1 to 9999
        pass
    raise build_bad_request(_("The Stream-Expires-At is no time as in RFC 3339."))


def _parse_fork(request: HttpRequest) -> Fork | None:
    path = request.headers.get(protocol.FORKED_FROM, "")
    sub_offset = request.headers.get(protocol.FORK_SUB_OFFSET)
    if not path:
        if sub_offset is not None:
            raise build_bad_request(_("A Stream-Fork-Sub-Offset needs a Stream-Forked-From."))
        return None
    if sub_offset is not None and not NUMBER.fullmatch(sub_offset):
        raise build_bad_request(_("The Stream-Fork-Sub-Offset is no whole number."))
    offset = request.headers.get(protocol.FORK_OFFSET, "")
    position = protocol.decode_offset(offset) if offset else None
    if offset and position is None:
        raise build_bad_request(_("The Stream-Fork-Offset is not one of this server."))
    name = unquote(path)[len(PATH) :].replace("\0", "") if path.startswith(PATH) else ""
    return Fork(name, position, int(sub_offset or 0))


def _parse_producer(request: HttpRequest) -> Producer | None:
    names = (protocol.PRODUCER_ID, protocol.PRODUCER_EPOCH, protocol.PRODUCER_SEQ)
    id, *numbers = (request.headers.get(name) for name in names)
    if id is None and numbers == [None, None]:
        return None
    if not id or None in numbers:
        raise build_bad_request(
            _("Send Producer-Id, Producer-Epoch and Producer-Seq together, none of them empty.")
        )
    for number in numbers:
        if not DIGITS.fullmatch(str(number)) or int(str(number)) > MAX_SAFE_INTEGER:
            raise build_bad_request(
                _("Producer-Epoch and Producer-Seq are whole numbers up to 2^53 − 1.")
            )
    return Producer(_limit(id), *(int(str(number)) for number in numbers))
