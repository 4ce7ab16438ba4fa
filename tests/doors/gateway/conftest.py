"""Programs that use OpenAI's own SDK against a web process whose replies the tests write."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from openai import OpenAI

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from tests.doors.gateway.program import Program
from tools.deployment.deployment import Web

CreateClient = Callable[[User], OpenAI]


@pytest.fixture
def create_client(web: Web) -> Iterator[CreateClient]:
    """`create_client(user)` returns an SDK with a token of this user."""
    clients: list[OpenAI] = []

    def create(user: User) -> OpenAI:
        token = create_token(user, "Program", [Scope.GATEWAY], None)[1]
        clients.append(OpenAI(base_url=f"{web.url}/v1", api_key=token, max_retries=0, timeout=20))
        return clients[-1]

    yield create
    for client in clients:
        client.close()


@pytest.fixture
def client(create_client: CreateClient, owner: User) -> OpenAI:
    """The SDK with a token of the owner."""
    return create_client(owner)


@pytest.fixture
def program(owner: User) -> Program:
    """Requests of the owner without a web process, for answers that are no stream."""
    return Program.of(owner)
