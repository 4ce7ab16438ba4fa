"""Programs that write and read streams."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token

PATH = "/v1/stream/"
TEXT = "text/plain"
JSON = "application/json"


class StreamClient:
    """Sends requests of the protocol with a token, through the whole handler."""

    def __init__(self, token: str) -> None:
        self.client = Client()
        self.token = token

    def send(
        self, method: str, name: str, body: bytes = b"", content_type: str = TEXT, **headers: str
    ) -> Any:
        """`name` may have a query; underscores of header names stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(
            method,
            PATH + name,
            body,
            content_type=content_type,
            CONTENT_TYPE=content_type,  # also without a body
            headers=sent | {"Authorization": f"Bearer {self.token}"},
        )

    def create(self, name: str, body: bytes = b"", content_type: str = TEXT, **headers: str) -> Any:
        response = self.send("PUT", name, body, content_type, **headers)
        assert response.status_code == 201, response.content
        return response

    def append(self, name: str, body: bytes, content_type: str = TEXT, **headers: str) -> Any:
        return self.send("POST", name, body, content_type, **headers)

    def read(self, name: str) -> bytes:
        response = self.send("GET", name)
        assert response.status_code == 200, response.content
        content: bytes = response.content
        return content

    def read_all(self, name: str) -> tuple[list[bytes], str]:
        """All pages, and the last offset."""
        pages, offset = [], "-1"
        while True:
            response = self.send("GET", f"{name}?offset={offset}")
            assert response.status_code == 200, response.content
            pages.append(response.content)
            offset = response.headers["Stream-Next-Offset"]
            if "Stream-Up-To-Date" in response.headers:
                return pages, offset


def create_client(user: User, *scopes: Scope) -> StreamClient:
    return StreamClient(create_token(user, "Program", scopes or tuple(Scope), None)[1])


@pytest.fixture
def program(owner: User) -> StreamClient:
    return create_client(owner)


@pytest.fixture
def foreign_program(colleague: User) -> StreamClient:
    return create_client(colleague)
