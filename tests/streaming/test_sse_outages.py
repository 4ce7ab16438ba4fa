"""A client of server-sent events, while Redis and then the database are away: it gets each index
once, and the whole text."""

from __future__ import annotations

import threading
import time
from typing import get_args

import pytest

from tests.streaming.conftest import on_postgresql
from tests.streaming.event_client import request_events
from tools.deployment.deployment import Deployment, Server
from tools.services.postgresql import postgres
from tools.waiting import until

RETRY_SECONDS = 0.2  # between two requests


def read_refusal(port: int, stream: str, session: str) -> tuple[int, str | None]:
    """Return the status of a new request, and when to ask again."""
    with request_events(port, f"/api/streams/{stream}/events", session) as response:
        return response.status, response.headers["Retry-After"]


class Reader(threading.Thread):
    """Reads a stream to its end, by as many requests as it takes."""

    def __init__(self, port: int, stream: str, session: str) -> None:
        super().__init__(daemon=True)
        self._port, self._stream, self._session = port, stream, session
        self.text = ""
        self.cursor = -1
        self.statuses: list[int] = []
        self.end: dict[str, object] | None = None
        self.problem = ""

    def run(self) -> None:
        path = f"/api/streams/{self._stream}/events"
        while self.end is None and not self.problem:
            headers = {"Last_Event_ID": str(self.cursor)}
            with request_events(self._port, path, self._session, **headers) as response:
                self.statuses.append(response.status)
                if response.status == 200:
                    for event in response.read_events():
                        self._take_frame(event.frame)
                elif response.status != 503:
                    self.problem = f"status {response.status}"
            time.sleep(RETRY_SECONDS)

    def _take_frame(self, frame: dict[str, object]) -> None:
        if frame["type"] == "chunk":
            if frame["first"] != self.cursor + 1:
                self.problem = f"{frame['first']} after {self.cursor}"
            self.cursor = int(str(frame["index"]))
            self.text += str(frame["delta"]) if frame["kind"] == "text" else ""
        elif frame["type"] == "end":
            self.end = frame

    def wait_for_text(self, length: int) -> None:
        until(lambda: len(self.text) >= length or self.problem, within=30, what="more text")


@on_postgresql
@pytest.mark.prove
@pytest.mark.timeout(180)
@pytest.mark.parametrize("server", get_args(Server))
def test_a_reader_gets_everything_while_redis_and_the_database_go_away(server: Server) -> None:
    with (
        postgres() as database,
        Deployment("stack", server=server, database_server=database) as deployment,
    ):
        owner = deployment.person()
        stream = deployment.send(owner, "Tell me about kelp.", model="demo")
        session = owner.cookies["sessionid"]
        reader = Reader(deployment.web.port, str(stream), session)
        reader.start()
        reader.wait_for_text(1)
        assert deployment.redis is not None
        deployment.redis.kill()
        reader.wait_for_text(len(reader.text) + 40)
        deployment.redis.start()
        database.kill()
        until(lambda: read_refusal(deployment.web.port, str(stream), session) == (503, "5"))
        database.start()
        reader.wait_for_text(len(reader.text) + 40)
        owner.post(f"/s/{stream}/stop/", {}, expect=None)
        reader.join(30)
        assert reader.problem == ""
        assert reader.end is not None, reader.statuses
        assert reader.end["state"] == "stopped"
        assert reader.text == deployment.rows.text(stream)
