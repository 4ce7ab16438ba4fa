"""The messages of a request, in the forms of both APIs, as turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.parameters import build_unsupported, text
from chat.messages.forms import MAX_MESSAGE_CHARS
from streaming.providers.types import Turn

MAX_MESSAGES = 1_000
MAX_ID_CHARS = 100
DEVELOPER_ROLES = ("system", "developer")
TEXT_PARTS = ("input_text", "output_text", "text")

read_text = text(MAX_MESSAGE_CHARS)


@dataclass(frozen=True, slots=True)
class ItemReference:
    """Stands for an item of an earlier response."""

    id: str
    param: str


@dataclass(frozen=True, slots=True)
class MessageInput:
    """`developer` has the messages of the roles system and developer, which a model gets first,
    wherever they stood."""

    turns: tuple[Turn | ItemReference, ...]
    developer: tuple[str, ...] = ()


def read_input(param: str, value: Any) -> MessageInput:
    """The `input` of a response, or the `messages` of a chat completion. Raises Problem."""
    if isinstance(value, str):
        return MessageInput((Turn("user", read_text(param, value)),))
    if not isinstance(value, list) or len(value) > MAX_MESSAGES:
        sentence = _("“%(name)s” must be a list of at most %(count)s messages.")
        raise build_invalid(param, sentence % {"name": param, "count": MAX_MESSAGES})
    turns: list[Turn | ItemReference] = []
    developer: list[str] = []
    for number, item in enumerate(value):
        _read_item(f"{param}[{number}]", item, turns, developer)
    return MessageInput(tuple(turns), tuple(developer))


def _read_item(
    param: str, item: Any, turns: list[Turn | ItemReference], developer: list[str]
) -> None:
    if not isinstance(item, dict):
        raise build_invalid(param, _("A message must be an object."))
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "reasoning":
        return  # models are not sent the reasoning of earlier replies
    if kind == "item_reference":
        turns.append(ItemReference(text(MAX_ID_CHARS)(f"{param}.id", item.get("id")), param))
        return
    if kind != "message":
        raise build_unsupported(f"{param}.type")
    if item.get("tool_calls") or item.get("function_call"):
        raise build_unsupported(f"{param}.tool_calls")
    role, content = item.get("role"), _read_content(f"{param}.content", item)
    if role in DEVELOPER_ROLES:
        developer.append(content)
    elif role in ("user", "assistant"):
        turns.append(Turn(role, content))
    else:
        raise build_unsupported(f"{param}.role")


def _read_content(param: str, item: dict[str, Any]) -> str:
    content = item.get("content")
    if content is None and item.get("refusal"):
        content = item["refusal"]
    if not isinstance(content, list):
        return str(read_text(param, content))
    return "".join(_read_part(f"{param}[{n}]", part) for n, part in enumerate(content))


def _read_part(param: str, part: Any) -> str:
    if not isinstance(part, dict):
        raise build_invalid(param, _("A part of a message must be an object."))
    if part.get("type") == "refusal":
        return str(read_text(f"{param}.refusal", part.get("refusal")))
    if part.get("type") not in TEXT_PARTS:
        raise build_unsupported(f"{param}.type")
    return str(read_text(f"{param}.text", part.get("text")))


def join_texts(*texts: str | None) -> str:
    return "\n\n".join(part for part in texts if part)


def require_turns(turns: Sequence[Turn | ItemReference]) -> list[Turn]:
    """Raises Problem for a reference, which only responses may have."""
    for turn in turns:
        if isinstance(turn, ItemReference):
            raise build_unsupported(f"{turn.param}.type")
    return [turn for turn in turns if isinstance(turn, Turn)]
