"""Clients that stop reading in the middle of a stream: their cost, and their effect on others."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import get_args
from uuid import UUID

import psutil
import pytest
from websockets.sync.client import ClientConnection

from tools.deployment.deployment import Deployment, Server
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake

STILL = 20
PIECE = "kelp " * 1_600
PIECES = 600  # of 8 KB each: much more than kernel buffers and our own window hold together
DELAY = 0.01
MEGABYTE = 2**20


@pytest.mark.prove
@pytest.mark.timeout(180)
@pytest.mark.parametrize("server", get_args(Server))
def test_clients_that_stop_reading_use_little_memory_and_delay_no_reader(server: Server) -> None:
    with Fake.spawn() as fake, deployed(server, fake) as deployment:
        owner = deployment.person()
        owner.add_key()
        read(owner, ask(deployment, owner))  # loading on first use is no cost of theirs
        with weighing(deployment.web.pid) as alone:
            usual = read(owner, ask(deployment, owner))
        with ExitStack() as still, weighing(deployment.web.pid) as together:
            stream = ask(deployment, owner)
            for _ in range(STILL):
                follow(still.enter_context(owner.socket(max_queue=1)), stream)
            beside = read(owner, stream)
        each = (together.peak - alone.peak) / STILL
        print(
            f"\n{server}: {each / MEGABYTE:.2f} MB each, {usual:.1f} s alone, {beside:.1f} s beside"
        )
        assert each < MEGABYTE
        assert beside < 1.5 * usual + 1


@contextmanager
def deployed(server: Server, fake: Fake) -> Iterator[Deployment]:
    fake.script(Behaviour.of(*[PIECE] * PIECES, delay=DELAY, times=None))
    environment = {"OPENAI_BASE_URL": fake.openai}
    with Deployment("stack", server=server, environment=environment) as deployment:
        yield deployment


def ask(deployment: Deployment, person: Person) -> UUID:
    return deployment.send(person, "Tell me all about kelp.", model="gpt-4o-mini")


def follow(socket: ClientConnection, stream: UUID) -> None:
    socket.send(json.dumps({"type": "follow", "stream": str(stream), "after": -1}))


def read(person: Person, stream: UUID) -> float:
    """Return the seconds in which a fast client reads everything."""
    began, length = time.monotonic(), 0
    with person.socket() as socket:
        follow(socket, stream)
        while (frame := json.loads(socket.recv(timeout=60)))["type"] != "end":
            if frame["type"] == "ping":
                socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
            length += len(frame.get("delta", ""))
    assert length == len(PIECE) * PIECES
    return time.monotonic() - began


class Scale:
    peak = 0


@contextmanager
def weighing(pid: int) -> Iterator[Scale]:
    """Return the maximum memory of a process in this block, measured twenty times a second."""
    scale, over, process = Scale(), threading.Event(), psutil.Process(pid)

    def weigh() -> None:
        while not over.wait(0.05):
            scale.peak = max(scale.peak, process.memory_info().rss)

    thread = threading.Thread(target=weigh)
    thread.start()
    try:
        yield scale
    finally:
        over.set()
        thread.join()
