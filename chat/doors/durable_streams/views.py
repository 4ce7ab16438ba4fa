"""The views of the door. Its errors are those of the JSON API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.tokens.models import Scope
from chat.access import get_stream_or_404
from chat.api.auth import authenticate_program
from chat.api.problems import Problem
from chat.doors.durable_streams import protocol, replies, writing
from chat.doors.durable_streams.answers import (
    EventsResponse,
    LongPollResponse,
    ReadableStream,
    build_ending_headers,
    build_page_response,
)
from chat.doors.durable_streams.live import follow_durable_stream
from chat.doors.durable_streams.models import DurableStream
from chat.doors.durable_streams.reading import Page, read_page
from chat.doors.durable_streams.requests import (
    ReadRequest,
    build_bad_cursor,
    check_name,
    parse_addition,
    parse_creation,
    parse_reading,
)
from chat.doors.durable_streams.space import extend_life
from chat.doors.errors import answer_errors, build_too_many

READ_METHODS = frozenset({"GET", "HEAD"})
View = Callable[..., HttpResponseBase]


def for_programs(view: View) -> View:
    """Find the user of the token, and answer errors."""

    @answer_errors(Problem.to_response)
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: str | UUID) -> HttpResponseBase:
        needed = Scope.READ if request.method in READ_METHODS else Scope.WRITE
        return view(request, authenticate_program(request, needed), **kwargs)

    return csrf_exempt(guarded)


@for_programs
@require_http_methods(["GET", "HEAD", "PUT", "POST", "DELETE"])
def durable_stream(request: HttpRequest, user: User, name: str) -> HttpResponseBase:
    match request.method:
        case "PUT":
            return _create(request, user, name)
        case "POST":
            return _append(request, user, name)
        case "DELETE":
            writing.delete(user, name)
            return _build_empty(204)
    stream = writing.find_stream(user, name)
    if request.method == "HEAD":
        return _describe(stream)
    reading = parse_reading(request)
    extend_life(stream)
    return answer_reading(
        request, user, _build_readable(stream), reading, lambda at: read_page(stream, at)
    )


@for_programs
@require_http_methods(["GET", "HEAD"])
def durable_reply(request: HttpRequest, user: User, id: UUID) -> HttpResponseBase:
    stream = get_stream_or_404(user, id)
    source = replies.build_readable(stream)
    if request.method == "HEAD":
        return describe_stream(source)
    reading = parse_reading(request)
    replies.check_position(stream, reading.position)
    return answer_reading(
        request, user, source, reading, lambda at: replies.read_reply_page(stream, at)
    )


def answer_reading(
    request: HttpRequest,
    user: User,
    source: ReadableStream,
    reading: ReadRequest,
    read: Callable[[int], Page],
) -> HttpResponseBase:
    """Answer a GET of any stream. `read` returns the page after a position."""
    position = source.tail if reading.position is None else reading.position
    if position > source.tail:
        raise build_bad_cursor(_("The offset is past the end of the stream."))
    if reading.mode:
        answer = LongPollResponse if reading.mode == "long-poll" else EventsResponse
        return answer(
            source, user, position, reading.cursor, refusal=build_too_many().to_response()
        )
    response = build_page_response(request, source, read(position))
    if reading.position is None:
        del response.headers["ETag"]
        response.headers["Cache-Control"] = "no-store"
    return response


def _build_empty(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    response = HttpResponse(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def describe_stream(source: ReadableStream) -> HttpResponse:
    """The answer to a HEAD."""
    headers = {
        "Cache-Control": "no-store",
        protocol.NEXT_OFFSET: protocol.encode_offset(source.tail),
        **build_ending_headers(source.ending),
    }
    return HttpResponse(content_type=source.content_type, headers=headers)


def _create(request: HttpRequest, user: User, name: str) -> HttpResponse:
    check_name(name)
    written = writing.create(user, name, parse_creation(request))
    response = describe_stream(_build_readable(written.stream))
    if written.is_new:
        response.status_code = 201
        response.headers["Location"] = request.build_absolute_uri(request.path)
    return response


def _append(request: HttpRequest, user: User, name: str) -> HttpResponse:
    """200 for new content of a producer, otherwise 204: the protocol says so."""
    addition = parse_addition(request)
    written = writing.append(user, name, addition)
    producer = addition.producer
    headers = {protocol.NEXT_OFFSET: protocol.encode_offset(written.stream.tail)}
    if producer is not None:
        headers[protocol.PRODUCER_EPOCH] = str(producer.epoch)
        headers[protocol.PRODUCER_SEQ] = str(written.last_sequence)
    if written.stream.is_closed:
        headers[protocol.CLOSED] = "true"
    is_counted = written.is_new and producer is not None and addition.body
    return _build_empty(200 if is_counted else 204, headers)


def _describe(stream: DurableStream) -> HttpResponse:
    response = describe_stream(_build_readable(stream))
    if stream.ttl_seconds is not None:
        response.headers[protocol.TTL] = str(stream.ttl_seconds)
    if stream.expiry_text:
        response.headers[protocol.EXPIRES_AT] = stream.expiry_text
    return response


def _build_readable(stream: DurableStream) -> ReadableStream:
    return ReadableStream(
        tag=str(stream.pk),
        content_type=stream.content_type,
        tail=stream.tail,
        ending=protocol.CLOSED if stream.is_closed else "",
        follow=lambda position: follow_durable_stream(stream, position),
    )
