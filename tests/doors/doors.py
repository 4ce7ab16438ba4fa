"""The answer of each door to a client with a cursor. A new door is one more function in DOORS."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.doors.clients import read_agent_run, read_response, read_run, read_ui_messages
from tests.doors.told import TIMEOUT_SECONDS, Door, Told, is_index, open_client


def read_socket(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """Nothing says that a running stream has nothing more now, so this reads up to the last
    index."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    command = f'{{"type": "follow", "stream": "{stream}", "after": {_to_json(cursor)}}}'
    origin: Any = None if token else url
    frames: list[dict[str, Any]] = []
    try:
        with (
            connect(
                url.replace("http", "ws") + "/ws/",
                additional_headers=headers,
                origin=origin,
                proxy=None,
                max_size=None,
            ) as socket,
            suppress(ConnectionClosed),
        ):
            socket.send(command)
            while not _is_complete(frames, cursor, last):
                frames.append(json.loads(socket.recv(TIMEOUT_SECONDS)))
    except InvalidStatus:  # so are sockets without access when many come
        return Told("refused")
    if socket.close_code in (4401, 4403):
        return Told({4401: "signed_out", 4403: "missing_right"}[socket.close_code])
    return _read_frames(frames, cursor)


def _is_complete(frames: list[dict[str, Any]], cursor: str, last: int) -> bool:
    kinds = {frame["type"] for frame in frames}
    if kinds & {"end", "error"}:
        return True
    if "state" not in kinds:
        return False
    return int(cursor) == last or any(frame.get("index", -2) >= last for frame in frames)


def read_events(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    query = {"after": cursor, "wait": "0"}
    with open_client(url, token) as client:
        answer = client.get(f"/api/streams/{stream}/events", params=query)
    if answer.status_code == 204:
        return Told("over", index=int(cursor), has_ended=True)
    if answer.status_code != 200:
        return Told(answer.json()["code"])
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return _read_frames([json.loads(line) for line in lines], cursor)


def read_chunks(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    with open_client(url, token) as client:
        answer = client.get(f"/api/streams/{stream}/chunks", params={"after": cursor})
    data = answer.json()
    if answer.status_code != 200:
        return Told(data["code"])
    chunks = data["chunks"]
    text = "".join(chunk["delta"] for chunk in chunks)
    start = -1 if data["isSnapshot"] else int(cursor)
    return Told(
        "snapshot" if data["isSnapshot"] else "rest",
        text,
        chunks[-1]["index"] if chunks else start,
        data["stream"]["state"] not in ("queued", "running"),
    )


def read_durable_stream(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """An offset counts the chunks before it."""
    is_offset = is_index(cursor) and int(cursor) < 2**53
    query = {"offset": f"{0:016}_{int(cursor) + 1:016}" if is_offset else cursor}
    with open_client(url, token) as client:
        answer = client.get(f"/v1/stream/replies/{stream}", params=query)
    if answer.status_code != 200:
        return Told(answer.json()["code"])
    index = int(answer.headers["Stream-Next-Offset"].partition("_")[2]) - 1
    return Told("rest", answer.text, index, "Stream-Closed" in answer.headers)


DOORS: dict[str, Door] = {
    "socket": read_socket,
    "events": read_events,
    "chunks": read_chunks,
    "durable streams": read_durable_stream,
    "gateway": read_response,
    "AI SDK": read_ui_messages,
    "LangGraph": read_run,
    "AG-UI": read_agent_run,
}
WITHOUT_CURSORS = {"AG-UI"}
"""Doors whose clients send no cursor, and get everything each time. The table asks them once."""


def _to_json(cursor: str) -> str:
    """A number as it is, anything else as a string."""
    try:
        return json.dumps(json.loads(cursor))
    except ValueError:
        return json.dumps(cursor)


def _read_frames(frames: list[dict[str, Any]], cursor: str) -> Told:
    kind, text, has_ended = "rest", "", False
    index = int(cursor) if cursor.lstrip("-").isdecimal() else -1
    for frame in frames:
        match frame["type"]:
            case "error":
                return Told(frame["code"])
            case "snapshot":
                kind, text, index = "snapshot", frame["text"], frame["index"]
            case "chunk":
                text, index = text + frame["delta"], frame["index"]
            case "end":
                has_ended = True
    return Told(kind, text, index, has_ended)
