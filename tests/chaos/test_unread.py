"""Clients of one-way doors that follow a large, live stream and never read."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, get_args
from uuid import UUID

import psutil
import pytest

from tests.chaos.test_slow_client import MEGABYTE, measure_peak, send_question, time_reading
from tests.streaming.event_client import is_broken_off, request_without_reading
from tools.deployment.deployment import Deployment, Server
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

PATHS = {"events": "/api/streams/{}/events"}
"""The address of a stream at each door."""
PEOPLE_COUNT = 4
CLIENTS_PER_PERSON = 50
MAX_GROWTH_BYTES = 100 * MEGABYTE
PIECE_TEXT = "kelp\N{WATER WAVE}" * 1_600
PIECE_COUNT = 200  # 2.6 MB of text


class Load(NamedTuple):
    """The people of a deployment, and the streams that they follow."""

    deployment: Deployment
    people: Sequence[Person]

    def ask_all(self) -> list[UUID]:
        return [send_question(self.deployment, person) for person in self.people]

    def read_all(self, streams: Sequence[UUID]) -> None:
        for person, stream in zip(self.people, streams, strict=True):
            time_reading(person, stream, len(PIECE_TEXT) * PIECE_COUNT)

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
            yield Load(deployment, people)


@pytest.mark.prove
@pytest.mark.timeout(240)
@pytest.mark.parametrize("door", PATHS)
@pytest.mark.parametrize("server", get_args(Server))
def test_two_hundred_clients_that_never_read_use_little_memory(server: Server, door: str) -> None:
    with run_load(server) as load, ExitStack() as silent:
        load.read_all(load.ask_all())  # loads modules at the first use
        with measure_peak(load.deployment.web.pid) as alone:
            load.read_all(load.ask_all())
        before = load.measure_memory()
        with measure_peak(load.deployment.web.pid) as together:
            streams = load.ask_all()
            connections = [
                silent.enter_context(
                    request_without_reading(
                        load.deployment.web.port,
                        PATHS[door].format(stream),
                        person.cookies["sessionid"],
                    )
                )
                for person, stream in zip(load.people, streams, strict=True)
                for _ in range(CLIENTS_PER_PERSON)
            ]
            load.read_all(streams)
        growth = load.measure_memory() - before
        began = time.monotonic()
        until(lambda: all(map(is_broken_off, connections)), within=60)
        print(
            f"\n{server}, {door}, {len(connections)} clients: "
            f"{growth / MEGABYTE:.0f} MB more while they are connected, "
            f"{(together.peak - alone.peak) / MEGABYTE:.0f} MB more at the peak, "
            f"all broken off {time.monotonic() - began:.0f} s later"
        )
        assert growth < MAX_GROWTH_BYTES
        assert together.peak - alone.peak < MAX_GROWTH_BYTES
