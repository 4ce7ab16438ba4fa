"""Describes this door to the registry."""

from __future__ import annotations

from chat.api.problems import build_problem_of_status
from chat.doors.langgraph.views import build_error
from chat.doors.registry import Door

PATH = "/api/langgraph/"


def encode_error(status: int) -> tuple[bytes, str]:
    return build_error(build_problem_of_status(status)).content, "application/json"


DOOR = Door(
    path=PATH,
    base="/api/",
    urls="chat.doors.langgraph.urls",
    encode_error=encode_error,
    reply_paths=rf"{PATH}threads/[^/]+/runs(/stream|/wait)?",
    answers=("Content-Location", "Location"),
    stop_paths=rf"{PATH}threads/[^/]+/runs/[^/]+/cancel",
)
