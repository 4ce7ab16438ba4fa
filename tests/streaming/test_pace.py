"""The pace of one user's commands over all sockets."""

from __future__ import annotations

import gc
import json
from types import SimpleNamespace
from uuid import uuid4

import pytest

from streaming.doors.websocket import pace
from streaming.doors.websocket.consumer import FollowConsumer
from streaming.doors.websocket.pace import (
    FOLLOW_COST,
    MAX_COMMANDS_AT_ONCE,
    MAX_COMMANDS_PER_SECOND,
    CommandPace,
    get_pace,
)
from streaming.doors.websocket.protocol import Follow


class Clock:
    """The time of the loop, which the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "asyncio", SimpleNamespace(get_running_loop=lambda: clock))
    return clock


def test_commands_beyond_those_of_a_moment_wait_for_their_turn(clock: Clock) -> None:
    turns = CommandPace()
    delays = [turns.reserve_turn() for _ in range(MAX_COMMANDS_AT_ONCE + 501)]
    assert delays[:MAX_COMMANDS_AT_ONCE] == [0.0] * MAX_COMMANDS_AT_ONCE
    waits = [n / MAX_COMMANDS_PER_SECOND for n in range(501)]
    assert delays[MAX_COMMANDS_AT_ONCE:] == pytest.approx(waits, abs=1e-6)
    clock.now += delays[-1] + 1 / MAX_COMMANDS_PER_SECOND
    assert turns.reserve_turn() == pytest.approx(0.0, abs=1e-6)


def test_a_follow_takes_the_turns_of_ten_commands(clock: Clock) -> None:
    turns = CommandPace()
    follows = MAX_COMMANDS_AT_ONCE // FOLLOW_COST
    delays = [turns.reserve_turn(FOLLOW_COST) for _ in range(follows + 3)]
    assert delays[:follows] == [0.0] * follows
    waits = [n * FOLLOW_COST / MAX_COMMANDS_PER_SECOND for n in range(3)]
    assert delays[follows:] == pytest.approx(waits, abs=1e-6)


@pytest.mark.parametrize(("command", "cost"), [("follow", FOLLOW_COST), ("unfollow", 1)])
async def test_a_socket_charges_what_a_command_costs(
    command: str, cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Follow] = []
    socket = FollowConsumer()
    socket.user = SimpleNamespace(pk=1)
    socket._pace = get_pace(1)
    charged: list[int] = []

    def reserve_turn(_: CommandPace, cost: int = 1) -> float:
        charged.append(cost)
        return 0.0

    monkeypatch.setattr(CommandPace, "reserve_turn", reserve_turn)
    monkeypatch.setattr(socket, "_start_following", followed.append)
    await socket.receive(json.dumps({"type": command, "stream": str(uuid4())}))
    assert sum(charged) == cost
    assert len(followed) == (command == "follow")


def test_all_sockets_of_a_user_share_one_pace_and_others_have_their_own() -> None:
    first = get_pace(1)
    assert get_pace(1) is first
    for _ in range(MAX_COMMANDS_AT_ONCE * 2):
        first.reserve_turn()
    assert get_pace(1).reserve_turn() > 0
    assert get_pace(2).reserve_turn() == 0


def test_the_pace_of_a_user_without_a_socket_is_forgotten() -> None:
    for user_id in range(1000):
        get_pace(user_id)
    gc.collect()
    assert len(pace._paces) <= 1
