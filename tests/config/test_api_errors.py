"""Errors of the API have one shape, wherever they are made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.api_errors import shape_api_errors

Message = dict[str, Any]


async def request(path: str, status: int, kind: str, method: str = "GET") -> list[Message]:
    sent: list[Message] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind.encode()), (b"retry-after", b"5"), (b"set-cookie", b"x")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await send({"type": "http.response.body", "body": b"second"})

    async def send(message: Message) -> None:
        sent.append(message)

    await shape_api_errors(app)({"path": path, "method": method, "headers": []}, None, send)
    return sent


@pytest.mark.parametrize("status", [400, 404, 405, 413, 418, 500, 503])
async def test_a_page_or_text_becomes_a_problem(status: int) -> None:
    start, body, rest = await request("/api/conversations", status, "text/html; charset=utf-8")
    headers = dict(start["headers"])
    problem = json.loads(body["body"])
    assert (start["status"], problem["status"]) == (status, status)
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert headers[b"retry-after"] == b"5"
    assert b"set-cookie" not in headers
    assert problem["code"]
    assert problem["detail"].endswith(".")
    # A refused upload is read between the two parts.
    assert (body["more_body"], rest.get("more_body", False), rest["body"]) == (True, False, b"")


async def test_an_answer_to_head_has_no_body() -> None:
    _start, *parts = await request("/api/x", 404, "text/html", "HEAD")
    assert [part["body"] for part in parts] == [b"", b""]


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/x", 200, "text/event-stream"),
        ("/api/x", 422, "application/problem+json"),
        ("/api/x", 404, "application/json"),
        ("/c/", 404, "text/html"),
        ("/apidocs", 404, "text/html"),
    ],
)
async def test_everything_else_stays(path: str, status: int, kind: str) -> None:
    start, first, second = await request(path, status, kind)
    assert start["status"] == status
    assert first["body"] + second["body"] == b"first second"
