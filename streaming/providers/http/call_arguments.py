"""The arguments of a call: JSON that a model wrote."""

from __future__ import annotations

import json
from typing import Any

from streaming.storable_text import replace_unstorable


def parse_object(text: str) -> dict[str, Any] | None:
    """The object in a text of JSON; None if there is none."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(word: str) -> None:
    """Python reads NaN and Infinity, which are no JSON."""
    raise ValueError(word)


def read_arguments(text: str) -> dict[str, Any]:
    """The arguments for a provider that takes only an object."""
    values = parse_object(text)
    if values is None:
        return {"arguments": text}
    if "\\ud" in text.lower():  # a half of a character, which no request can hold
        whole = replace_unstorable(json.dumps(values, ensure_ascii=False))
        values = parse_object(whole) or values
    return values


def format_arguments(value: object) -> str:
    """The arguments as text; some servers send them as an object."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
