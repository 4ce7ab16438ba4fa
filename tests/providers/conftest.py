"""Adapters remember models across replies; no test may learn from another one."""

from collections.abc import Iterator

import pytest

from streaming.providers.http import tagged_reasoning


@pytest.fixture(autouse=True)
def forget_models() -> Iterator[None]:
    yield
    tagged_reasoning._lone_endings.clear()
    tagged_reasoning._mixed_models.clear()
