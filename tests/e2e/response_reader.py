"""A program that reads a response to its end, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from openai import APIConnectionError, OpenAI
from openai.types.responses import ResponseStreamEvent

TERMINAL = {"response.completed", "response.failed", "response.incomplete"}
STATES = {"response.queued", "response.in_progress"}
"""Events of the beginning, which a replay of an ended response does not repeat."""


class ResponseReader:
    """`client` is OpenAI's SDK, which sends nothing again by itself. `events` are all events, in
    the order of their arrival."""

    def __init__(self, client: OpenAI, **parameters: Any) -> None:
        self._client = client
        self._parameters = parameters
        self._key = str(uuid4())
        self.id = ""
        self.events: list[ResponseStreamEvent] = []
        self.connections = 0
        self.broken = 0
        """Connections that broke off; the others ended properly."""

    @property
    def text(self) -> str:
        return read_text(self.events)

    @property
    def has_ended(self) -> bool:
        return bool(self.events) and self.events[-1].type in TERMINAL

    def read(self) -> None:
        """Read up to the end."""
        while not self.has_ended:
            self.read_once()

    def read_once(self) -> None:
        """Read as far as one connection goes. The first one asks, and asks again with the same key
        until the id of the response is known."""
        self.connections += 1
        try:
            for event in self._open():
                self.events.append(event)
                if event.type == "response.created":
                    self.id = event.response.id
        except APIConnectionError:
            self.broken += 1

    def _open(self) -> Iterator[ResponseStreamEvent]:
        if self.id:
            after = self.events[-1].sequence_number
            return iter(self._client.responses.retrieve(self.id, stream=True, starting_after=after))
        headers = {"Idempotency-Key": self._key}
        return iter(
            self._client.responses.create(stream=True, extra_headers=headers, **self._parameters)
        )


def read_text(events: list[ResponseStreamEvent]) -> str:
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


def describe(events: list[ResponseStreamEvent]) -> list[str]:
    """The events that each replay has, as JSON."""
    return [event.to_json() for event in events if event.type not in STATES]
