"""Describes the gateway to the registry."""

from __future__ import annotations

from chat.doors.gateway.errors import encode_error
from chat.doors.registry import Door

DOOR = Door(
    path="/v1/",
    urls="chat.doors.gateway.urls",
    encode_error=encode_error,
    reply_paths=r"/v1/(responses|chat/completions)",
    stop_paths=r"/v1/responses/resp_[0-9a-f]{32}/cancel",
)
