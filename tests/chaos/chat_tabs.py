"""Programs that follow the replies of their own chats, as stock clients of other products do.

Such a client takes a body that ends properly for a complete reply.
"""

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.chaos.http_tabs import Event
from tests.chaos.programs import PROGRAM_DOORS, AnnouncedReply
from tests.chaos.tab import Reading, TabOptions
from tests.chaos.token_tabs import TokenTab

RUN_STATES = {"success": "completed", "interrupted": "stopped"}
OUTCOMES = {"success": "completed", "cancelled": "stopped"}
TEXT_KINDS = {"TEXT_MESSAGE_CONTENT": "text", "REASONING_MESSAGE_CONTENT": "reasoning"}
ROLE_KINDS = {"assistant": "text", "reasoning": "reasoning"}


class ChatTab(TokenTab):
    """Knows the names of the chats."""

    kinds = ("text", "reasoning")
    needs_own_replies = True
    early_end_means_success = True

    def __init__(self, options: TabOptions) -> None:
        super().__init__(options)
        self._replies: dict[str, AnnouncedReply] = {}

    async def follow(self, reply: AnnouncedReply) -> None:
        self._replies[reply.stream] = reply
        await super().follow(reply)

    async def send(
        self,
        reading: Reading,
        web: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        messages: list[dict[str, str]] | None = None,
    ) -> None:
        """`messages` are those that the client has of the answer."""
        request = PROGRAM_DOORS[self.door].follow(self._replies[reading.stream])
        body = request.body
        if messages:
            body = body | {"messages": body["messages"] + messages}
        address = str(httpx2.URL(web + request.path).copy_merge_params(params or {}))
        await self.request(reading, request.method, address, headers=headers, json=body)


class AISDKTab(ChatTab):
    """UI messages. A stock client sends no cursor and gets the whole answer again; a transport of
    one's own goes on behind the last event."""

    door = "AI SDK"

    def __init__(self, options: TabOptions) -> None:
        super().__init__(options)
        self._states: dict[str, str] = {}
        self._offsets: dict[str, int] = {}

    async def read(self, reading: Reading, web: str) -> None:
        headers, params = {}, {}
        if position := self._positions.get(reading.stream):
            way = self._random.choice(["stock", "header", "address"])
            headers = {"Last-Event-ID": position} if way == "header" else {}
            params = {"after": position} if way == "address" else {}
        await self.send(reading, web, headers=headers, params=params)

    def add_event(self, reading: Reading, event: Event) -> None:
        if event.data.strip() == "[DONE]":
            return
        part = json.loads(event.data)
        kind, _, step = part["type"].partition("-")
        index = int(event.id.rpartition(":")[2]) if event.id else None
        if state := part.get("messageMetadata", {}).get("state"):
            self._states[reading.stream] = state
        if part["type"] == "start":
            reading.restart()
        elif step == "start" and kind in self.kinds:
            self._offsets[reading.stream] = int(part["id"].rpartition("-")[2])
        elif step == "delta" and index is not None:
            offset = self._offsets.pop(reading.stream, None)
            reading.add_text(index, kind, part["delta"], offset)
        elif part["type"] in ("finish", "abort", "error"):
            reading.end = {"state": self._states[reading.stream], "next": index}
        if event.id:
            self._positions[reading.stream] = event.id


class LangGraphTab(ChatTab):
    """Runs. A stock client comes back with the id of the last event."""

    door = "LangGraph"

    async def read(self, reading: Reading, web: str) -> None:
        position = self._positions.get(reading.stream)
        await self.send(reading, web, headers={"Last-Event-ID": position} if position else {})

    def add_event(self, reading: Reading, event: Event) -> None:
        if event.id:
            self._positions[reading.stream] = event.id
        fields = json.loads(event.data)
        if event.name == "messages":
            kind, text = _read_message(fields[0])
            reading.add_text(int(event.id), kind, text)
        elif event.name == "end":
            reading.end = {"state": RUN_STATES[fields["status"]], "next": None}
        elif event.name == "error":
            reading.end = {"state": "failed", "next": None}


def _read_message(message: dict[str, Any]) -> tuple[str, str]:
    if reasoning := message["additional_kwargs"].get("reasoning_content"):
        return "reasoning", reasoning
    return "text", message["content"]


class AGUITab(ChatTab):
    """Runs without any cursor. A client comes back with the same run and the messages that it has,
    and a snapshot replaces these."""

    door = "AG-UI"

    async def read(self, reading: Reading, web: str) -> None:
        texts = {role: reading.join_text(kind) for role, kind in ROLE_KINDS.items()}
        had = [{"id": role, "role": role, "content": text} for role, text in texts.items() if text]
        await self.send(reading, web, messages=had)

    def add_event(self, reading: Reading, event: Event) -> None:
        fields = json.loads(event.data)
        match fields["type"]:
            case "MESSAGES_SNAPSHOT":
                reading.restart()
                for message in fields["messages"]:
                    if message["role"] in ROLE_KINDS:
                        kind = ROLE_KINDS[message["role"]]
                        reading.add_unnumbered_text(kind, message["content"])
            case "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT" as name:
                reading.add_unnumbered_text(TEXT_KINDS[name], fields["delta"])
            case "RUN_FINISHED":
                state = OUTCOMES[fields["outcome"]["type"]]
                reading.end = {"state": state, "next": None}
            case "RUN_ERROR":
                reading.end = {"state": "failed", "next": None}
