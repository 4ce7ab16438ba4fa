"""Every path of event streams, tried on a running server by nobody, a stranger, and the owner."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.api.event_paths import EVENT_PATHS
from streaming.models import Stream
from tests.access.conftest import CANARY
from tests.access.table import EVENT_STREAMS
from tests.access.test_addresses import UNSTABLE
from tests.chat.factories import start_reply
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tests.streaming.event_client import request_events
from tests.streaming.factories import append_chunks, claim_stream, register_worker
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, "daphne") as web:
        yield web


@pytest.fixture
def stream(owner: User) -> Stream:
    stream = claim_stream(start_reply(owner).stream, register_worker())
    append_chunks(stream, f"{CANARY} answer")
    return stream


def read(web: Web, address: str, session: str = "", token: str = "") -> tuple[int, bytes]:
    """The status and the whole answer, without ids."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with request_events(web.port, address, session, **headers) as answer:
        return answer.status, UNSTABLE.sub(b"-", answer.read_body())


def test_every_path_of_event_streams_is_in_the_table() -> None:
    assert EVENT_STREAMS.keys() == EVENT_PATHS.keys()


@pytest.mark.parametrize("path", EVENT_STREAMS)
def test_only_the_owner_reads_an_event_stream(
    web: Web, owner: User, stranger: User, stream: Stream, path: str
) -> None:
    def ask(id: UUID, user: User | None, *, by_token: bool) -> tuple[int, bytes]:
        session = create_session_key(user) if user and not by_token else ""
        token = create_token(user, "Program", list(Scope), None)[1] if user and by_token else ""
        return read(web, EVENT_STREAMS[path] % id, session, token)

    for by_token in (False, True):
        assert ask(stream.uuid, None, by_token=by_token)[0] == 401
        foreign = ask(stream.uuid, stranger, by_token=by_token)
        assert foreign == ask(uuid4(), stranger, by_token=by_token)
        assert b"not_found" in foreign[1]
        assert CANARY.encode() not in foreign[1]
        status, text = ask(stream.uuid, owner, by_token=by_token)
        assert status == 200
        assert CANARY.encode() in text
