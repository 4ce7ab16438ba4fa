"""The page of doors: its table is the one that the tests make, and no door is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chat.doors.registry import load_doors
from tests.docs import doors_table
from tests.docs.named_tests import collect_named_tests

PAGE = doors_table.PAGE.read_text()
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_table_is_that_of_the_tests() -> None:
    table = doors_table.build_table(collect_named_tests())
    assert doors_table.read_table() == table, "run python -m tests.docs.doors_table"


@pytest.mark.timeout(300)
def test_a_proof_that_nothing_runs_is_found() -> None:
    with pytest.raises(LookupError):
        doors_table.build_cell("doors/test_cursors.py::test_nothing", collect_named_tests())


def test_every_ability_is_explained() -> None:
    table = PAGE.partition("| ability |")[2].partition("\n\n")[0]
    explained = re.findall(r"^\| (\w+) \| [a-z]", table, re.MULTILINE)
    assert explained == [*doors_table.ABILITIES]


def test_every_door_has_a_row() -> None:
    names = {door.urls.split(".")[2].replace("_", "-") for door in load_doors()}
    linked = " ".join(doors_table.PROOFS)
    assert {name for name in names if f"{name}.md" not in linked} == set()


def to_model(door: str) -> str:
    """How the names of its models begin."""
    return "".join(part.title() for part in door.removesuffix("_streams").split("_"))


def test_the_page_lists_the_files_outside_the_doors_that_name_one() -> None:
    """Such as those with the tables of all of chat. Adding a door changes these, or none."""
    folder = ROOT / "chat" / "doors"
    doors = [door.urls.split(".")[2] for door in load_doors()]
    found: dict[str, list[str]] = {}
    for part in ("accounts", "chat", "config", "streaming"):
        for file in (ROOT / part).rglob("*.py"):
            text = "" if file.is_relative_to(folder) else file.read_text()
            named = {
                d for d in doors if f"chat.doors.{d}" in text or f'"chat.{to_model(d)}' in text
            }
            if named:
                found[str(file.relative_to(ROOT))] = sorted(named)
    rows = re.findall(r"^\| \[`(chat/.+?)`\]\(.+?\) \| .+? \| (.+?) \|$", PAGE, re.MULTILINE)
    assert {file: sorted(names.split(", ")) for file, names in rows} == found
