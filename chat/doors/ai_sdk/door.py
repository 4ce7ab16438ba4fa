"""This door, for the list of doors."""

from __future__ import annotations

from chat.doors.ai_sdk.errors import encode_error
from chat.doors.registry import Door

DOOR = Door(
    path="/api/chat/",
    base="/api/",
    urls="chat.doors.ai_sdk.urls",
    encode_error=encode_error,
    reply_paths=r"/api/chat/?",
    stop_paths=r"/api/chat/[\s\S]+/stop",
)
