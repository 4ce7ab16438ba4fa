"""Every door of the registry is tried with each cursor, through faults, and by clients that never
read."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from chat.doors.registry import load_doors
from tests.chaos.follower import OTHER_DOORS
from tests.chaos.programs import ONE_WAY_DOORS
from tests.doors.doors import DOORS
from tests.doors.registered import find_missing

TABLES = {
    "cursors": [*DOORS],
    "chaos": [tab.door for tab in OTHER_DOORS],
    "clients that never read": [*ONE_WAY_DOORS],
}


@pytest.mark.parametrize("names", TABLES.values(), ids=TABLES)
def test_every_door_is_in_the_table(names: Iterable[str]) -> None:
    assert find_missing(names) == set()


def test_a_door_without_an_entry_is_found() -> None:
    packages = {door.urls.split(".")[2] for door in load_doors()}
    assert find_missing(["socket", "AI SDK"]) == packages - {"ai_sdk"}
