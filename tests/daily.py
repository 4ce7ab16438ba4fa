"""Selects one of several similar tests for every day. `make prove` runs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from zlib import crc32

import pytest


def run_one_of_each(
    items: Iterable[pytest.Item], kind_of: Callable[[pytest.Item], str | None]
) -> None:
    """Mark all tests of a kind but one, always the same, for `make prove`. A test without a kind
    runs every day."""
    alike: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("prove") is None and (kind := kind_of(item)):
            alike.setdefault(kind, []).append(item)
    # The lowest bit would leave all tests of a kill to one kind of deployment.
    for kind, variants in alike.items():
        variants.sort(key=lambda item: item.name)
        daily = variants[(crc32(kind.encode()) >> 1) % len(variants)]
        for item in variants:
            if item is not daily:
                item.add_marker(pytest.mark.prove)
