"""How the clients of other products read a reply, each in the protocol of its door."""

from __future__ import annotations

import json
from uuid import UUID

from chat.doors.gateway.events import DELTA_SLOT, STEP, find_row
from tests.doors.told import Told, has_ended, is_index, open_client, read_fields

CODES = {"invalid_api_key": "signed_out"}


def read_response(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """The cursor is the number of the event with the text of that row. A response that runs is read
    up to the last index."""
    path = f"/v1/responses/resp_{stream.hex}"
    query = {"stream": "true"} | ({} if cursor == "-1" else {"starting_after": _to_number(cursor)})
    with open_client(url, token) as client, client.stream("GET", path, params=query) as answer:
        if answer.status_code != 200:
            answer.read()
            error = answer.json()["error"]
            is_cursor = error["param"] == "starting_after"
            return Told("bad_cursor" if is_cursor else CODES.get(error["code"], error["code"]))
        is_over = client.get(path).json()["status"] not in ("queued", "in_progress")
        text, index = "", int(cursor)
        events = read_fields(answer.iter_lines())
        while (is_over or index < last) and (fields := next(events, None)):
            event = json.loads(fields["data"]) if "data" in fields else {}
            if event.get("type") == "response.output_text.delta":
                text, index = text + event["delta"], find_row(event["sequence_number"])
        return Told("rest", text, index, is_over)


def _to_number(cursor: str) -> str:
    """Of the event with the text of this row; other texts as they are."""
    return str(STEP * (int(cursor) + 1) + DELTA_SLOT) if is_index(cursor) else cursor


def read_ui_messages(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """The name of the chat is the id of the stream. A `start` tells the client to begin again. An
    unknown chat is answered as one that was read to its end, because stock clients take 404 for a
    failure."""
    path, query = f"/api/chat/{stream}/stream", {"after": f"{stream}:{cursor}"}
    with open_client(url, token) as client, client.stream("GET", path, params=query) as answer:
        if answer.status_code == 204:
            return Told("over")
        if answer.status_code != 200:
            answer.read()
            return Told(answer.json()["code"])
        kind, text, index, ends = "rest", "", int(cursor), False
        is_over, is_first = has_ended(client, stream), True
        events = read_fields(answer.iter_lines())
        while (is_first or is_over or index < last) and (fields := next(events, None)):
            is_first, data = False, fields.get("data", "")
            part = json.loads(data) if data.startswith("{") else {}
            ends = ends or data == "[DONE]"
            if part.get("type") == "start":
                kind, text, index = ("rest" if cursor == "-1" else "snapshot"), "", -1
            elif part.get("type") == "text-delta":
                text += part["delta"]
            if "id" in fields:
                index = int(fields["id"].rpartition(":")[2])
        return Told(kind, text, index, ends)


def read_run(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """LangGraph's thread has the id of the stream, too."""
    path, query = f"/threads/{stream}/runs/{stream}/stream", {"stream_mode": "messages-tuple"}
    headers = {b"Last-Event-ID": cursor.encode("latin-1")}
    with (
        open_client(f"{url}/api/langgraph", token) as client,
        client.stream("GET", path, params=query, headers=headers) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            return Told(answer.json()["code"])
        run = client.get(f"/threads/{stream}/runs/{stream}").json()
        is_over = run["status"] not in ("pending", "running")
        text, index, ends = "", int(cursor or "-1"), False
        events = read_fields(answer.iter_lines())
        while (is_over or index < last) and (fields := next(events, None)):
            if fields.get("event") == "messages":
                text += json.loads(fields["data"])[0]["content"]
            ends = ends or fields.get("event") == "end"
            index = int(fields.get("id", index))
        return Told("rest", text, index, ends)


def read_agent_run(url: str, token: str, stream: UUID, cursor: str, last: int) -> Told:
    """AG-UI has no cursors: a client that sends the same runId, which is the id of the stream, gets
    all of the text as a snapshot. Without messages it starts no run."""
    body = {"threadId": str(stream), "runId": str(stream), "messages": []}
    with (
        open_client(url, token) as client,
        client.stream("POST", "/api/ag-ui/", json=body) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            return Told(answer.json()["code"])
        is_over, kind, text, ends = has_ended(client, stream), "", "", False
        events = read_fields(answer.iter_lines())
        while (is_over or not kind) and (fields := next(events, None)):
            event = json.loads(fields["data"]) if "data" in fields else {}
            match event.get("type"):
                case "MESSAGES_SNAPSHOT":
                    answers = [m for m in event["messages"] if m["role"] == "assistant"]
                    kind, text = "snapshot", "".join(m["content"] for m in answers)
                case "TEXT_MESSAGE_CONTENT":
                    text += event["delta"]
                case "RUN_FINISHED":
                    ends = True
        return Told(kind, text, has_ended=ends)
