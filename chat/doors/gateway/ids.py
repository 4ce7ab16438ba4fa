"""The ids of the gateway: a prefix, and the UUID of the thing without hyphens."""

from __future__ import annotations

import re
from uuid import UUID

RESPONSE = "resp_"
CHAT_COMPLETION = "chatcmpl-"
CONVERSATION = "conv_"
MESSAGE = "msg_"
REASONING = "rs_"
CALL = "fc_"
CALL_OUTPUT = "fco_"


def build_id(prefix: str, uuid: UUID, number: int = 1) -> str:
    """A message may have several items of one kind: tool calls, their outputs, or reasoning in the
    middle of a text. Those after the first have a number."""
    return f"{prefix}{uuid.hex}" if number == 1 else f"{prefix}{uuid.hex}_{number}"


ITEM_PREFIXES = (MESSAGE, REASONING, CALL, CALL_OUTPUT)


def parse_item_id(text: str) -> UUID | None:
    """The message that an item is a part of. Its number is not looked at."""
    without_number = re.sub(r"_[1-9][0-9]{0,5}\Z", "", text)
    found = (parse_id(prefix, without_number) for prefix in ITEM_PREFIXES)
    return next((uuid for uuid in found if uuid), None)


def parse_id(prefix: str, text: str) -> UUID | None:
    """None for an id that the gateway does not make."""
    found = re.fullmatch(rf"{prefix}([0-9a-f]{{32}})", text)
    return UUID(found[1]) if found else None
