"""The ids of the gateway: a prefix, and the UUID of the thing without hyphens."""

from __future__ import annotations

import re
from uuid import UUID

RESPONSE = "resp_"
CHAT_COMPLETION = "chatcmpl-"
CONVERSATION = "conv_"
MESSAGE = "msg_"
REASONING = "rs_"


def build_id(prefix: str, uuid: UUID, number: int = 1) -> str:
    """An answer with reasoning in the middle of its text has several items of one kind; those after
    the first have a number."""
    return f"{prefix}{uuid.hex}" if number == 1 else f"{prefix}{uuid.hex}_{number}"


def parse_id(prefix: str, text: str) -> UUID | None:
    """None for an id that the gateway does not make. A number is not looked at."""
    found = re.fullmatch(rf"{prefix}([0-9a-f]{{32}})(_[1-9][0-9]{{0,5}})?", text)
    return UUID(found[1]) if found else None
