"""The list of the doors that chat adds, and the one way to ask which door an address belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.module_loading import import_string

DOORS: tuple[str, ...] = (
    "chat.doors.ai_sdk.door.DOOR",
    "chat.doors.durable_streams.door.DOOR",
    "chat.doors.ag_ui.door.DOOR",
    "chat.doors.gateway.door.DOOR",
    "chat.doors.langgraph.door.DOOR",
)
"""Where each door describes itself."""


@dataclass(frozen=True, slots=True)
class Door:
    """One protocol. The patterns match the whole path."""

    path: str
    """With a slash at both ends. The address without the last slash belongs to the door, too."""
    urls: str
    """The module of its URL patterns."""
    encode_error: Callable[[int], tuple[bytes, str]]
    """The body and content type of an error that was made outside its views, from the status: such
    as a full queue or an unknown address."""
    reply_paths: str
    """A POST to one of these starts a reply."""
    stop_paths: str = ""
    """A POST to one of these stops a reply, and waits for no page."""
    headers: tuple[str, ...] = ()
    """Headers of its requests that pages of other sites may send, beside those of the API."""
    answers: tuple[str, ...] = ()
    """Headers of its answers that they may read."""
    base: str = ""
    """Where the site includes `urls`, if their patterns begin with a part of `path`."""
    socket_path: str = ""
    """The address of its socket, without a slash at its end."""
    socket: str = ""
    """The consumer of the socket."""
    max_frame_bytes: int = 0
    """The longest message that a client may send over the socket."""

    def has_path(self, path: str) -> bool:
        return path.startswith(self.path) or path == self.path.rstrip("/")


@cache
def load_doors() -> tuple[Door, ...]:
    """Longer paths first, because one may begin with another."""
    doors = [import_string(path) for path in DOORS]
    return tuple(sorted(doors, key=lambda door: -len(door.path)))


def find_door(path: str) -> Door | None:
    return next((door for door in load_doors() if door.has_path(path)), None)


def load_sockets() -> dict[str, Any]:
    """The applications of the doors' sockets by their addresses, as the router takes them."""
    return {
        door.socket_path.lstrip("/"): import_string(door.socket).as_asgi()
        for door in load_doors()
        if door.socket
    }


def find_max_frame_bytes(path: str) -> int:
    """Of the socket at this address; 0 if no door has one there."""
    return next((d.max_frame_bytes for d in load_doors() if d.socket and d.socket_path == path), 0)


def starts_reply(path: str) -> bool:
    door = find_door(path)
    return door is not None and re.fullmatch(door.reply_paths, path) is not None


def stops_reply(path: str) -> bool:
    door = find_door(path)
    return bool(door and door.stop_paths and re.fullmatch(door.stop_paths, path))
