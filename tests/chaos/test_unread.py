"""Clients of one-way doors that follow a large stream and never read."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, get_args
from uuid import UUID, uuid4

import httpx2
import psutil
import pytest

from tests.chaos.programs import ONE_WAY_DOORS, PROGRAM_DOORS, AnnouncedReply
from tests.chaos.test_slow_client import MEGABYTE, measure_peak, send_question, time_reading
from tests.streaming.event_client import is_broken_off, request_without_reading, wait_for_status
from tools.deployment.deployment import Deployment, Server
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

QUESTION = "Tell me all about kelp. \N{WATER WAVE}" * 3_900  # long, because no client may hold it
MODEL = "gpt-5.5"
PEOPLE_COUNT = 4
CLIENTS_PER_PERSON = 50
MAX_GROWTH_BYTES = 100 * MEGABYTE
PIECE_TEXT = "kelp\N{WATER WAVE}" * 1_600
PIECE_COUNT = 200  # 2.6 MB of text


class Load(NamedTuple):
    """The people of a deployment, and the streams that they follow."""

    deployment: Deployment
    people: Sequence[Person]

    def ask_all(self, door: str) -> list[AnnouncedReply]:
        return [self.ask(person, door) for person in self.people]

    def ask(self, person: Person, door: str) -> AnnouncedReply:
        """Through the door itself, if it shows only such replies."""
        if door not in PROGRAM_DOORS:
            return AnnouncedReply(str(send_question(self.deployment, person)))
        program, name = PROGRAM_DOORS[door], str(uuid4())
        request = program.ask(name, QUESTION, MODEL)
        headers = {"Authorization": f"Bearer {person.token}", **request.headers}
        address = f"{self.deployment.web.url}{request.path}"
        with httpx2.stream("POST", address, json=request.body, headers=headers) as answer:
            matches = map(program.stream_pattern.search, answer.iter_lines())
            [stream] = next(filter(None, matches)).groups()
        return AnnouncedReply(str(UUID(stream)), door, name, QUESTION)

    def read_all(self, replies: Sequence[AnnouncedReply]) -> None:
        for person, reply in zip(self.people, replies, strict=True):
            time_reading(person, UUID(reply.stream), len(PIECE_TEXT) * PIECE_COUNT)

    @contextmanager
    def follow_silently(
        self, door: str, replies: Sequence[AnnouncedReply]
    ) -> Iterator[list[socket.socket]]:
        """Open the connections of each person to their reply, and read none of them."""
        with ExitStack() as silent:
            connections = []
            for person, reply in zip(self.people, replies, strict=True):
                for _ in range(CLIENTS_PER_PERSON):
                    connection = silent.enter_context(self.request(door, person, reply))
                    assert wait_for_status(connection) == 200
                    connections.append(connection)
            yield connections

    def request(self, door: str, person: Person, reply: AnnouncedReply) -> socket.socket:
        request = ONE_WAY_DOORS[door](reply)
        return request_without_reading(
            self.deployment.web.port,
            request.path,
            method=request.method,
            body=b"" if request.body is None else json.dumps(request.body).encode(),
            Authorization=f"Bearer {person.token}",
        )

    def measure_memory(self) -> int:
        """Return the bytes that belong to the web process, and its share of what it shares."""
        return psutil.Process(self.deployment.web.pid).memory_full_info().pss


@contextmanager
def run_load(server: Server) -> Iterator[Load]:
    with Fake.spawn() as fake:
        fake.script(Behaviour.of(*[PIECE_TEXT] * PIECE_COUNT, delay=0.02, times=None))
        environment = {"OPENAI_BASE_URL": fake.openai}
        with Deployment("stack", server=server, environment=environment) as deployment:
            people = [deployment.person(f"person{number}") for number in range(PEOPLE_COUNT)]
            for person in people:
                person.add_key()
                person.create_token("read", "write", "gateway")
            yield Load(deployment, people)


@pytest.mark.prove
@pytest.mark.timeout(400)
@pytest.mark.parametrize("door", ONE_WAY_DOORS)
@pytest.mark.parametrize("server", get_args(Server))
def test_two_hundred_clients_that_never_read_use_little_memory(server: Server, door: str) -> None:
    """They follow replies that are being written, and then come once more to the same ones."""
    with run_load(server) as load:
        load.read_all(load.ask_all(door))  # loads modules at the first use
        with measure_peak(load.deployment.web.pid) as alone:
            load.read_all(load.ask_all(door))
        replies = load.ask_all(door)
        growths = [follow(load, door, replies, alone.peak, when) for when in ("live", "ended")]
        assert max(growths) < MAX_GROWTH_BYTES


def follow(
    load: Load, door: str, replies: Sequence[AnnouncedReply], peak_alone: int, when: str
) -> float:
    """Return by how many bytes the memory has grown at most."""
    before = load.measure_memory()
    with (
        measure_peak(load.deployment.web.pid) as together,
        load.follow_silently(door, replies) as connections,
    ):
        load.read_all(replies)
        growth = load.measure_memory() - before
        began = time.monotonic()
        until(lambda: all(map(is_broken_off, connections)), within=60)
    growth_of_peak = together.peak - peak_alone
    print(
        f"\n{load.deployment.server}, {door}, {when}, {len(connections)} clients: "
        f"{growth / MEGABYTE:.0f} MB more while they are connected, "
        f"{growth_of_peak / MEGABYTE:.0f} MB more at the peak, "
        f"all broken off {time.monotonic() - began:.0f} s later"
    )
    return max(growth, growth_of_peak)
