"""A deploy: sockets get the time to reconnect, replies change workers, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.e2e.conftest import StartDeployment
from tests.e2e.replies import MODEL, find_runner
from tools.deployment.deployment import Kind, Server
from tools.deployment.protocol_client import Reader
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

TAKEOVER_SECONDS = 2.0  # seconds from the release to the next owner


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_sockets_get_bye_before_a_restart(
    start_deployment: StartDeployment, fake: Fake, server: Server
) -> None:
    fake.script(Behaviour.of("Half ", "and half.", hold_after=1))
    deployment = start_deployment("stack", server=server)
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = deployment.send(owner, "Say it.", model=MODEL)
    reader = Reader(owner, stream).read(chunks=1)
    with owner.socket() as socket:
        until(lambda: json.loads(socket.recv(timeout=10))["type"] == "hello")
        assert not socket.protocol.extensions, "compressed: docs/decisions/0008"
        os.kill(deployment.web.pid, signal.SIGTERM)
        frames, code = read_until_closed(socket)
    assert {"type": "bye", "retry_ms": 500} in frames
    assert code == 4012
    fake.release()
    deployment.web.restart()
    assert reader.read_to_the_end().text == "Half and half."
    assert len(fake.requests()) == 1


def read_until_closed(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    frames = []
    try:
        while True:
            frames.append(json.loads(socket.recv(timeout=20)))
    except ConnectionClosed as closed:
        return frames, closed.rcvd.code if closed.rcvd else None


def test_a_worker_stopped_by_sigterm_hands_over_its_replies(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    fake.script(
        Behaviour.of("The first worker wrote this, ", "and this.", hold_after=1),
        Behaviour.of("and the second one that."),
    )
    deployment = start_deployment("stack", workers=2, environment={"DRAIN_SECONDS": "1"})
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = deployment.send(owner, "Say it.", model=MODEL)
    reader = Reader(owner, stream).read(chunks=1)
    find_runner(deployment, str(stream)).stop()
    until(lambda: deployment.rows.stream(stream)["worker_id"], within=TAKEOVER_SECONDS)
    reader.read_to_the_end()
    assert reader.text == "The first worker wrote this, and the second one that."
    assert reader.seams == [len("The first worker wrote this, ")]
    assert deployment.rows.stream(stream)["attempts"] == 0, "a hand-over is no crash"


@pytest.mark.parametrize("kind", ["embedded", "stack"])
def test_a_reply_that_ends_in_time_ends_before_its_worker_exits(
    start_deployment: StartDeployment, fake: Fake, kind: Kind
) -> None:
    fake.script(Behaviour.of(*["word "] * 20, delay=0.1))
    deployment = start_deployment(kind)
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = deployment.send(owner, "Say it.", model=MODEL)
    until(lambda: deployment.rows.text(stream))
    deployment.runner.stop()
    assert deployment.rows.stream(stream)["state"] == "completed"
    assert deployment.rows.message(stream)["content"] == "word " * 20
