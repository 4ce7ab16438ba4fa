"""Fixtures of the tests of malformed requests."""

from tests.chat.conftest import static_files_under_their_own_names

__all__ = ["static_files_under_their_own_names"]
