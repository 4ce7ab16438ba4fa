"""Small readers of what servers put into their events."""

from __future__ import annotations

EMPTY_REASONS = {"", "null", "none", "undefined", "finish_reason_unspecified"}
"""Values that servers send in place of a reason while there is none."""


def normalize_reason(reason: object) -> str:
    """The provider's word for why a reply ended; empty where it is a placeholder."""
    word = reason.strip() if isinstance(reason, str) else str(reason or "")
    return "" if word.lower() in EMPTY_REASONS else word


def require_str(value: object) -> str:
    """The text of a delta; null is none. Raises TypeError for anything else a server may send."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"A delta held {type(value).__name__} instead of text.")
    return value
