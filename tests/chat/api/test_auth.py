"""The API is for programs with a token and for our own pages. All others get an error."""

from __future__ import annotations

import json
from io import BytesIO
from uuid import uuid4

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.test import Client

from accounts.memory_limits import FormLimiter
from accounts.models import AccessToken, User
from accounts.tokens import limits
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.api.event_paths import EVENT_PATHS
from chat.api.problems import Problem
from tests.chat.api.conftest import Program, create_program
from tests.factories import create_session_key

pytestmark = pytest.mark.django_db
QUESTION = {"text": "Why do tides come twice a day?", "model": "demo-fast"}
PAGE = {"Origin": "http://testserver", "Host": "testserver"}


def create_page(user: User, **headers: str) -> Program:
    """A page of ours in a browser, which sends a cookie."""
    page = Program(**headers)
    page.client.cookies["sessionid"] = create_session_key(user)
    return page


def test_nobody_gets_nothing(db: None) -> None:
    answer = Program().get("/conversations")
    assert (answer.status_code, answer.data["code"]) == (401, "signed_out")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["hft_" + "a" * 43, "x", "\0"])
def test_a_wrong_token_is_refused_even_beside_a_good_cookie(owner: User, token: str) -> None:
    page = create_page(owner, Authorization=f"Bearer {token}", **PAGE)
    assert page.get("/conversations").status_code == 401


@pytest.mark.parametrize(
    ("scope", "method", "status"),
    [
        (Scope.READ, "GET", 200),
        (Scope.READ, "POST", 403),
        (Scope.WRITE, "GET", 200),
        (Scope.WRITE, "POST", 201),
        (Scope.GATEWAY, "GET", 403),
        (Scope.GATEWAY, "POST", 403),
    ],
)
def test_each_right_allows_its_part(owner: User, scope: Scope, method: str, status: int) -> None:
    body = QUESTION if method == "POST" else None
    answer = create_program(owner, scope).send(method, "/conversations", body)
    assert answer.status_code == status
    if status == 403:
        assert answer.data["code"] == "missing_right"


def test_a_page_of_ours_may_use_its_cookie(owner: User) -> None:
    page = create_page(owner, **PAGE)
    assert page.get("/conversations").status_code == 200
    assert page.post("/conversations", QUESTION).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://testserver:444"},
    ],
)
def test_a_page_of_another_site_may_not(owner: User, headers: dict[str, str]) -> None:
    page = create_page(owner, **headers)
    for answer in (page.get("/conversations"), page.post("/conversations", QUESTION)):
        assert (answer.status_code, answer.data["code"]) == (403, "foreign_page")


def test_a_cookie_without_an_origin_changes_nothing(owner: User) -> None:
    page = create_page(owner)
    assert page.get("/conversations").status_code == 200
    assert page.post("/conversations", QUESTION).status_code == 403


def test_a_token_needs_neither_origin_nor_form_token(owner: User) -> None:
    program = create_program(owner, Origin="https://app.example")
    program.client = Client(enforce_csrf_checks=True)
    assert program.post("/conversations", QUESTION).status_code == 201


def test_a_token_has_a_limit_of_its_own(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_limiter", FormLimiter(2, max_of_all=0))
    first, second = create_program(owner), create_program(owner)
    assert [first.get("/keys").status_code for _ in range(3)] == [200, 200, 429]
    refused = first.get("/keys")
    assert refused.data["code"] == "too_many"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert second.get("/keys").status_code == 200


def test_each_refusal_is_an_exception_of_its_own(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is raised again and again would hold all of its requests."""
    raised: list[Problem] = []
    to_response = Problem.to_response

    def record(problem: Problem) -> HttpResponse:
        raised.append(problem)
        return to_response(problem)

    monkeypatch.setattr(Problem, "to_response", record)
    for _ in range(2):
        Program("hft_" + "a" * 43).get("/keys")
        create_page(owner, Origin="null").get("/keys")
        create_program(owner, Scope.GATEWAY).get("/keys")
        create_program(owner).get(f"/messages/{uuid4()}")
    assert len(raised) == len({*raised}) == 8


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "text/json"])
def test_a_body_that_is_not_json_is_refused(owner: User, kind: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--x--\r\n'
    program = create_program(owner)
    for path in ("/api/conversations", f"/api/streams/{uuid4()}/stop"):
        answer = program.client.generic(
            "POST", path, body, kind, headers=program.headers | {"Idempotency-Key": "k"}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "no_json")


@pytest.mark.parametrize("path", ["/api/conversations", "/api/ag-ui/", "/api/chat"])
@pytest.mark.parametrize("body", [b"{}", b""])
def test_a_body_in_chunks_is_no_exception(owner: User, path: str, body: bytes) -> None:
    """It has no Content-Length."""
    token = create_token(owner, "Program", [Scope.WRITE], None)[1]
    headers = [
        (b"host", b"testserver"),
        (b"authorization", f"Bearer {token}".encode()),
        (b"content-type", b"text/plain"),
        (b"transfer-encoding", b"chunked"),
    ]
    handler = BaseHandler()
    handler.load_middleware()
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    answer = handler.get_response(ASGIRequest(scope, BytesIO(body)))
    assert (answer.status_code == 415) == bool(body)


def test_a_refused_body_counts_for_the_limit_of_its_token(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_limiter", FormLimiter(1, max_of_all=0))
    program = create_program(owner)
    statuses = [
        program.client.generic(
            "POST", "/api/conversations", b"x", "text/plain", headers=program.headers
        ).status_code
        for _ in range(2)
    ]
    assert statuses == [415, 429]


def test_a_use_is_recorded(owner: User) -> None:
    _, token = create_token(owner, "Program", [Scope.READ], None)
    Program(token).get("/keys")
    assert AccessToken.objects.get().last_used_at is not None


def test_every_operation_asks_who_it_is(db: None) -> None:
    """An operation without it would be open to everybody."""
    paths = json.loads(Client().get("/api/openapi.json").content)["paths"]
    assert paths.keys() >= EVENT_PATHS.keys()  # those are asked in tests/streaming/test_tokens.py
    operations = [
        (method, path)
        for path, methods in paths.items()
        for method in methods
        if path not in EVENT_PATHS
    ]
    assert len(operations) > 10
    for method, path in operations:
        known = path.removeprefix("/api").replace("{id}", str(uuid4()))
        assert Program().send(method.upper(), known, {}).status_code == 401, (method, path)


def test_the_document_names_every_operation(owner: User) -> None:
    document = json.loads(Client().get("/api/openapi.json").content)
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert "/api/conversations/{id}/messages" in paths
    assert "hasApiKey" in json.dumps(document)
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["summary"], (path, method)
