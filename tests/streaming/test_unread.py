"""The bodies of one-way doors wait for their readers, and are broken off beyond a limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from streaming.doors import unread
from streaming.doors.unread import (
    MAX_UNREAD_BYTES_PER_RESPONSE,
    PIECE_BYTES,
    BoundedBody,
    BrokenOff,
    use_connection,
)

TIMEOUT_SECONDS = 10.0
ROOM_BYTES = 64 * 1024


class FakeConnection:
    """Holds what is sent until `read` is called."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.unread_bytes = 0
        self.is_aborted = False
        self._has_room = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.unread_bytes += len(message["body"])

    def read(self, count: int) -> None:
        self.unread_bytes -= count
        if self.is_writable():
            self._has_room.set()

    def is_writable(self) -> bool:
        return self.unread_bytes <= ROOM_BYTES or self.is_aborted

    async def wait_until_writable(self) -> None:
        self._has_room.clear()
        await self._has_room.wait()

    def count_unread_bytes(self) -> int:
        return self.unread_bytes

    def abort(self) -> None:
        self.is_aborted, self.unread_bytes = True, 0
        self._has_room.set()


class Answer(BoundedBody):
    """A body over a connection of its own."""

    def __init__(self, owner_id: int = 1) -> None:
        self.connection = FakeConnection()
        with use_connection(self.connection):
            super().__init__(self.connection.send, owner_id)


@pytest.fixture(autouse=True)
def open_bodies(monkeypatch: pytest.MonkeyPatch) -> unread.OpenBodies:
    """The bodies of this test alone."""
    bodies = unread.OpenBodies()
    monkeypatch.setattr(unread, "_open_bodies", bodies)
    return bodies


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "READ_TIMEOUT_SECONDS", 0.1)


async def start_sending(answer: Answer, part: bytes, **options: bool) -> asyncio.Task[None]:
    """Send until the body waits for its reader."""
    task = asyncio.create_task(answer.send_part(part, **options))
    for _ in range(100):
        await asyncio.sleep(0)
    return task


async def wait_for_check() -> None:
    """Later than a check that was scheduled before."""
    await asyncio.sleep(unread.CHECK_DELAY_SECONDS)


# The pace


