"""The frames in docs/protocol.md are those of the protocol, and its client follows the rules."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from streaming.doors import frames
from streaming.doors.frames import FrameRejected
from streaming.doors.websocket.protocol import parse_command
from streaming.follow import Ended, Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Kind, State

PROTOCOL_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
NAME = "9b2e…"  # of a stream, on the page
REPLY = {"conversation": "0e7a…", "question": "d2b4…", "message": "5c9d…", "stream": NAME}
ReadStream = Callable[[str, str, str, str], Awaitable[str]]


def reject_command() -> FrameRejected:
    with pytest.raises(FrameRejected) as refused:
        parse_command(json.dumps({"type": "follow", "stream": str(uuid4()), "after": -2}))
    return refused.value


def test_the_page_shows_every_frame_of_the_server() -> None:
    refused = json.loads(frames.encode_error(reject_command())) | {"stream": NAME}
    encoded = [
        frames.encode_hello(12),
        frames.encode_event(NAME, Chunk(13, 17, Kind.TEXT, "the tide ", 118)),
        frames.encode_event(NAME, Snapshot(41, "…", "", (57,))),
        frames.encode_event(NAME, StateChanged(State.RUNNING, "")),
        frames.encode_event(NAME, Ended(State.COMPLETED, 42, "stop", "", "")),
        frames.encode_answer("reply", "7c1d…", REPLY),
        frames.encode_changed(13),
        frames.encode_changed(14, "drafts"),
        frames.encode_ping(7, 13),
        frames.encode_pong(3),
        json.dumps(refused),
        frames.encode_bye(500),
    ]
    shown = "".join(re.findall(r"```json\n(.*?)```", PROTOCOL_PAGE, re.DOTALL)).splitlines()
    assert [json.loads(line) for line in shown] == [json.loads(frame) for frame in encoded]


def test_the_page_shows_every_command_of_a_client() -> None:
    rows = re.findall(r"^\| `(\{.*?\})` \|", PROTOCOL_PAGE, re.MULTILINE)
    stream = str(uuid4())
    commands = [type(parse_command(row.replace(NAME, stream))).__name__ for row in rows]
    engine = ["Hello", "Follow", "Unfollow", "Stop", "Ping", "Pong"]
    assert commands == engine + ["ApplicationCommand"] * 2


@pytest.fixture(scope="module")
def read_stream() -> ReadStream:
    """The client in docs/protocol.md."""
    code = re.search(r"```python\n(.*?)```", PROTOCOL_PAGE, re.DOTALL)
    assert code
    names: dict[str, Any] = {"__name__": "client"}
    exec(compile(code.group(1), "protocol.md", "exec"), names)
    client: ReadStream = names["read"]
    return client


def encode_chunks(*indexes: int) -> Iterator[str]:
    """Encode chunks of a stream whose text is its indexes."""
    for index in indexes:
        yield frames.encode_event(NAME, Chunk(index, index, Kind.TEXT, str(index), index))


def encode_end(next_index: int) -> str:
    return frames.encode_event(NAME, Ended(State.COMPLETED, next_index, "stop", "", ""))


@asynccontextmanager
async def run_server(*sockets: Sequence[list[str] | int]) -> AsyncIterator[tuple[str, list[int]]]:
    """Run a server that answers each `follow` of each socket in turn with these frames. An int
    closes the socket with this code. Yields the address, and the cursors that the client sent."""
    scripts = iter(sockets)
    cursors: list[int] = []

    async def serve_one(socket: ServerConnection) -> None:
        for script in next(scripts):
            if isinstance(script, int):
                await socket.close(script)
                return
            cursors.append(json.loads(await socket.recv())["after"])
            for frame in script:
                await socket.send(frame)
        await socket.wait_closed()

    async with serve(serve_one, "127.0.0.1", 0) as serving:
        yield f"ws://127.0.0.1:{next(iter(serving.sockets)).getsockname()[1]}", cursors


async def test_the_client_reconnects_and_leaves_no_hole(read_stream: ReadStream) -> None:
    before: list[list[str] | int] = [[frames.encode_hello(1), *encode_chunks(0, 1)], 1001]
    after = [
        [*encode_chunks(1, 2, 4)],
        [*encode_chunks(3), encode_end(5)],
        [*encode_chunks(4), encode_end(5)],
    ]
    async with run_server(before, after) as (url, cursors):
        assert await read_stream(url, "", url, NAME) == "01234"
    assert cursors == [-1, 1, 2, 3]


async def test_the_client_replaces_its_text_by_a_snapshot(read_stream: ReadStream) -> None:
    snapshot = frames.encode_event(NAME, Snapshot(7, "all", "", ()))
    async with run_server([[*encode_chunks(0), snapshot, encode_end(8)]]) as (url, _):
        assert await read_stream(url, "", url, NAME) == "all"


async def test_the_client_does_not_reconnect_when_that_is_useless(read_stream: ReadStream) -> None:
    async with run_server([4401]) as (url, _):
        with pytest.raises(ConnectionClosed):
            await read_stream(url, "", url, NAME)
    refused = frames.encode_error(
        FrameRejected("not_found", "There is no such stream.", UUID(int=0))
    )
    async with run_server([[refused]]) as (url, _):
        with pytest.raises(LookupError, match="There is no such stream"):
            await read_stream(url, "", url, NAME)
