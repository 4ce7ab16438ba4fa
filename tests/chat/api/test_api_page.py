"""docs/api.md names the operations that exist, and its program works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.api.api import api
from chat.api.event_paths import EVENT_PATHS
from streaming.models import Stream
from tests.chat.api.conftest import Program
from tests.streaming.conftest import run_web
from tests.streaming.factories import append_chunks, claim_stream, end_stream, register_worker
from tools.deployment.deployment import Web
from tools.waiting import until

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
REQUEST = re.compile(r"`(GET|POST|PATCH|DELETE) (/api/[^`? ]*)")


def list_operations() -> set[tuple[str, str]]:
    paths = api.get_openapi_schema()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_the_page_lists_every_operation_and_no_other() -> None:
    [table] = re.findall(r"## Operations\n(.*?)\n## ", PAGE, re.DOTALL)
    assert {*REQUEST.findall(table)} == list_operations()


def read_map() -> dict[str, list[tuple[str, str]]]:
    """The requests of each name of the sketch."""
    [table] = re.findall(r"## Names of the original sketch\n(.*?)\n## ", PAGE, re.DOTALL)
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("|")][2:]
    return {name.strip(" `"): REQUEST.findall(here) for name, here in rows}


@pytest.mark.django_db(transaction=True)
def test_every_name_of_the_sketch_leads_to_an_operation_that_works(
    program: Program, stranger: Program
) -> None:
    named = read_map()
    assert [*named] == [
        "startConversation",
        "getUserConversations",
        "getConversationWithMessages",
        "addUserMessage",
        "getApiKeyInfo",
        "validateModelSupport",
        "getStreamChunks",
        "subscribeToStream",
        "the streaming POST",
    ]
    ids: dict[str, str] = {}
    for requests in named.values():
        for method, path in requests:
            assert (method, path) in list_operations()
            if path in EVENT_PATHS:
                continue  # the program below follows them
            kind = path.removeprefix("/api/").partition("/")[0]
            where = path.removeprefix("/api").replace("{id}", ids.get(kind, ""))
            query = "?model=demo" if "support" in path else ""
            body = {"text": "Hello", "model": "demo"} if method == "POST" else None
            answer = program.send(method, where + query, body)
            assert answer.status_code in (200, 201), (path, answer.content)
            assert Program().send(method, where + query, body).status_code == 401
            if "{id}" in path:
                assert stranger.send(method, where + query, body).status_code == 404
            if answer.status_code == 201:
                ids["conversations"] = answer.data["conversation"]["id"]
                ids["streams"] = answer.data["answer"]["stream"]["id"]


@pytest.fixture(scope="module")
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, "daphne") as web:
        yield web


@pytest.mark.django_db(transaction=True)
def test_the_program_of_the_page_reads_a_whole_reply(web: Web, owner: User) -> None:
    names: dict[str, Any] = {}
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, names)
    token = create_token(owner, "Program", [Scope.READ, Scope.WRITE], None)[1]
    with ThreadPoolExecutor(1) as programs:
        asked = programs.submit(names["ask"], web.url, token, "Why tides?", "demo-fast")
        until(lambda: Stream.objects.exists() or asked.done())
        stream = claim_stream(Stream.objects.get(), register_worker())
        append_chunks(stream, "The ", "moon", ".")
        end_stream(stream)
        assert asked.result(30) == "The moon."
