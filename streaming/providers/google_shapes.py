"""Google's events in the shapes that proxies give them."""

from __future__ import annotations

import re
from typing import Any

from streaming.providers.http.parse import find_first, to_dict

_LETTER_IN_SNAKE_CASE = re.compile(r"_([a-z])")


def rename_fields(event: dict[str, Any]) -> dict[str, Any]:
    """The event with the fields in Google's spelling. A proxy that prints the objects of Google's
    SDK has them in snake case."""
    renamed = _rename(event)
    for name in ("usageMetadata", "promptFeedback"):
        renamed[name] = _rename(to_dict(renamed.get(name)))
    return renamed


def _rename(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        _LETTER_IN_SNAKE_CASE.sub(lambda found: found[1].upper(), name): value
        for name, value in fields.items()
    }


def find_candidate(candidates: object) -> dict[str, Any]:
    """The first of several replies; some servers send its text alone."""
    if found := find_first(candidates):
        return found
    first = candidates[0] if isinstance(candidates, list) and candidates else candidates
    return {"content": first} if isinstance(first, str) else {}


def find_parts(candidate: dict[str, Any]) -> list[Any]:
    """The parts of a candidate's content. Some servers send a list of contents, or a text in place
    of the parts or of the content."""
    content = candidate.get("content")
    if isinstance(content, dict):
        parts = content.get("parts")
        return parts if isinstance(parts, list) else [parts or content]
    if isinstance(content, list):
        return [part for each in content for part in find_parts({"content": each})]
    return [content or candidate]
