"""Describes this door to the registry."""

from __future__ import annotations

from chat.api.problems import build_problem_of_status
from chat.doors.ag_ui.views import build_error
from chat.doors.registry import Door

PATH = "/api/ag-ui/"


def encode_error(status: int) -> tuple[bytes, str]:
    return build_error(build_problem_of_status(status)).content, "application/json"


DOOR = Door(
    path=PATH,
    base="/api/",
    urls="chat.doors.ag_ui.urls",
    encode_error=encode_error,
    reply_paths=f"{PATH}?",
)
