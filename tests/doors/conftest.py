"""A web process for the tests of doors. A test for two servers runs on one of them every day, and
the table of cursors has one state of a stream for each door; `make prove` runs all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.daily import run_one_of_each
from tests.streaming.conftest import run_web
from tools.deployment.deployment import Web

SERVER_NAMES = ("daphne", "uvicorn")


@pytest.fixture(scope="package", params=SERVER_NAMES)
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_one_of_each(items, _find_door)
    run_one_of_each(items, _remove_server_from_name)


def _find_door(item: pytest.Item) -> str | None:
    values = getattr(getattr(item, "callspec", None), "params", {})
    return f"{item.path} {values['door']}" if {"door", "state"} <= values.keys() else None


def _remove_server_from_name(item: pytest.Item) -> str | None:
    if Path(__file__).parent not in item.path.parents:
        return None
    name = item.nodeid
    for server in SERVER_NAMES:
        name = name.replace(f"[{server}-", "[").replace(f"[{server}]", "")
    return name if name != item.nodeid else None
