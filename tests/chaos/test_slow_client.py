"""The memory of clients that stop reading in the middle of a stream, and their effect on others."""

import json
import socket
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

STOPPED_CLIENTS = 20
PIECE_TEXT = "kelp " * 1_600
PIECE_COUNT = 240  # of 8 KB each: more than the send window, and less than the limit of a reply
PIECE_SECONDS = 0.02
MEGABYTE = 2**20


@pytest.mark.prove
@pytest.mark.timeout(180)
@pytest.mark.parametrize("door", ["socket", "events"])
@pytest.mark.parametrize("server", get_args(Server))
def test_clients_that_stop_reading_use_little_memory_and_delay_no_reader(
    server: Server, door: str
) -> None:
    with Fake.spawn() as fake, run_deployment(server, fake) as deployment:
        owner = deployment.person()
        owner.add_key()
        time_reading(owner, send_question(deployment, owner))  # loads modules at the first use
        with measure_peak(deployment.web.pid) as alone:
            usual = time_reading(owner, send_question(deployment, owner))
        with ExitStack() as stopped, measure_peak(deployment.web.pid) as together:
            stream = send_question(deployment, owner)
            for _ in range(STOPPED_CLIENTS):
                if door == "socket":
                    send_follow(
                        stopped.enter_context(owner.socket(max_queue=1, close_timeout=1)), stream
                    )
                else:
                    stopped.enter_context(request_events(owner, deployment.web.port, stream))
            beside = time_reading(owner, stream)
        bytes_each = (together.peak - alone.peak) / STOPPED_CLIENTS
        print(
            f"\n{server}, {door}: {bytes_each / MEGABYTE:.2f} MB each, "
            f"{usual:.1f} s alone, {beside:.1f} s beside"
        )
        assert bytes_each < MEGABYTE
        assert beside < 1.5 * usual + 1


@contextmanager
def run_deployment(server: Server, fake: Fake) -> Iterator[Deployment]:
    fake.script(Behaviour.of(*[PIECE_TEXT] * PIECE_COUNT, delay=PIECE_SECONDS, times=None))
    environment = {"OPENAI_BASE_URL": fake.openai}
    with Deployment("stack", server=server, environment=environment) as deployment:
        yield deployment


def send_question(deployment: Deployment, person: Person) -> UUID:
    return deployment.send(person, "Tell me all about kelp.", model="gpt-5.5")


def send_follow(socket: ClientConnection, stream: UUID) -> None:
    socket.send(json.dumps({"type": "follow", "stream": str(stream), "after": -1}))


def request_events(person: Person, port: int, stream: UUID) -> socket.socket:
    """Ask for the events of a stream, on a connection that takes as little as possible."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    session = person.cookies["sessionid"]
    head = f"GET /api/streams/{stream}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}"
    connection.sendall(f"{head}\r\nCookie: sessionid={session}\r\n\r\n".encode())
    return connection


def time_reading(person: Person, stream: UUID, chars: int = len(PIECE_TEXT) * PIECE_COUNT) -> float:
    """Return the seconds in which a fast client reads everything."""
    began, length = time.monotonic(), 0
    with person.socket() as socket:
        send_follow(socket, stream)
        while (frame := json.loads(socket.recv(timeout=60)))["type"] != "end":
            if frame["type"] == "ping":
                socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
            length += len(frame.get("delta", ""))
    assert length == chars
    return time.monotonic() - began


class PeakMemory:
    peak = 0


@contextmanager
def measure_peak(pid: int) -> Iterator[PeakMemory]:
    """Yield the maximum memory of a process in this block, measured twenty times a second."""
    memory, is_over, process = PeakMemory(), threading.Event(), psutil.Process(pid)

    def measure() -> None:
        while not is_over.wait(0.05):
            memory.peak = max(memory.peak, process.memory_info().rss)

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield memory
    finally:
        is_over.set()
        thread.join()
