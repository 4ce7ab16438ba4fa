"""The answer of each door to a client with a cursor, in one form. A new door is one more function
in DOORS."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from chat.doors.gateway.events import DELTA_SLOT, STEP, find_row

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Told:
    """`kind` is "rest" for the text after the cursor, "snapshot" for all of the text, "over" if the
    client has read everything, or the code of a refusal. `index` is the cursor that the client has
    then."""

    kind: str
    text: str = ""
    index: int = -1
    has_ended: bool = False


Door = Callable[[str, str, UUID, str, int], Told]
"""Called with the address of the server, a token (empty: none), a stream, a cursor as text, and the
last index that the stream has now."""


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
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx2.get(
        f"{url}/api/streams/{stream}/events",
        params={"after": cursor, "wait": "0"},
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    )
    if answer.status_code == 204:
        return Told("over", index=int(cursor), has_ended=True)
    if answer.status_code != 200:
        return Told(answer.json()["code"])
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return _read_frames([json.loads(line) for line in lines], cursor)


def read_chunks(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx2.get(
        f"{url}/api/streams/{stream}/chunks",
        params={"after": cursor},
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    )
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
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    is_index = cursor.isdecimal() and str(int(cursor)) == cursor and int(cursor) < 2**53
    answer = httpx2.get(
        f"{url}/v1/stream/replies/{stream}",
        params={"offset": f"{0:016}_{int(cursor) + 1:016}" if is_index else cursor},
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    )
    if answer.status_code != 200:
        return Told(answer.json()["code"])
    index = int(answer.headers["Stream-Next-Offset"].partition("_")[2]) - 1
    return Told("rest", answer.text, index, "Stream-Closed" in answer.headers)


def read_response(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """The cursor is the number of the event with the text of that row. A response that runs is read
    up to the last index."""
    path = f"{url}/v1/responses/resp_{stream.hex}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    query = {"stream": "true"} | ({} if cursor == "-1" else {"starting_after": _to_number(cursor)})
    with (
        httpx2.Client(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client,
        client.stream("GET", path, params=query) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            error = answer.json()["error"]
            is_cursor = error["param"] == "starting_after"
            codes = {"invalid_api_key": "signed_out"}
            return Told("bad_cursor" if is_cursor else codes.get(error["code"], error["code"]))
        has_ended = client.get(path).json()["status"] not in ("queued", "in_progress")
        text, index = "", int(cursor)
        lines = answer.iter_lines()
        while has_ended or index < last:
            line = next(lines, None)
            if line is None:
                break
            event = json.loads(line[6:]) if line.startswith("data: ") else {}
            if event.get("type") == "response.output_text.delta":
                text, index = text + event["delta"], find_row(event["sequence_number"])
        return Told("rest", text, index, has_ended)


def _to_number(cursor: str) -> str:
    """Of the event with the text of this row; other texts as they are."""
    is_index = cursor.isascii() and cursor.isdecimal() and str(int(cursor)) == cursor
    return str(STEP * (int(cursor) + 1) + DELTA_SLOT) if is_index else cursor


DOORS: dict[str, Door] = {
    "socket": read_socket,
    "events": read_events,
    "chunks": read_chunks,
    "durable streams": read_durable_stream,
    "gateway": read_response,
}


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
