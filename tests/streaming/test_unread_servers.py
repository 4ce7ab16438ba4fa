"""Responses that nobody reads, behind a real Daphne and a real Uvicorn."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse

import pytest
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from streaming.models import Stream
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tests.streaming.event_client import is_broken_off, request_without_reading
from tests.streaming.factories import append_chunks, start_stream
from tools.deployment.deployment import Web
from tools.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

PIECE = "\N{WATER WAVE}" * 14_000
PIECE_COUNT = 8  # 450 KB: more than the systems of both sides hold, and one response has all of it
MAX_UNREAD_BYTES_PER_USER = 130_000
"""More than a server holds of one response that waits: 64 KB and a piece. Of that, its system may
take 70 KB."""
CLIENT_COUNT = 10


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    limit = str(MAX_UNREAD_BYTES_PER_USER)
    with run_web(request, request.param, MAX_UNREAD_BYTES_PER_USER=limit) as web:
        yield web


RequestUnread = Callable[[User, Stream], socket.socket]


@pytest.fixture
def request_unread(web: Web) -> Iterator[RequestUnread]:
    with ExitStack() as stack:

        def request(user: User, stream: Stream) -> socket.socket:
            path = f"/api/streams/{stream.uuid}/events"
            cookie = f"sessionid={create_session_key(user)}"
            return stack.enter_context(request_without_reading(web.port, path, Cookie=cookie))

        yield request


def start_long_stream(user: User) -> Stream:
    stream = start_stream(user)
    append_chunks(stream, *[PIECE] * PIECE_COUNT)
    return stream


def read_body(connection: socket.socket, piece_count: int) -> str:
    """Everything up to so many pieces, or up to the end of the body."""
    response = HTTPResponse(connection)
    response.begin()
    body = ""
    while body.count(PIECE) < piece_count and (line := response.readline().decode()):
        body += line
    return body


def test_unread_responses_of_one_person_are_broken_off_beyond_the_limit(
    request_unread: RequestUnread, owner: User, stranger: User
) -> None:
    foreign = request_unread(stranger, start_long_stream(stranger))
    stream = start_long_stream(owner)
    connections = [request_unread(owner, stream) for _ in range(CLIENT_COUNT)]
    until(lambda: sum(map(is_broken_off, connections)) >= CLIENT_COUNT // 2)
    assert not all(map(is_broken_off, connections))
    assert not is_broken_off(foreign)
    assert read_body(foreign, PIECE_COUNT).count(PIECE) == PIECE_COUNT
