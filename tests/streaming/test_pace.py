"""The pace of one user's commands over all sockets."""

from __future__ import annotations

import gc

from streaming.doors.websocket import pace
from streaming.doors.websocket.pace import MAX_COMMANDS_AT_ONCE, get_pace


async def test_commands_beyond_those_of_a_moment_wait_for_their_turn() -> None:
    turns = get_pace(1)
    delays = [turns.reserve_turn() for _ in range(MAX_COMMANDS_AT_ONCE + 500)]
    assert delays[: MAX_COMMANDS_AT_ONCE - 1] == [0.0] * (MAX_COMMANDS_AT_ONCE - 1)
    assert 1.5 < delays[-1] <= 2.1
    assert delays == sorted(delays)


async def test_all_sockets_of_a_user_share_one_pace_and_others_have_their_own() -> None:
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
