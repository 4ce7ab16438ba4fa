"""Front ends of the owner, on each of the two servers. The tests write the text of the replies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from streaming import hub as hubs
from tests.doors.ai_sdk.client import (
    UIMessageResponse,
    build_body,
    open_response,
)
from tests.doors.ai_sdk.replies import QUESTION
from tests.streaming.conftest import run_web
from tools.deployment.deployment import Web


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


@pytest.fixture(scope="module", autouse=True)
def notify_servers() -> Iterator[None]:
    """Followers learn at once of the text that this process writes, as from a worker."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def open_hub() -> None:
        hubs.get_hub()

    asyncio.run_coroutine_threadsafe(open_hub(), loop).result()
    yield
    asyncio.run_coroutine_threadsafe(hubs.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


Ask = Callable[..., UIMessageResponse]


@pytest.fixture
def token(owner: User) -> str:
    return create_token(owner, "Front end", [Scope.READ, Scope.WRITE], None)[1]


@pytest.fixture
def call(web: Web, token: str) -> Iterator[Ask]:
    """`call(method, path, body)` opens a response to the owner's front end."""
    with ExitStack() as stack:

        def open_for_owner(
            method: str, path: str, body: Any = None, *, token: str = token, **headers: str
        ) -> UIMessageResponse:
            named = {"Authorization": f"Bearer {token}"} | headers
            return stack.enter_context(open_response(web.port, method, path, body, **named))

        yield open_for_owner


@pytest.fixture
def ask(call: Ask) -> Ask:
    """`ask(chat, *messages, **fields)` sends messages as the stock transports do."""
    return lambda chat, *messages, **fields: call(
        "POST", "/api/chat", build_body(chat, *(messages or [QUESTION]), **fields)
    )
