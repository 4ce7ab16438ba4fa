"""Messages of processes of another version, which run beside this one during a deployment. Those of
the previous version are understood, and those of a later one do no harm."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import get_channel_layer
from django.db import connection
from django.db.models.functions import Now
from django.test import override_settings

from accounts.models import User
from streaming import journal
from streaming.database import run_in_db
from streaming.doors.frames import encode_event
from streaming.events import StreamText
from streaming.follow import follow_stream
from streaming.hub import STREAMS_GROUP, WORKERS_GROUP, Hub, Notification, user_group
from streaming.hub.sealed_layer import SealedLayer, hash_group_name
from streaming.models import State, Stream
from streaming.worker import worker as workers
from tests.streaming.conftest import WorkerPool
from tests.streaming.factories import SOURCE, queue_stream, reload_stream, wait_until
from tests.streaming.fake_source import FakeSource
from tests.streaming.test_follow import EventReader
from tools.waiting import until_async

FOLDER = Path(__file__).resolve().parents[1] / "upgrades" / "messages"
VERSIONS = sorted(file.stem for file in FOLDER.glob("*.json"))
TEXT, REASONING, SEAM = 0, 1, 2  # the kinds of a chunk, as they are stored


@dataclass(frozen=True)
class Recording:
    """All messages that processes of a version sent through Redis, and their journal.

    tests/upgrades/record_messages.py made it.
    """

    secret: str
    sealed: list[tuple[str, bytes]]
    streams: dict[str, dict[str, Any]]
    messages: list[dict[str, Any]]

    def sent_to(self, group: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("group") == group]


@pytest.fixture(params=VERSIONS)
def recording(request: pytest.FixtureRequest) -> Recording:
    """The recording, with its messages decrypted as by a process that ran beside the older ones."""
    record = json.loads((FOLDER / f"{request.param}.json").read_text())
    sealed = [(one["channel"], base64.b64decode(one["data"])) for one in record["messages"]]
    with override_settings(SECRET_KEY=record["secret"]), pytest.MonkeyPatch.context() as clock:
        clock.setattr(time, "time_ns", lambda: record["recorded_ns"])
        layer = SealedLayer()
        messages = [message for _, data in sealed if (message := layer.deserialize(data))]
    assert len(messages) == len(sealed), "some were rejected"
    return Recording(record["secret"], sealed, record["streams"], messages)


def test_messages_of_an_older_version_open_and_come_through_the_same_channels(
    recording: Recording,
) -> None:
    hash_group_name.cache_clear()
    with override_settings(SECRET_KEY=recording.secret):
        for (channel, _), message in zip(recording.sealed, recording.messages, strict=True):
            if group := message.get("group"):
                assert channel == f"asgi__group__{hash_group_name(group, recording.secret)}"
    hash_group_name.cache_clear()


def join_chunks(chunks: list[list[Any]]) -> StreamText:
    """Return the text of recorded chunks."""
    content, reasoning = (
        "".join(delta for _, kind, delta, _ in chunks if kind == wanted)
        for wanted in (TEXT, REASONING)
    )
    seams = tuple(offset for _, kind, _, offset in chunks if kind == SEAM)
    return StreamText(content, reasoning, seams, len(chunks))


def create_stream(owner: User, id: int, state: State = State.RUNNING, **fields: Any) -> Stream:
    """A stream with an empty journal. No notification is published."""
    return Stream.objects.create(
        id=id, owner=owner, request_id=uuid4(), source=SOURCE, state=state, **fields
    )


async def send_messages(group: str, *bodies: object) -> None:
    layer: Any = get_channel_layer()
    for body in bodies:
        await layer.group_send(group, {"type": "bell", "group": group, "body": body})


async def wait_until_joined(hub: Hub, group: str) -> None:
    await wait_until(lambda: group in hub._joined_groups)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_followers_get_every_index_from_messages_of_an_older_version(
    owner: User, hub: Hub, recording: Recording
) -> None:
    """The journal stays empty, so the text can only come from the messages."""
    readers = {}
    async with asyncio.TaskGroup() as reading:
        for recorded in recording.streams.values():
            stream = await run_in_db(create_stream, owner, recorded["id"])
            reader = readers[recorded["id"]] = EventReader()
            reading.create_task(reader.read(stream))
        await wait_until(lambda: all(reader.events for reader in readers.values()))
        await wait_until_joined(hub, STREAMS_GROUP)
        await send_messages(STREAMS_GROUP, *(m["body"] for m in recording.sent_to(STREAMS_GROUP)))
    for recorded in recording.streams.values():
        reader = readers[recorded["id"]]
        assert reader.has_text(join_chunks(recorded["chunks"]))
        assert reader.end is not None
        assert (reader.end.state, reader.end.next_index) == (
            recorded["state"],
            recorded["next_index"],
        )


@pytest.mark.django_db(transaction=True)
async def test_a_worker_claims_a_stream_that_an_older_version_announces(
    owner: User,
    worker_pool: WorkerPool,
    hub: Hub,
    fake_source: FakeSource,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "POLL_SECONDS", 1000.0)
    message = next(
        m for m in recording.sent_to(WORKERS_GROUP) if m["body"]["type"] == "stream.queued"
    )
    script = fake_source.script()
    await worker_pool.start()
    await wait_until_joined(hub, WORKERS_GROUP)
    await run_in_db(create_stream, owner, 1, State.QUEUED)
    await send_messages(WORKERS_GROUP, message["body"])
    await wait_until(lambda: script.calls)


@pytest.mark.django_db(transaction=True)
async def test_a_worker_ends_a_run_that_an_older_version_has_stopped(
    owner: User,
    worker_pool: WorkerPool,
    fake_source: FakeSource,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "POLL_SECONDS", 1000.0)
    message = next(
        m for m in recording.sent_to(WORKERS_GROUP) if m["body"]["type"] == "stream.ended"
    )
    script = fake_source.script()
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_until(lambda: script.calls)
    await run_in_db(stop_as_an_older_process_does, stream)
    await send_messages(WORKERS_GROUP, message["body"] | {"stream_id": stream.pk})
    await wait_until(lambda: script.closed)


def stop_as_an_older_process_does(stream: Stream) -> None:
    """Change the row, and send no notification."""
    stopped = Stream.objects.filter(pk=stream.pk, state=State.RUNNING)
    assert stopped.update(state=State.STOPPED, ended_at=Now()) == 1


LATER_MESSAGES: list[object] = [
    {},
    {"version": 99},
    {"version": 99, "chunks": {"of": "another shape"}, "head": {"and": "this"}},
    {"version": "2.1", "chunks": [[7]]},
    {"chunks": [[7], [0], [TEXT]]},
    {"head": [7, 1, "paused", "a state of later", 0, "", "", "", False]},
    {"head": []},
    {"appends": [{"stream": 7, "text": "by other names"}]},
    ["no names at all"],
    "neither",
    None,
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_after_messages_of_a_later_version_a_follower_gets_the_next_one(
    owner: User, hub: Hub, recording: Recording
) -> None:
    recorded = recording.streams["queued"]
    stream = await run_in_db(create_stream, owner, recorded["id"])
    reader, layer = EventReader(), get_channel_layer()
    async with asyncio.TaskGroup() as reading:
        reading.create_task(reader.read(stream))
        await wait_until_joined(hub, STREAMS_GROUP)
        await send_messages(STREAMS_GROUP, *LATER_MESSAGES)
        for envelope in ({"type": "later"}, {"group": STREAMS_GROUP, "type": "later"}):
            await layer.group_send(STREAMS_GROUP, envelope)  # type: ignore[union-attr]
        await send_messages(STREAMS_GROUP, *(m["body"] for m in recording.sent_to(STREAMS_GROUP)))
    assert reader.has_text(join_chunks(recorded["chunks"]))


@pytest.mark.django_db(transaction=True)
async def test_a_worker_continues_after_messages_of_a_later_version(
    owner: User,
    worker_pool: WorkerPool,
    hub: Hub,
    fake_source: FakeSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "POLL_SECONDS", 1000.0)
    await worker_pool.start()
    await wait_until_joined(hub, WORKERS_GROUP)
    for body in ({"type": "stream.paused", "version": 99}, {"type": "stream.ended"}, {"type": 7}):
        await send_messages(WORKERS_GROUP, body)
    script = fake_source.script()
    script.write("brief")
    script.finish()
    stream = await run_in_db(queue_stream, owner)

    async def has_ended() -> bool:
        return (await run_in_db(reload_stream, stream)).state == State.COMPLETED

    await until_async(has_ended)


async def test_sockets_are_notified_of_changes_and_sessions_by_an_older_version(
    hub: Hub, recording: Recording
) -> None:
    """Sockets read these names; tests/e2e/test_side_by_side.py looks at the frames they send."""
    received: list[Notification] = []
    group = user_group(1)
    with hub.listen(group, received.append):
        await wait_until_joined(hub, group)
        await send_messages(group, *(m["body"] for m in recording.sent_to(group)))
        await wait_until(lambda: len(received) == len(recording.sent_to(group)))
    assert {"sessions": True} in received
    assert max(body.get("revision", 0) for body in received) == 9


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_messages_that_need_a_later_reader_are_dropped_without_an_error(
    owner: User, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """An error would cost a pause for each message, and they are as frequent as chunks."""
    stream = await run_in_db(create_stream, owner, 7)
    reader = EventReader()
    async with asyncio.TaskGroup() as reading:
        reading.create_task(reader.read(stream))
        await wait_until_joined(hub, STREAMS_GROUP)
        for body in ({}, {"version": 99, "chunks": {"of": "another shape"}, "head": {}}):
            await send_messages(STREAMS_GROUP, *[body] * 50)
        await send_messages(STREAMS_GROUP, build_later_message(7, state="completed"))
    assert (reader.text, reader.indexes) == ("ac", [0, 1])
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def build_later_message(stream_id: int, *, state: str) -> dict[str, Any]:
    """A message for readers of version 2, with more names than they know."""
    head = {
        "id": stream_id,
        "epoch": 1,
        "state": state,
        "note": "",
        "next_index": 2,
        "finish_reason": "stop",
        "error_class": "",
        "error": "",
        "is_folded": False,
        "mood": "later",
    }
    columns = ["stream_id", "index", "mood", "kind", "delta", "offset"]
    chunks = [[stream_id] * 2, [0, 1], ["calm"] * 2, [TEXT] * 2, ["a", "c"], [0, 1]]
    return {"version": 2, "columns": columns, "chunks": chunks, "stream": head, "sent_at": 3}


LATER_KIND = 7
LATER_CHUNKS = [(0, TEXT, "a", 0), (1, LATER_KIND, "b", 0), (2, TEXT, "c", 1)]
"""Index, kind, delta and offset."""


async def collect_frames(stream: Stream, after: int = -1) -> list[dict[str, Any]]:
    """Every frame that a socket sends about a stream, until its end."""
    name = str(stream.uuid)
    async with asyncio.timeout(10):
        return [
            json.loads(encode_event(name, event)) async for event in follow_stream(stream, after)
        ]


def assert_passed_on(frames: list[dict[str, Any]]) -> None:
    chunks = [frame for frame in frames if frame["type"] == "chunk"]
    assert [index for c in chunks for index in range(c["first"], c["index"] + 1)] == [0, 1, 2]
    assert [(c["delta"], c["offset"]) for c in chunks] == [("a", 0), ("b", 0), ("c", 1)]
    assert [c["kind"] for c in chunks] == ["text", str(LATER_KIND), "text"]
    assert frames[-1]["type"] == "end"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_a_chunk_of_a_later_kind_is_passed_on_from_a_notification(
    owner: User, hub: Hub
) -> None:
    stream = await run_in_db(create_stream, owner, 7)
    frames = asyncio.create_task(collect_frames(stream))
    await wait_until_joined(hub, STREAMS_GROUP)
    rows = [(7, *chunk) for chunk in LATER_CHUNKS]
    await send_messages(
        STREAMS_GROUP, {"chunks": [list(column) for column in zip(*rows, strict=True)]}
    )
    await send_messages(STREAMS_GROUP, {"head": [7, 1, "completed", "", 3, "stop", "", "", False]})
    assert_passed_on(await frames)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source", "hub")
async def test_a_chunk_of_a_later_kind_is_passed_on_from_the_journal(owner: User) -> None:
    stream = await run_in_db(create_stream, owner, 7)
    await run_in_db(write_later_chunks, stream)
    assert_passed_on(await collect_frames(stream))
    text = await run_in_db(journal.read_text, stream.pk)
    assert (text.content, text.reasoning, text.seams, text.next_index) == ("ac", "", (), 3)
    snapshot, *rest = await collect_frames(stream, after=100)
    assert snapshot["type"] == "snapshot"
    deltas = [frame["delta"] for frame in rest if frame.get("kind") == "text"]
    assert snapshot["text"] + "".join(deltas) == "ac"


def write_later_chunks(stream: Stream) -> None:
    """Write chunks and end the stream, as a worker of a later version does."""
    insert = (
        'INSERT INTO streaming_streamchunk (stream_id, "index", kind, delta, "offset") '
        "VALUES (%s, %s, %s, %s, %s)"
    )
    with connection.cursor() as cursor:
        cursor.executemany(insert, [(stream.pk, *chunk) for chunk in LATER_CHUNKS])
    Stream.objects.filter(pk=stream.pk).update(
        state=State.COMPLETED, ended_at=Now(), next_index=3, length=2, finish_reason="stop"
    )
