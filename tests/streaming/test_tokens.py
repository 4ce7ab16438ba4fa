"""Access tokens at the doors of the engine: what they open, and when it closes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pytest_django.plugin import DjangoDbBlocker
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from accounts.models import User
from accounts.tokens.models import AccessToken, Scope
from accounts.tokens.tokens import create_token
from streaming.doors.session_holder import SESSION_CHECK_SECONDS
from streaming.models import Stream
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tests.streaming.event_client import EventResponse, request_events
from tests.streaming.factories import append_chunks, end_stream, reload_stream, start_stream
from tools.deployment.deployment import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

ALL = tuple(Scope)
HEARTBEAT = ""
SOON_SECONDS = SESSION_CHECK_SECONDS / 2
"""Each connection also checks its token now and then, which is not what these tests are about."""


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


def create(user: User, *scopes: Scope) -> str:
    return create_token(user, "Program", scopes or ALL, None)[1]


@pytest.fixture
def stream(owner: User) -> Stream:
    stream = start_stream(owner)
    append_chunks(stream, "a", "b")
    return stream


# Server-sent events

Read = Callable[..., EventResponse]


@pytest.fixture
def read(web: Web, stream: Stream) -> Iterator[Read]:
    """`read(authorization, session, query)` requests the events of the stream."""
    with ExitStack() as stack:

        def open_response(
            authorization: str, session: str = "", query: str = "", **headers: str
        ) -> EventResponse:
            path = f"/api/streams/{stream.uuid}/events{query}"
            if authorization:
                headers["Authorization"] = authorization
            return stack.enter_context(request_events(web.port, path, session, **headers))

        yield open_response


def test_a_token_reads_without_cookie_and_origin(read: Read, owner: User, stream: Stream) -> None:
    end_stream(stream)
    frames = read(f"Bearer {create(owner, Scope.READ)}", Origin="https://app.example").read_rest()
    assert [frame["type"] for frame in frames] == ["hello", "chunk", "end"]


def test_a_wrong_token_is_refused_even_beside_a_good_cookie(read: Read, owner: User) -> None:
    session = create_session_key(owner)
    good = create(owner)
    for wrong in (
        "Bearer",
        "Bearer ",
        f"Bearer {good}x",
        f"Bearer {session}",
        f"Bearer {good} {good}",
    ):
        answer = read(wrong, session)
        assert (answer.status, json.loads(answer.read_body())["code"]) == (401, "signed_out")
    assert read(f"Basic {good}", session).status == 200  # no token, so the cookie counts


def test_a_token_in_the_address_counts_for_nothing(read: Read, owner: User) -> None:
    token = create(owner)
    for name in ("token", "access_token", "api_key"):
        assert read("", query=f"?{name}={token}").status == 401


def test_a_token_without_the_right_to_read_is_refused(read: Read, owner: User) -> None:
    answer = read(f"Bearer {create(owner, Scope.GATEWAY)}")
    assert (answer.status, json.loads(answer.read_body())["code"]) == (403, "missing_right")


def test_the_token_of_another_person_finds_nothing(read: Read, colleague: User) -> None:
    assert read(f"Bearer {create(colleague)}").status == 404


def test_a_revoked_token_ends_its_response_at_once(web: Web, read: Read, owner: User) -> None:
    row, token = create_token(owner, "Program", ALL, None)
    response = read(f"Bearer {token}")
    response.read_until("state")
    revoke_on_page(web, owner, row)
    blocks = [block.name for block in response.read_blocks()]
    assert blocks in ([], [HEARTBEAT]), "the next check of the token comes after three of them"
    assert read(f"Bearer {token}").status == 401


def revoke_on_page(web: Web, owner: User, token: AccessToken) -> None:
    """The process that has the connections learns of it, as it does of each event on its pages."""
    session = {"sessionid": create_session_key(owner)}
    with httpx2.Client(base_url=web.url, cookies=session) as browser:
        browser.get("/settings/tokens/")
        form = {"token": str(token.pk), "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        answer = browser.post("/settings/tokens/revoke/", data=form, headers={"Origin": web.url})
    assert answer.status_code == 302


def test_the_openapi_document_has_the_event_streams_as_they_are(
    web: Web, owner: User, colleague: User, stream: Stream
) -> None:
    with request_events(web.port, "/api/openapi.json") as answer:
        document = json.loads(answer.read_body())
    paths = {
        path: methods["get"]
        for path, methods in document["paths"].items()
        if "text/event-stream"
        in methods.get("get", {"responses": {}})["responses"].get("200", {}).get("content", {})
    }
    assert {*paths} == {"/api/streams/{id}/events", "/api/streams/events"}
    mine, gateway, theirs = create(owner), create(owner, Scope.GATEWAY), create(colleague)
    for path, operation in paths.items():
        address = path.replace("{id}", str(stream.uuid)) + "?wait=0"
        requests = [(address, mine), (address, "x"), (address, gateway), (f"{address}1", mine)]
        if "{id}" in path:
            requests.append((address, theirs))
        statuses = []
        for asked, token in requests:
            with request_events(web.port, asked, Authorization=f"Bearer {token}") as answer:
                statuses.append(answer.status)
                documented = operation["responses"][str(answer.status)]["content"]
                assert answer.headers["Content-Type"] in documented
                body = answer.read_body()
                if answer.status != 200:
                    required = document["components"]["schemas"]["EventError"]["required"]
                    assert json.loads(body).keys() >= {*required}
        assert statuses == [200, 401, 403, 400, 404][: len(requests)]


# The socket


@pytest.fixture
def open_socket(web: Web) -> Iterator[Callable[..., ClientConnection]]:
    with ExitStack() as stack:

        def open_connection(token: str, **options: Any) -> ClientConnection:
            return stack.enter_context(
                connect(
                    web.url.replace("http", "ws") + "/ws/",
                    additional_headers={"Authorization": f"Bearer {token}"},
                    proxy=None,
                    **options,
                )
            )

        yield open_connection


def exchange(socket: ClientConnection, **command: Any) -> dict[str, Any]:
    """Send a command, and return the next frame that is no ping."""
    socket.send(json.dumps(command))
    while (frame := json.loads(socket.recv(10)))["type"] == "ping":
        pass
    return dict(frame)


def read_close_code(socket: ClientConnection, timeout: float = 10) -> int | None:
    with suppress(ConnectionClosed):
        while socket.recv(timeout):
            pass
    return socket.close_code


@pytest.mark.parametrize("origin", [None, "https://app.example"])
def test_a_token_opens_a_socket_from_anywhere(
    open_socket: Callable[..., ClientConnection], owner: User, stream: Stream, origin: str | None
) -> None:
    socket = open_socket(create(owner, Scope.READ), origin=origin)
    assert json.loads(socket.recv(10))["type"] == "hello"
    assert exchange(socket, type="follow", stream=str(stream.uuid))["type"] == "chunk"


def test_a_socket_needs_the_right_to_write_to_stop(
    open_socket: Callable[..., ClientConnection], owner: User, stream: Stream
) -> None:
    reader, writer = open_socket(create(owner, Scope.READ)), open_socket(create(owner))
    for socket in (reader, writer):
        assert json.loads(socket.recv(10))["type"] == "hello"
    refusal = exchange(reader, type="stop", stream=str(stream.uuid))
    assert (refusal["type"], refusal["code"]) == ("error", "missing_right")
    assert refusal["stream"] == str(stream.uuid)
    assert reload_stream(stream).ended_at is None
    writer.send(json.dumps({"type": "stop", "stream": str(stream.uuid)}))
    assert exchange(writer, type="ping", n=1)["type"] == "pong"
    assert reload_stream(stream).ended_at is not None


def test_a_refused_token_closes_its_socket_with_the_reason(
    open_socket: Callable[..., ClientConnection], owner: User
) -> None:
    assert read_close_code(open_socket("hft_" + "a" * 43)) == 4401
    assert read_close_code(open_socket(create(owner, Scope.GATEWAY))) == 4403


def test_a_revoked_token_closes_its_sockets_at_once(
    web: Web, open_socket: Callable[..., ClientConnection], owner: User
) -> None:
    row, token = create_token(owner, "Program", ALL, None)
    socket, other = open_socket(token), open_socket(create(owner))
    assert json.loads(socket.recv(10))["type"] == "hello"
    assert json.loads(other.recv(10))["type"] == "hello"
    revoke_on_page(web, owner, row)
    assert read_close_code(socket, SOON_SECONDS) == 4401
    assert exchange(other, type="ping", n=1)["type"] == "pong"


# The limit of a token

LIMIT = 4


@pytest.fixture
def strict_web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, "daphne", MAX_TOKEN_REQUESTS_PER_MINUTE=str(LIMIT)) as web:
        yield web


def test_event_streams_sockets_and_requests_count_together(
    strict_web: Web, owner: User, stream: Stream
) -> None:
    token = create(owner, Scope.READ)
    headers = {"Authorization": f"Bearer {token}"}
    paths = [f"/api/streams/{stream.uuid}/events", "/api/streams/events", "/api/keys"]

    def open_socket() -> ClientConnection:
        address = strict_web.url.replace("http", "ws") + "/ws/"
        return connect(address, additional_headers=headers, proxy=None)

    with open_socket() as socket:
        assert json.loads(socket.recv(10))["type"] == "hello"
        for path in paths:
            with request_events(strict_web.port, path, **headers) as answer:
                assert answer.status == 200
        for path in paths:
            with request_events(strict_web.port, path, **headers) as answer:
                refused = answer.status, json.loads(answer.read_body())["code"]
                assert refused == (429, "too_many")
                assert 0 < int(answer.headers["Retry-After"]) <= 60
        with open_socket() as refused_socket:
            assert read_close_code(refused_socket) == 4031
        follow = exchange(socket, type="follow", stream=str(stream.uuid))
        assert follow["type"] in {"state", "chunk"}, "frames have limits of their own"


def test_a_cookie_from_another_origin_still_opens_no_socket(web: Web, owner: User) -> None:
    headers = {"Cookie": f"sessionid={create_session_key(owner)}", "X-Request": str(uuid4())}
    with (
        pytest.raises(InvalidStatus),
        connect(
            web.url.replace("http", "ws") + "/ws/",
            additional_headers=headers,
            origin=Origin("https://app.example"),
            proxy=None,
        ),
    ):
        pass
