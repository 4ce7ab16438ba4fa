"""Requests about conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.message_input import read_input, require_turns
from chat.doors.gateway.parameters import Check, build_unsupported, metadata, read_parameters
from streaming.providers.types import Turn

MAX_ITEMS = 20


def read_items(name: str, value: Any) -> list[Turn]:
    """Messages of the user and of the assistant. Raises Problem."""
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        sentence = _("“%(name)s” must be a list of at most %(count)s messages.")
        raise build_invalid(name, sentence % {"name": name, "count": MAX_ITEMS})
    messages = read_input(name, value)
    if messages.developer:
        raise build_unsupported(f"{name}.role")
    return require_turns(messages.turns)


CHECKS: Mapping[str, Check] = {"metadata": metadata, "items": read_items}


def read_conversation_request(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The parameters with these names; no others are known. Raises Problem."""
    return read_parameters(body, {name: CHECKS[name] for name in names})
