"""The application's commands of one socket run one after the other, and few wait."""

from __future__ import annotations

import asyncio
import json

import pytest

from streaming.doors import commands
from streaming.doors.commands import ClientCommand, Fields, register_command, run_in_turn
from streaming.doors.credentials import Credential
from streaming.doors.frames import FrameRejected
from streaming.doors.websocket import protocol
from streaming.doors.websocket.command_queue import (
    MAX_WAITING_COMMANDS,
    CommandQueue,
    run_command,
)
from streaming.doors.websocket.protocol import ApplicationCommand, parse_command

CREDENTIAL = Credential("any", is_token=False)


def parse(**frame: object) -> ApplicationCommand:
    command = parse_command(json.dumps({"type": "measure", "request": "1", **frame}))
    assert isinstance(command, ApplicationCommand)
    return command


class Sailor:
    pk = 7


def measure(user: Sailor, credential: Credential, fields: Fields) -> Fields:
    if "depth" not in fields:
        raise FrameRejected("no_depth", "Name a depth.", details={"retry_after": 3})
    return {"depth": fields["depth"], "by": user.pk, "with": credential.value}


@pytest.fixture(autouse=True)
def register_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_commands", {**commands._commands})
    register_command("measure", ClientCommand(run=measure, answer="depth", cost=3))


async def test_a_command_is_answered_with_its_request() -> None:
    command = parse(depth=4)
    assert command.cost == 3
    frame = json.loads(await run_command(Sailor(), CREDENTIAL, command))
    assert frame == {"type": "depth", "request": "1", "depth": 4, "by": 7, "with": "any"}
    refusal = json.loads(await run_command(Sailor(), CREDENTIAL, parse()))
    assert refusal == {
        "type": "error",
        "code": "no_depth",
        "message": "Name a depth.",
        "request": "1",
        "retry_after": 3,
    }


async def test_commands_run_one_after_the_other_and_few_wait() -> None:
    queue = CommandQueue()
    for _ in range(MAX_WAITING_COMMANDS):
        queue.reserve_place(parse())
    with pytest.raises(FrameRejected) as refused:
        queue.reserve_place(parse(request="11"))
    assert (refused.value.code, refused.value.request) == ("too_many", "11")
    first_began, release, order = asyncio.Event(), asyncio.Event(), []

    async def run(number: int) -> None:
        async with queue.wait_for_turn():
            order.append(number)
            first_began.set()
            await release.wait()

    tasks = [asyncio.create_task(run(number)) for number in range(3)]
    await first_began.wait()
    assert order == [0]
    release.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]
    for _ in range(3):
        queue.reserve_place(parse())


@pytest.mark.parametrize("field", ["request", "depth", r"\ud800"])
def test_half_a_character_is_refused(field: str) -> None:
    """The answer could not repeat it."""
    other = "" if field == "request" else '"request": "1", '
    with pytest.raises(FrameRejected) as refused:
        parse_command(f'{{"type": "measure", {other}"{field}": "\\ud800"}}')
    assert refused.value.code == "bad_frame"


def test_an_unknown_type_is_refused_with_all_known_ones() -> None:
    with pytest.raises(FrameRejected, match=r"hello, follow, .* and measure\.$"):
        parse_command('{"type": "measures"}')
    assert "measure" not in protocol.ENGINE_COMMANDS


async def test_without_a_server_of_its_own_a_command_runs_at_once() -> None:
    assert await run_in_turn(7, lambda: {"a": 1}) == {"a": 1}
