"""Programs with an access token that follow replies through the protocols of other products.

These name the position behind a text, and not where it begins.
"""

import json
from typing import Any
from uuid import UUID

from tests.chaos.http_tabs import Event, EventStreamTab
from tests.chaos.tab import Reading, TabOptions

STEP = 16
"""The gateway numbers the events of row `i` from 16 · (i + 1)."""
RESPONSE_STATES = {"completed": "completed", "cancelled": "stopped", "failed": "failed"}
DELTAS = {
    "response.output_text.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
}
ENDS = ("response.completed", "response.incomplete", "response.failed")


class TokenTab(EventStreamTab):
    """Follows with a token, and continues behind the position of the last event."""

    def __init__(self, options: TabOptions) -> None:
        super().__init__(options)
        self._positions: dict[str, str] = {}

    def build_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.options.token}"}

    def reload(self, reading: Reading) -> None:
        super().reload(reading)
        self._positions.pop(reading.stream, None)

    async def request(self, reading: Reading, method: str, address: str, **request: Any) -> None:
        async with self._client.stream(method, address, **request) as response:
            if response.status_code == 200:
                await self.read_events(reading, response)
            else:
                self.count_refusal(response)
        self.count_reconnect(reading.end is None)


class DurableTab(TokenTab):
    """Durable Streams, which have no reasoning. The event after a text has its position."""

    door = "durable streams"
    kinds = ("text",)

    def __init__(self, options: TabOptions) -> None:
        super().__init__(options)
        self._texts: dict[str, str] = {}

    async def read(self, reading: Reading, web: str) -> None:
        self._texts.pop(reading.stream, None)
        offset = self._positions.get(reading.stream, "-1")
        address = f"{web}/v1/stream/replies/{reading.stream}"
        await self.request(reading, "GET", address, params={"offset": offset, "live": "sse"})

    def add_event(self, reading: Reading, event: Event) -> None:
        if event.name == "data":
            self._texts[reading.stream] = self._texts.get(reading.stream, "") + event.data
            return
        control = json.loads(event.data)
        self._positions[reading.stream] = offset = control["streamNextOffset"]
        following = int(offset.rpartition("_")[2])
        reading.add_text(following - 1, "text", self._texts.pop(reading.stream, ""))
        if "streamClosed" in control:
            reading.end = {"state": control["streamState"], "next": following}


class GatewayTab(TokenTab):
    """Responses, as programs of OpenAI's API read them."""

    door = "gateway"
    kinds = ("text", "reasoning")
    needs_own_replies = True

    async def read(self, reading: Reading, web: str) -> None:
        number = self._positions.get(reading.stream)
        cursor = {} if number is None else {"starting_after": number}
        address = f"{web}/v1/responses/resp_{UUID(reading.stream).hex}"
        await self.request(reading, "GET", address, params={"stream": "true", **cursor})

    def add_event(self, reading: Reading, event: Event) -> None:
        fields = json.loads(event.data)
        number = fields["sequence_number"]
        self._positions[reading.stream] = str(number)
        if event.name in DELTAS:
            reading.add_text(number // STEP - 1, DELTAS[event.name], fields["delta"])
        elif event.name in ENDS:
            state = RESPONSE_STATES[fields["response"]["status"]]
            reading.end = {"state": state, "next": number // STEP}
