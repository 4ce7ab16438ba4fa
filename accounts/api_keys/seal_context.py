"""The context that the key of a person is sealed for."""

from __future__ import annotations


def build_seal_context(user_id: int, provider: str) -> tuple[str, int, str]:
    return "holdfast api key", user_id, provider
