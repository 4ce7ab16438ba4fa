"""Readers of what servers put into their events.

Of an event only the text may fail a reply. Every other value is taken if it fits, and is absent if
it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from streaming.events import Delta, DeltaKind

MAX_COUNT = 2**31 - 1
"""The largest count that a column holds."""
MAX_ID_CHARS = 200
TEXT_PART_TYPES = {"text", "output_text", "text_delta", "refusal", ""}
REASONING_PART_TYPES = {"thinking", "thinking_delta", "thought", "summary_text"}
REASONING_PART_PREFIX = "reasoning"
"""Of types such as reasoning.text, reasoning.summary and reasoning_text."""
OTHER_PART_TYPES = re.compile(
    "cit(e|ation)|reference|source|annotation|tool|function|call|result|search|image|audio|video|file"
    "|document|code_interpreter|signature|encrypted|redacted|json|input|log|debug|meta|status|error",
    re.IGNORECASE,
)
"""In the names of types: the text of such a part is none of the reply."""
TEXT_TYPE_WORDS = re.compile(
    "text|markdown|^md$|html|latex|paragraph|heading|sentence|string|prose|code|answer|message"
    "|response|content|output|final|chunk|delta",
    re.IGNORECASE,
)
REASONING_TYPE_WORDS = re.compile("think|thought|reason|analysis", re.IGNORECASE)
TEXT_KEYS: tuple[str, ...] = ("text", "content", "value", "refusal", "output_text")
REASONING_KEYS: tuple[str, ...] = (
    "thinking",
    "reasoning",
    "text",
    "summary",
    "content",
    "thought",
    "value",
)


def to_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def to_dicts(value: object) -> list[dict[str, Any]]:
    """The objects of a list; an object that stands in place of the list is its only one."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, dict)]


def find_first(value: object) -> dict[str, Any]:
    """The first of several replies to one request, by its index; some servers send several."""
    return next((each for each in to_dicts(value) if _has_first_index(each)), {})


def _has_first_index(choice: dict[str, Any]) -> bool:
    index = choice.get("index")
    return not index or index == "0" or not to_count(index)


def is_true(value: object) -> bool:
    """Whether a flag is set; some servers send it as a number or a string."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")


def to_str(value: object) -> str:
    return value if isinstance(value, str) else ""


def to_id(value: object) -> str:
    """An id; some servers have numbers."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value)[:MAX_ID_CHARS] if isinstance(value, str) or is_number else ""


def to_count(value: object) -> int | None:
    """A number of tokens; some servers send it as a string or as a float."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 11:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= MAX_COUNT and value == int(value) else None


def to_date(value: object) -> date | None:
    """The day of a date or a time in ISO 8601."""
    try:
        return date.fromisoformat(to_str(value)[:10])
    except ValueError:
        return None


def has_value(value: object) -> bool:
    """Whether anything but blanks, zeros and nulls is in a value of JSON."""
    if isinstance(value, dict):
        return any(map(has_value, value.values()))
    return any(map(has_value, value)) if isinstance(value, list) else bool(value)


def parse_content(value: object, kind: DeltaKind = "text") -> Iterator[Delta]:
    """The deltas of a text, which may come as parts, in their order.

    Parts of reasoning may hold parts of text, as Mistral's do
    (https://docs.mistral.ai/capabilities/reasoning). Parts of other types, such as images and
    references, are no text, unless the name of the type says so. Raises TypeError for a text that
    is none.
    """
    if isinstance(value, str):
        yield Delta(value, kind)
    elif isinstance(value, list):
        for part in value:
            yield from parse_content(part, kind)
    elif isinstance(value, dict):
        yield from _parse_part(value, kind)
    elif value is not None and value is not False:
        raise TypeError(f"A delta held {type(value).__name__} instead of text.")


def _parse_part(part: dict[str, Any], kind: DeltaKind) -> Iterator[Delta]:
    part_type, keys = to_str(part.get("type")), TEXT_KEYS
    if part_type in REASONING_PART_TYPES or part_type.startswith(REASONING_PART_PREFIX):
        kind, keys = "reasoning", REASONING_KEYS
    elif part_type not in TEXT_PART_TYPES:
        yield from _parse_unknown_part(part, part_type, kind)
        return
    elif is_true(part.get("thought")):
        kind, keys = "reasoning", REASONING_KEYS
    elif kind == "reasoning":
        keys = REASONING_KEYS
    found = next((part[key] for key in keys if part.get(key) is not None), None)
    if found is None and part and not part_type and kind == "text":
        raise TypeError(f"A part of a text held only {', '.join(map(str, part))[:80]}.")
    yield from parse_content(found, kind)


def _parse_unknown_part(part: dict[str, Any], part_type: str, kind: DeltaKind) -> Iterator[Delta]:
    """A server may have types of its own for text, which must not be lost; but in a reasoning, all
    that is no reasoning is left out."""
    text = to_str(part.get("text"))
    if not text or kind == "reasoning" or OTHER_PART_TYPES.search(part_type):
        return
    if REASONING_TYPE_WORDS.search(part_type) or is_true(part.get("thought")):
        yield Delta(text, "reasoning")
    elif TEXT_TYPE_WORDS.search(part_type):
        yield Delta(text)


def parse_reasoning(value: object) -> list[Delta]:
    """The deltas of a reasoning; none if it has no shape that is known."""
    if isinstance(value, str):
        return [Delta(value, "reasoning")] if value else []
    return parse_if_text(value, "reasoning")


def parse_if_text(value: object, kind: DeltaKind = "text") -> list[Delta]:
    """The deltas of a value that may hold a text, although it stands where none has to be."""
    deltas: list[Delta] = []
    try:
        for delta in parse_content(value, kind):
            if delta.text:
                deltas.append(delta)
    except (TypeError, RecursionError):
        pass
    return deltas
