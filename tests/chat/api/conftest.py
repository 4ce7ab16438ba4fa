"""Programs that use the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token


class Program:
    """Sends JSON with a token, through the whole handler, as over a network."""

    def __init__(self, token: str = "", **headers: str) -> None:
        self.client = Client()
        self.headers = headers | ({"Authorization": f"Bearer {token}"} if token else {})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the response, with `data` for its JSON."""
        response: Any = self.client.generic(
            method,
            f"/api{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=self.headers | {name.replace("_", "-"): v for name, v in headers.items()},
        )
        has_json = "json" in response.headers.get("Content-Type", "")
        response.data = json.loads(response.content) if has_json else None
        return response

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)


def create_program(user: User, *scopes: Scope, **headers: str) -> Program:
    return Program(create_token(user, "Program", scopes or tuple(Scope), None)[1], **headers)


@pytest.fixture
def program(owner: User) -> Program:
    return create_program(owner)


@pytest.fixture
def stranger(colleague: User) -> Program:
    return create_program(colleague)