async def test_a_large_part_is_sent_as_fast_as_its_client_reads() -> None:
    answer = Answer()
    part = bytes(range(256)) * (3 * PIECE_BYTES // 256) + b"rest"
    task = await start_sending(answer, part)
    sizes = [ROOM_BYTES]
    while not task.done():
        sizes.append(answer.connection.unread_bytes)
        answer.connection.read(answer.connection.unread_bytes)
        for _ in range(10):
            await asyncio.sleep(0)
    await task
    assert max(sizes) <= ROOM_BYTES + PIECE_BYTES
    assert b"".join(message["body"] for message in answer.connection.messages) == part
    assert all(message["more_body"] for message in answer.connection.messages)


async def test_a_body_ends_after_its_client_has_read_everything() -> None:
    answer = Answer()
    task = await start_sending(answer, b"the end", is_last=True)
    assert [message["more_body"] for message in answer.connection.messages] == [True]
    answer.connection.read(7)
    await asyncio.wait_for(task, TIMEOUT_SECONDS)
    assert answer.connection.messages[-1] == {
        "type": "http.response.body",
        "body": b"",
        "more_body": False,
    }


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.usefixtures("short_patience")
async def test_a_client_that_reads_nothing_is_broken_off(is_last: bool) -> None:
    answer = Answer()
    with pytest.raises(TimeoutError):
        await answer.send_part(b"x" * 3 * PIECE_BYTES, is_last=is_last)
    assert answer.connection.is_aborted
    with pytest.raises(BrokenOff):
        await answer.send_part(b"more")


@pytest.mark.parametrize("is_last", [False, True])
async def test_a_client_that_reads_slowly_is_waited_for(
    is_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "READ_TIMEOUT_SECONDS", 1)
    answer = Answer()
    task = asyncio.create_task(answer.send_part(b"x" * 2 * PIECE_BYTES + b"y", is_last=is_last))
    ended_at = asyncio.get_running_loop().time() + 2.2
    while asyncio.get_running_loop().time() < ended_at:
        await asyncio.sleep(0.01)
        answer.connection.read(1)
    assert not task.done()
    answer.connection.read(answer.connection.unread_bytes)
    await asyncio.sleep(0.01)
    answer.connection.read(answer.connection.unread_bytes)
    await asyncio.wait_for(task, TIMEOUT_SECONDS)
    assert not answer.connection.is_aborted


async def test_a_part_that_is_cancelled_in_its_middle_breaks_the_body_off() -> None:
    answer = Answer()
    task = await start_sending(answer, b"x" * 3 * PIECE_BYTES)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(BrokenOff):
        await answer.send_part(b"another part")
    assert answer.connection.is_aborted


async def test_a_part_that_is_cancelled_before_its_start_can_be_followed_by_another() -> None:
    answer = Answer()
    await answer.send_part(b"x" * PIECE_BYTES)
    await answer.send_part(b"y")
    task = await start_sending(answer, b"never sent")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    answer.connection.read(PIECE_BYTES + 1)
    await answer.send_part(b"next")
    assert [message["body"][:4] for message in answer.connection.messages] == [
        b"xxxx",
        b"y",
        b"next",
    ]


@pytest.mark.usefixtures("short_patience")
async def test_a_server_that_registers_no_connection_has_to_wait_itself() -> None:
    async def send(message: dict[str, Any]) -> None:
        messages.append(message)
        if message["body"] == b"stuck":
            await asyncio.Event().wait()

    messages: list[dict[str, Any]] = []
    body = BoundedBody(send, 1)
    await body.send_part(b"x" * 3 * PIECE_BYTES, is_last=True)
    assert [message["more_body"] for message in messages] == [False]
    with pytest.raises(TimeoutError):
        await body.send_part(b"stuck")


# The limits


async def test_a_part_that_waits_counts_for_its_owner_and_not_for_its_response(
    settings: Settings,
) -> None:
    part = b"x" * (2 * MAX_UNREAD_BYTES_PER_RESPONSE)
    settings.STREAMING_MAX_UNREAD_BYTES_PER_USER = 5 * len(part) // 2
    answers = [Answer(), Answer(), Answer(2)]
    tasks = [await start_sending(answer, part) for answer in answers]
    await wait_for_check()
    assert not any(answer.connection.is_aborted for answer in answers)
    answers.append(Answer())
    tasks.append(await start_sending(answers[-1], part))
    await wait_for_check()
    assert [answer.connection.is_aborted for answer in answers].count(True) == 1
    assert not answers[2].connection.is_aborted
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert {answer.count_unread_bytes() <= ROOM_BYTES + PIECE_BYTES for answer in answers} == {True}


async def test_one_response_holds_two_megabytes_at_most() -> None:
    answer = Answer()
    count = MAX_UNREAD_BYTES_PER_RESPONSE // PIECE_BYTES + 1
    parts = [answer.send_part(b"x" * PIECE_BYTES) for _ in range(count)]
    answer.connection.is_writable = lambda: True  # type: ignore[method-assign]
    await asyncio.gather(*parts[:-1])
    await wait_for_check()
    assert not answer.connection.is_aborted
    await parts[-1]
    await wait_for_check()
    with pytest.raises(BrokenOff):
        await answer.send_part(b"more")


async def test_beyond_the_limit_of_a_person_their_largest_response_is_broken_off(
    settings: Settings,
) -> None:
    settings.STREAMING_MAX_UNREAD_BYTES_PER_USER = 1_000
    small, large, another, foreign = Answer(), Answer(), Answer(), Answer(owner_id=2)
    await foreign.send_part(b"x" * 900)
    await small.send_part(b"x" * 200)
    await large.send_part(b"x" * 600)
    await another.send_part(b"x" * 200)
    await wait_for_check()
    assert not large.connection.is_aborted
    await another.send_part(b"x")
    await wait_for_check()
    assert [answer.connection.is_aborted for answer in (small, large, another, foreign)] == [
        False,
        True,
        False,
        False,
    ]


async def test_beyond_the_limit_of_a_process_the_person_with_the_most_loses_a_response(
    settings: Settings,
) -> None:
    settings.STREAMING_MAX_UNREAD_BYTES = 1_000
    several = [Answer(owner_id=1) for _ in range(3)]
    largest = Answer(owner_id=2)
    for answer in several:
        await answer.send_part(b"x" * 200)
    await largest.send_part(b"x" * 400)
    newcomer = Answer(owner_id=3)
    await newcomer.send_part(b"x" * 100)
    await wait_for_check()
    assert sum(answer.connection.is_aborted for answer in several) == 1
    assert not largest.connection.is_aborted
    assert not newcomer.connection.is_aborted


async def test_bytes_that_were_read_meanwhile_do_not_count(settings: Settings) -> None:
    settings.STREAMING_MAX_UNREAD_BYTES_PER_USER = settings.STREAMING_MAX_UNREAD_BYTES = 1_000
    first, second = Answer(), Answer()
    await first.send_part(b"x" * 900)
    first.connection.read(900)
    await second.send_part(b"x" * 900)
    await wait_for_check()
    assert not first.connection.is_aborted
    assert not second.connection.is_aborted


async def test_a_closed_body_does_not_count_and_sends_nothing(
    settings: Settings, open_bodies: unread.OpenBodies
) -> None:
    settings.STREAMING_MAX_UNREAD_BYTES_PER_USER = settings.STREAMING_MAX_UNREAD_BYTES = 1_000
    for _ in range(3):
        answer = Answer()
        await answer.send_part(b"x" * 900)
        answer.close()
        await wait_for_check()
        assert not answer.connection.is_aborted
    with pytest.raises(BrokenOff):
        await answer.send_part(b"more")
    assert vars(open_bodies) == vars(unread.OpenBodies())
