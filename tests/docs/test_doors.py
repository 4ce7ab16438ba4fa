"""The page of doors: its table is the one that the tests make, and no door is missing."""

from __future__ import annotations

import re

import pytest

from chat.doors.registry import load_doors
from tests.docs import doors_table
from tests.docs.named_tests import collect_named_tests

PAGE = doors_table.PAGE.read_text()


@pytest.mark.timeout(300)
def test_the_table_is_that_of_the_tests() -> None:
    table = doors_table.build_table(collect_named_tests())
    assert doors_table.read_table() == table, "run python -m tests.docs.doors_table"


@pytest.mark.timeout(300)
def test_a_proof_that_nothing_runs_is_found() -> None:
    with pytest.raises(LookupError):
        doors_table.build_cell("doors/test_cursors.py::test_nothing", collect_named_tests())


def test_every_ability_is_explained() -> None:
    explained = re.findall(r"^\| (\w+) \| [a-z]", PAGE, re.MULTILINE)
    assert explained == ["ability", *doors_table.ABILITIES]


def test_every_door_has_a_row() -> None:
    names = {door.urls.split(".")[2].replace("_", "-") for door in load_doors()}
    linked = " ".join(doors_table.PROOFS)
    assert {name for name in names if f"{name}.md" not in linked} == set()
