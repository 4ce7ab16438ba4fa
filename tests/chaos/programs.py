"""The requests of programs at the doors through which they ask, as data that any client can send.

A door shows a program the replies that were asked for through it, under the name that the program
gave them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

PAGE = "page"
"""The door of people, who ask with forms. Doors without programs of their own show these replies,
too."""


@dataclass(frozen=True, slots=True)
class AnnouncedReply:
    """A reply that was asked for through a door. `name` is that of its chat and of its run."""

    stream: str
    door: str = PAGE
    name: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class ProgramRequest:
    """`status` is that of an answer which accepts it."""

    method: str
    path: str
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ProgramDoor(ABC):
    name: ClassVar[str]
    stream_pattern: ClassVar[re.Pattern[str]]
    """Finds the stream in the answer to a question."""

    @abstractmethod
    def ask(self, name: str, question: str, model: str) -> ProgramRequest:
        """The same request again means the same reply."""

    @abstractmethod
    def follow(self, reply: AnnouncedReply) -> ProgramRequest:
        """From the start of the reply."""

    @abstractmethod
    def stop(self, reply: AnnouncedReply) -> ProgramRequest:
        """Once more has no effect."""


class Gateway(ProgramDoor):
    name = "gateway"
    stream_pattern = re.compile(r'"id": ?"resp_([0-9a-f]{32})"')

    def ask(self, name: str, question: str, model: str) -> ProgramRequest:
        body = {"model": model, "input": question, "background": True}
        return ProgramRequest("POST", "/v1/responses", body, headers={"Idempotency-Key": name})

    def follow(self, reply: AnnouncedReply) -> ProgramRequest:
        return ProgramRequest("GET", f"{self._get_path(reply)}?stream=true")

    def stop(self, reply: AnnouncedReply) -> ProgramRequest:
        return ProgramRequest("POST", f"{self._get_path(reply)}/cancel")

    def _get_path(self, reply: AnnouncedReply) -> str:
        return f"/v1/responses/resp_{UUID(reply.stream).hex}"


class AISDK(ProgramDoor):
    """One question in each chat."""

    name = "AI SDK"
    stream_pattern = re.compile(r'"streamId": ?"([0-9a-f-]{36})"')

    def ask(self, name: str, question: str, model: str) -> ProgramRequest:
        message = {"id": name, "role": "user", "parts": [{"type": "text", "text": question}]}
        body = {"id": name, "messages": [message], "trigger": "submit-message", "model": model}
        return ProgramRequest("POST", "/api/chat", body)

    def follow(self, reply: AnnouncedReply) -> ProgramRequest:
        return ProgramRequest("GET", f"/api/chat/{reply.name}/stream")

    def stop(self, reply: AnnouncedReply) -> ProgramRequest:
        return ProgramRequest("POST", f"/api/chat/{reply.name}/stop", status=204)


class LangGraph(ProgramDoor):
    name = "LangGraph"
    stream_pattern = re.compile(r'"run_id": ?"([0-9a-f-]{36})"')

    def ask(self, name: str, question: str, model: str) -> ProgramRequest:
        body = {
            "assistant_id": model,
            "input": {"messages": [{"role": "user", "content": question}]},
            "if_not_exists": "create",
        }
        headers = {"Idempotency-Key": name}
        return ProgramRequest("POST", f"{self._get_path(name)}/runs", body, headers=headers)

    def follow(self, reply: AnnouncedReply) -> ProgramRequest:
        path = f"{self._get_path(reply.name)}/runs/{reply.stream}/stream"
        return ProgramRequest("GET", f"{path}?stream_mode=messages-tuple")

    def stop(self, reply: AnnouncedReply) -> ProgramRequest:
        path = f"{self._get_path(reply.name)}/runs/{reply.stream}/cancel"
        return ProgramRequest("POST", path, status=202)

    def _get_path(self, name: str) -> str:
        return f"/api/langgraph/threads/{name}"


class AGUI(ProgramDoor):
    """The same run again attaches to it, so all requests are alike."""

    name = "AG-UI"
    stream_pattern = re.compile(r'"streamId": ?"([0-9a-f-]{36})"')

    def ask(self, name: str, question: str, model: str) -> ProgramRequest:
        return self._build_request(name, question, {"model": model})

    def follow(self, reply: AnnouncedReply) -> ProgramRequest:
        return self._build_request(reply.name, reply.question, {})

    def stop(self, reply: AnnouncedReply) -> ProgramRequest:
        return self._build_request(reply.name, reply.question, {"stop": True})

    def _build_request(
        self, name: str, question: str, forwarded: Mapping[str, Any]
    ) -> ProgramRequest:
        body = {
            "threadId": name,
            "runId": name,
            "protocolVersion": "1.0",
            "state": {},
            "tools": [],
            "context": [],
            "messages": [{"id": name, "role": "user", "content": question}],
            "forwardedProps": forwarded,
        }
        return ProgramRequest("POST", "/api/ag-ui/", body)


PROGRAM_DOORS: Mapping[str, ProgramDoor] = {
    door.name: door for door in (Gateway(), AISDK(), LangGraph(), AGUI())
}


# Doors that show the replies of all others


def follow_events(reply: AnnouncedReply) -> ProgramRequest:
    return ProgramRequest("GET", f"/api/streams/{reply.stream}/events")


def follow_durable_stream(reply: AnnouncedReply) -> ProgramRequest:
    return ProgramRequest("GET", f"/v1/stream/replies/{reply.stream}?offset=-1&live=sse")


ONE_WAY_DOORS: Mapping[str, Callable[[AnnouncedReply], ProgramRequest]] = {
    "events": follow_events,
    "durable streams": follow_durable_stream,
    **{name: door.follow for name, door in PROGRAM_DOORS.items()},
}
"""How to follow a reply from its start at each door whose responses last as long as a reply."""
