"""The routes in docs/architecture.md lead through functions that exist, and stay short."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
ROW = re.compile(r"^\| *(\d+) *\| *\[`([^`]+)`\]\(\.\./([^)]+)\)", re.MULTILINE)
HEAD = "| # | function |"
"""Each process of the route has a table of its own."""
MAX_TOKEN_HOPS = 30
MAX_TURNS_BACK = 1
MAX_POST_FILES = 10

Hop = tuple[str, str]
"""A function, `name` or `Class.name`, and the file that defines it."""


def read_section(heading: str) -> str:
    return PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def read_hops(heading: str) -> list[Hop]:
    rows = ROW.findall(read_section(heading))
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    return [(name, file) for _, name, file in rows]


def count_turns_back(files: list[str]) -> int:
    """How often a route returns to a file that it has left."""
    visits = [file for i, file in enumerate(files) if i == 0 or files[i - 1] != file]
    return len(visits) - len(set(visits))


def defines(file: Path, name: str) -> bool:
    if file.suffix == ".js":
        short = re.escape(name.rsplit(".", 1)[-1])
        return (
            re.search(rf"(?:function\*? |^ +(?:async )?\*?){short}\(", file.read_text(), re.M)
            is not None
        )
    body: list[ast.stmt] = ast.parse(file.read_text()).body
    for part in name.split("."):
        found = [
            node
            for statement in body
            for node in ast.walk(statement)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == part
        ]
        if not found:
            return False
        body = found[0].body
    return True


TOKEN = "One token, from the provider's bytes to the pixel"
POST = "One POST, from the form to the queued stream"


@pytest.mark.parametrize("heading", [TOKEN, POST])
def test_each_function_on_a_route_exists(heading: str) -> None:
    hops = read_hops(heading)
    assert hops
    missing = [f"{file}: {name}" for name, file in hops if not defines(ROOT / file, name)]
    assert missing == []


def test_a_token_takes_few_hops_and_turns_back_once_at_most() -> None:
    assert len(read_hops(TOKEN)) <= MAX_TOKEN_HOPS
    processes = [
        [file for _, _, file in ROW.findall(part)] for part in read_section(TOKEN).split(HEAD)
    ]
    assert sum(map(count_turns_back, processes)) <= MAX_TURNS_BACK


def test_a_post_passes_through_few_files() -> None:
    assert len({file for _, file in read_hops(POST)}) <= MAX_POST_FILES


def test_each_function_linked_beside_a_route_exists() -> None:
    section = read_section(TOKEN) + read_section(POST)
    links = re.findall(r"\[`([^`]+)`\]\(\.\./([^)]+)\)", section)
    assert len(links) > MAX_TOKEN_HOPS
    missing = [f"{file}: {name}" for name, file in links if not defines(ROOT / file, name)]
    assert missing == []


def test_turns_back_are_counted() -> None:
    assert count_turns_back(["a", "a", "b", "b"]) == 0
    assert count_turns_back(["a", "b", "a", "c", "a"]) == 2
