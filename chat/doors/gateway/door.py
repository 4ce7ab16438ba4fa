"""Describes the gateway to the registry."""

from __future__ import annotations

from chat.doors.gateway.errors import encode_error
from chat.doors.registry import Door

SDK_HEADERS = (
    "OpenAI-Beta",
    "OpenAI-Organization",
    "OpenAI-Project",
    "User-Agent",  # not in each browser a name that scripts can't set
    "X-Stainless-Arch",
    "X-Stainless-Async",
    "X-Stainless-Custom-Poll-Interval",
    "X-Stainless-Helper-Method",
    "X-Stainless-Lang",
    "X-Stainless-OS",
    "X-Stainless-Package-Version",
    "X-Stainless-Poll-Helper",
    "X-Stainless-Raw-Response",
    "X-Stainless-Read-Timeout",
    "X-Stainless-Retry-Count",
    "X-Stainless-Runtime",
    "X-Stainless-Runtime-Version",
    "X-Stainless-Timeout",
)
"""Headers of OpenAI's SDKs beside those of the API. None of them has an effect here."""

DOOR = Door(
    path="/v1/",
    urls="chat.doors.gateway.urls",
    encode_error=encode_error,
    reply_paths=r"/v1/(responses|chat/completions)",
    stop_paths=r"/v1/responses/resp_[0-9a-f]{32}/cancel",
    headers=SDK_HEADERS,
    answers=("X-Holdfast-Response-Id", "X-Should-Retry"),
)
