"""Fixtures of the tests of malformed requests."""

import pytest


@pytest.fixture(autouse=True)
def use_plain_static_files(plain_static_files: None) -> None:
    """These tests need no collected static files."""
