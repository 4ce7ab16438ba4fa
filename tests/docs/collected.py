"""Prints the tests that pytest collects in some files, and how each is run.

python -m tests.docs.collected tests/accounts/test_keys.py
"""

from __future__ import annotations

import json
import sys

import pytest

FOLDERS_BY_MARK = {"page": {"e2e", "js"}, "death": {"chaos", "e2e"}}
"""Where `make test` looks for tests with these marks."""


class Collector:
    """Sorts the variants of each test: `daily`, `prove` or `skipped`, by name."""

    def __init__(self) -> None:
        self.ways: dict[str, set[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = item.nodeid.partition("[")[0].removeprefix("tests/")
            self.ways.setdefault(name, set()).add(find_way(item))


def find_way(item: pytest.Item) -> str:
    if item.get_closest_marker("skip") or any(
        # A text is a condition that only the run can tell.
        not mark.args or mark.args[0]
        for mark in item.iter_markers("skipif")
    ):
        return "skipped"
    folder = item.nodeid.removeprefix("tests/").partition("/")[0]
    marks = [name for name in FOLDERS_BY_MARK if item.get_closest_marker(name)]
    is_found = not marks or any(folder in FOLDERS_BY_MARK[name] for name in marks)
    return "daily" if is_found and not item.get_closest_marker("prove") else "prove"


def main(paths: list[str]) -> int:
    collector = Collector()
    status = pytest.main(["--collect-only", "-qq", "-m", "", *paths], plugins=[collector])
    print()
    print(json.dumps({name: sorted(ways) for name, ways in collector.ways.items()}))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
