"""One fake for all provider tests, emptied before each."""

from collections.abc import Iterator

import pytest

from tools.fake_provider import Fake


@pytest.fixture(scope="session")
def running_fake() -> Iterator[Fake]:
    with Fake.spawn() as fake:
        yield fake


@pytest.fixture
def fake(running_fake: Fake) -> Fake:
    running_fake.reset()
    return running_fake
