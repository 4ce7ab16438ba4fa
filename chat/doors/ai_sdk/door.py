"""This door, for the list of doors."""

from __future__ import annotations

from chat.doors.ai_sdk.errors import encode_error
from chat.doors.ai_sdk.frames import MAX_FRAME_BYTES
from chat.doors.registry import Door

DOOR = Door(
    path="/api/chat/",
    base="/api/",
    urls="chat.doors.ai_sdk.urls",
    encode_error=encode_error,
    reply_paths=r"/api/chat/?",
    socket_path="/ws/chat",
    socket="chat.doors.ai_sdk.websocket.ChatConsumer",
    max_frame_bytes=MAX_FRAME_BYTES,
    stop_paths=r"/api/chat/[\s\S]+/stop",
)
