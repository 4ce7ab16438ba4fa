"""A test for two servers runs on one of them every day; `make prove` runs it on the other, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daily import run_one_of_each

SERVER_NAMES = ("daphne", "uvicorn")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_one_of_each(items, _remove_server_from_name)


def _remove_server_from_name(item: pytest.Item) -> str | None:
    if Path(__file__).parent not in item.path.parents:
        return None
    name = item.nodeid
    for server in SERVER_NAMES:
        name = name.replace(f"[{server}-", "[")
    return name if name != item.nodeid else None
