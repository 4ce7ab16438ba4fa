"""kill -9 between the end of a reply and its delivery: another worker delivers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.accounts.raw_server import RawServer, send_document, serve
from tests.e2e.conftest import StartDeployment
from tools.deployment.deployment import Deployment, Kind
from tools.waiting import until


class HangingReceiver:
    """Answers nothing until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        self.released.wait(60)
        send_document(b"")(connection)


@contextmanager
def register(deployment: Deployment, receiver: HangingReceiver) -> Iterator[RawServer]:
    """Run a server that the owner's webhook sends to."""
    owner = deployment.person("owner")
    owner.post("/accounts/reauthenticate/", {"password": owner.password})
    with serve(receiver) as server:
        try:
            headers = {"Origin": deployment.base_url}
            body = {"address": server.get_url()}
            answer = owner.http.post("/api/webhooks", json=body, headers=headers)
            assert answer.status_code == 201, answer.text
            yield server
        finally:
            receiver.released.set()


@pytest.mark.prove
@pytest.mark.parametrize("kind", ["embedded", "stack"])
def test_a_worker_that_dies_between_end_and_delivery_loses_nothing(
    start_deployment: StartDeployment, kind: Kind
) -> None:
    deployment = start_deployment(kind)
    receiver = HangingReceiver()
    with register(deployment, receiver) as server:
        stream = deployment.send(deployment.person("owner"), "Why is the tide late?")
        until(lambda: server.requests, within=60, what="the first attempt")
        deployment.runner.kill()
        receiver.released.set()
        deployment.runner.start()
        until(lambda: len(server.requests) == 2, within=60, what="the second attempt")
        until(
            lambda: deployment.rows.one("chat_webhookdelivery")["status"] == "delivered",
            what="the record of the delivery",
        )
    events = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]
    assert events[0] == events[1]
    assert events[0]["data"]["stream"] == str(stream)
    assert deployment.rows.stream(str(stream))["state"] == "completed"
