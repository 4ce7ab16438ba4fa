"""No frame causes a crash or a leak of a socket.

A failing input is printed as SEED:NUMBER. To send that socket's frames again:
`FUZZ_INPUT=SEED:NUMBER .venv/bin/python -m pytest -m "" tests/fuzz/test_sockets.py -k one_socket`
"""

from __future__ import annotations

import os
import time
from typing import get_args

import pytest

from streaming import hub as hubs
from streaming.doors.commands import list_commands
from streaming.doors.websocket.protocol import ApplicationCommand, Command
from tests.fuzz.form_fuzzer import measure_memory
from tests.fuzz.socket_fuzzer import FRAMES_PER_SOCKET, OWN_TEXT, SocketFuzzer
from tests.fuzz.socket_inputs import FIELDS
from tests.fuzz.test_forms import INPUTS, MAX_GROWTH_BYTES, SEED

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("default"),  # as on a server
]


async def run_fuzzer(numbers: range, seed: int = SEED) -> SocketFuzzer:
    from config.asgi import application

    fuzzer = SocketFuzzer(application, seed)
    try:
        await fuzzer.prepare()
        await fuzzer.run(numbers)
        assert OWN_TEXT in await fuzzer.ask_as_person()
    finally:
        await hubs.close()
    for failure in fuzzer.failures:
        print(f"Found by {failure}\n")
    return fuzzer


@pytest.mark.django_db(transaction=False)
def test_every_command_has_its_fields_in_the_fuzzer() -> None:
    fields = {
        command.__name__.lower(): tuple(command.__dataclass_fields__)
        for command in get_args(Command)
        if command is not ApplicationCommand
    }
    assert {name: FIELDS[name] for name in fields} == fields
    assert FIELDS.keys() == fields.keys() | {*list_commands()}


async def test_two_thousand_malformed_frames_crash_no_socket() -> None:
    assert (await run_fuzzer(range(2_000))).failures == []


@pytest.mark.prove
@pytest.mark.timeout(1800)
async def test_100_000_frames_cause_no_crash_and_no_leak() -> None:
    started_at = time.monotonic()
    warm_up = await run_fuzzer(range(INPUTS // 10))
    before = measure_memory()
    fuzzer = await run_fuzzer(range(INPUTS // 10, INPUTS))
    grown = measure_memory() - before
    seconds = time.monotonic() - started_at
    print(f"{INPUTS:,} frames of seed {SEED} in {seconds:.0f} s; memory {grown / 2**20:+.1f} MB")
    print("most frequent answers:", fuzzer.answers.most_common(12))
    assert warm_up.failures + fuzzer.failures == []
    assert grown < MAX_GROWTH_BYTES


@pytest.mark.prove
@pytest.mark.skipif("FUZZ_INPUT" not in os.environ, reason="FUZZ_INPUT names no input")
async def test_one_socket_is_no_crash() -> None:
    seed, number = map(int, os.environ["FUZZ_INPUT"].split(":"))
    assert (await run_fuzzer(range(number, number + FRAMES_PER_SOCKET), seed)).failures == []
