"""Commands of sockets take the slots of POST requests, and are charged like them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from threading import Event
from typing import Any

import pytest

from config import request_queue
from config.command_turns import CommandTurns
from config.fair_share import Client
from config.request_queue import (
    MAX_RUNNING_PER_USER,
    REPLY_SECONDS,
    ClientLimiter,
    SharesByKind,
)
from streaming.doors.frames import FrameRejected


@pytest.fixture
def shares() -> SharesByKind:
    return SharesByKind()


@pytest.fixture
def limiter() -> ClientLimiter:
    return ClientLimiter()


async def test_a_command_is_charged_like_its_post(
    shares: SharesByKind, limiter: ClientLimiter
) -> None:
    turns = CommandTurns(shares, limiter)
    assert await turns.run(7, lambda: {"a": 1}) == {"a": 1}
    with pytest.raises(ValueError):
        await turns.run(7, lambda: {"a": int("x")})
    usage = shares.forms.usage_by_client["user 7"]
    assert usage.seconds >= 2 * REPLY_SECONDS * 0.9  # it decays
    assert shares.forms.running_count == 0
    assert limiter.running_counts == {}


async def test_a_person_has_no_more_slots_than_for_posts(
    shares: SharesByKind, limiter: ClientLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_queue, "MAX_WAITING_PER_CLIENT", 0)
    turns, release = CommandTurns(shares, limiter), Event()

    def wait() -> Mapping[str, Any]:
        assert release.wait(20)
        return {}

    running = [asyncio.create_task(turns.run(7, wait)) for _ in range(MAX_RUNNING_PER_USER)]
    await asyncio.sleep(0)  # they have taken their slots
    with pytest.raises(FrameRejected) as refused:
        await turns.run(7, dict)
    assert (refused.value.code, refused.value.details) == ("unavailable", {"retry_after": 5})
    release.set()
    assert await asyncio.gather(*running) == [{}] * MAX_RUNNING_PER_USER
    await shares.forms.acquire_slot(Client("user 8", is_visitor=False))
