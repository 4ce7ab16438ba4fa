"""Text from elsewhere, made fit for a column."""

from __future__ import annotations


def replace_unstorable(text: str) -> str:
    """PostgreSQL can store neither NUL nor halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
