"""Reads the JSON of the doors' requests."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chat.api.auth import require_json
from chat.api.problems import Problem
from chat.messages.forms import MAX_MESSAGE_CHARS
from chat.replies.settings import clean_text
from streaming.storable_text import replace_unstorable

EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {}, False)
"""Values of a field that asks for nothing."""


def read_object(request: HttpRequest) -> dict[str, Any]:
    """An empty body is an empty object. Raises Problem."""
    require_json(request)
    try:
        body = json.loads(request.body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Problem(400, "bad_request", _("The body must be a JSON object."))
    return body


def _refuse_constant(name: str) -> None:
    """NaN and the infinities are no JSON, and no database stores them."""
    raise ValueError(name)


def refuse_others(body: Mapping[str, Any], known: Container[str], place: str = "") -> None:
    """Raises Problem for a field that asks for something that is not there."""
    for name, value in body.items():
        if name not in known and value not in EMPTY_VALUES:
            raise build_unsupported(f"{place}{name}")


def build_unsupported(field: str) -> Problem:
    text = _("“%(field)s” is not supported here, or not with this value.")
    return Problem(400, "unsupported", text % {"field": field[:100]})


def build_invalid(field: str) -> Problem:
    text = _("“%(field)s” is missing or has a wrong value.") % {"field": field}
    return Problem(422, "invalid", text)


def read_text(value: object, field: str) -> str:
    """The text of a message. Raises Problem."""
    if not isinstance(value, str) or len(value) > MAX_MESSAGE_CHARS:
        raise build_invalid(field)
    return replace_unstorable(clean_text(value))


def read_name(value: object, field: str, max_chars: int) -> str:
    """A name that a client made up: any text. Raises Problem."""
    if not isinstance(value, str) or not 0 < len(value) <= max_chars:
        raise build_invalid(field)
    if replace_unstorable(value) != value:
        raise build_invalid(field)
    return value


def parse_id(value: object) -> UUID | None:
    """None for a value that is none of our ids."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def join_parts(content: object, field: str) -> str:
    """The text of a message that may consist of parts. Raises Problem for a part that is no
    text."""
    if not isinstance(content, list):
        return read_text(content, field)
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise build_unsupported(field)
    return read_text("".join(read_text(part.get("text"), field) for part in content), field)
