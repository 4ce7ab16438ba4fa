"""Compares a table of doors with the list of the doors that chat adds."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chat.doors.registry import load_doors


def find_missing(names: Iterable[str]) -> set[str]:
    """The packages of the doors that have no entry. An entry is named as people name the door."""
    named = {re.sub(r"\W", "_", name.lower()) for name in names}
    packages = {door.urls.split(".")[2] for door in load_doors()}
    assert packages, "the list of doors is empty"
    return packages - named
