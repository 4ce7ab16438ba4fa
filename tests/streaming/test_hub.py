"""The hub: notifications may be lost, late, doubled or out of order, and the layer may fail. No
caller waits for it, and every change in the database arrives."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest
from channels.layers import get_channel_layer
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis as Client
from redis.asyncio import Connection

from accounts.models import User
from config.redis_connection import MIN_READ_TIMEOUT_SECONDS
from streaming import hub as hubs
from streaming import journal
from streaming.database import run_in_db
from streaming.hub import (
    STREAMS_GROUP,
    Hub,
    Notification,
    RecentChunks,
    build_stream_notification,
    messages,
    notify,
)
from streaming.hub import hub as hub_module
from streaming.hub import (
    recent as recent_module,
)
from streaming.hub.hub import apply_stream_notification
from streaming.hub.recent import MERGE_THRESHOLD
from streaming.hub.sealed_layer import hash_group_name
from streaming.journal import Append, Chunk, StreamHead, coalesce
from streaming.models import Kind, State, Stream
from tests.streaming.conftest import on_redis
from tests.streaming.factories import (
    append_chunks,
    build_append,
    end_stream,
    notify_until_received,
    start_stream,
    wait_until,
)
from tests.streaming.faulty_layer import FaultyLayer
from tools.services.redis_server import Redis
from tools.waiting import until_async

STREAM = 7
UUID_OF_NOBODY = UUID("9b2e1f6c-0b1a-4d5e-8f90-123456789abc")


# The cache of one stream, without a layer


def build_numbered_chunks(*read_indexes: int) -> list[Chunk]:
    return [Chunk(n, n, Kind.TEXT, f"{n} ", 0) for n in read_indexes]


def build_head(epoch: int = 1, state: State = State.RUNNING, next_index: int = 0) -> StreamHead:
    return StreamHead(STREAM, epoch, state, "", next_index, "", "", "", False)


def read_indexes(chunks: list[Chunk]) -> list[int]:
    """Return all indexes of chunks, also of merged ones. The text of each is compared with them."""
    found = [n for chunk in chunks for n in range(chunk.first, chunk.index + 1)]
    assert "".join(chunk.delta for chunk in chunks) == "".join(f"{n} " for n in found)
    return found


async def test_a_cache_returns_the_chunks_after_an_index_if_it_has_all_of_them() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    recent.add_chunks(build_numbered_chunks(3, 4, 5))
    assert [read_indexes(recent.chunks_after(n)) for n in (1, 2, 3, 5, 9)] == [
        [],
        [3, 4, 5],
        [4, 5],
        [],
        [],
    ]


async def test_chunks_received_before_are_dropped() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    for notification in (
        build_numbered_chunks(0, 1),
        build_numbered_chunks(0, 1),
        build_numbered_chunks(1, 2),
        build_numbered_chunks(0),
    ):
        recent.add_chunks(notification)
    assert read_indexes(recent.chunks_after(-1)) == [0, 1, 2]


async def test_after_a_lost_notification_the_cache_begins_after_the_hole() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    recent.add_chunks(build_numbered_chunks(0, 1))
    recent.add_chunks(build_numbered_chunks(4, 5))
    assert read_indexes(recent.chunks_after(1)) == []
    assert recent.next_index == 6
    assert read_indexes(recent.chunks_after(3)) == [4, 5]


UPDATES = st.lists(
    st.one_of(
        st.integers(0, 12).map(lambda index: ("notified", index, index)),
        st.integers(0, 14).map(lambda index: ("head", index, index)),
        st.tuples(st.just("read"), st.integers(0, 12), st.integers(0, 12)),
    ),
    max_size=40,
)


@given(UPDATES)
async def test_no_order_of_updates_gives_a_cache_with_a_hole(
    updates: list[tuple[str, int, int]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_module, "MERGE_THRESHOLD", 4)
        recent, known = RecentChunks(Stream(id=STREAM)), 0
        for what, first, last in updates:
            known = known if what == "read" else max(known, first + (what == "notified"))
            match what:
                case "notified":
                    recent.add_chunks(build_numbered_chunks(first))
                case "head":
                    recent.update_head(build_head(next_index=first))
                case "read":
                    recent.backfill([*coalesce(build_numbered_chunks(*range(first, last + 1)))])
            assert recent.next_index == known
            for index in range(-1, 14):
                after = read_indexes(recent.chunks_after(index))
                assert after == list(range(index + 1, index + 1 + len(after)))


async def test_chunks_read_once_are_cached_for_the_next_follower() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    recent.update_head(build_head(next_index=5))
    recent.backfill([*coalesce(build_numbered_chunks(0, 1, 2, 3, 4))])
    recent.add_chunks(build_numbered_chunks(5))
    assert read_indexes(recent.chunks_after(-1)) == [0, 1, 2, 3, 4, 5]
    assert recent.chunks_after(2) == [], "the cursor is inside a merged chunk"
    recent.backfill(build_numbered_chunks(3, 4))
    assert read_indexes(recent.chunks_after(-1)) == [0, 1, 2, 3, 4, 5]


async def test_chunks_that_were_read_join_those_received_meanwhile() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    recent.add_chunks(build_numbered_chunks(4, 5, 6))
    recent.backfill(build_numbered_chunks(0, 1))
    assert read_indexes(recent.chunks_after(3)) == [4, 5, 6], "chunks are missing between them"
    recent.backfill(build_numbered_chunks(0, 1, 2, 3, 4))
    assert read_indexes(recent.chunks_after(-1)) == [0, 1, 2, 3, 4, 5, 6]


async def test_many_small_chunks_are_cached_as_few_large_ones() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    for index in range(4_000):
        recent.add_chunks(build_numbered_chunks(index))
    assert len(recent._chunks) <= 2 * MERGE_THRESHOLD
    assert read_indexes(recent.chunks_after(-1)) == list(range(4_000))
    assert read_indexes(recent.chunks_after(3_950)) == list(range(3_951, 4_000))


async def test_the_cache_of_a_stream_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_module, "MAX_RECENT_CHARS", 1000)
    recent = RecentChunks(Stream(id=STREAM))
    for n in range(500):
        recent.add_chunks([Chunk(n, n, Kind.TEXT, "x" * 90, 0)])
    assert sum(len(chunk.delta) for chunk in recent.chunks_after(488)) == 990
    assert recent.chunks_after(487) == []


@pytest.mark.parametrize(
    ("known", "late"),
    [
        (build_head(2), build_head(1)),
        (build_head(1, next_index=9), build_head(1, next_index=4)),
        (build_head(1, State.STOPPED), build_head(1)),
        (build_head(1, State.STOPPED), build_head(2)),
    ],
)
async def test_a_late_notification_reverts_nothing(known: StreamHead, late: StreamHead) -> None:
    recent = RecentChunks(Stream(id=STREAM))
    recent.update_head(known)
    recent.update_head(late)
    assert recent.head == known


async def test_a_waiting_follower_wakes_for_changes_only() -> None:
    recent = RecentChunks(Stream(id=STREAM))
    recent.update_head(build_head())
    waiting = asyncio.create_task(recent.wait_for_change())
    await asyncio.sleep(0)
    recent.update_head(build_head())
    await asyncio.sleep(0)
    assert not waiting.done()
    recent.add_chunks(build_numbered_chunks(0))
    await asyncio.wait_for(waiting, 5)
    for change in (build_head(1, next_index=5), build_head(2), None):
        waiting = asyncio.create_task(recent.wait_for_change())
        await asyncio.sleep(0)
        recent.update_head(change)
        await asyncio.wait_for(waiting, 5)
    assert recent.is_deleted


async def test_a_notification_survives_encoding() -> None:
    recent, other = RecentChunks(Stream(id=STREAM)), RecentChunks(Stream(id=STREAM + 1))
    sent_head = StreamHead(STREAM, 3, State.FAILED, "a note", 2, "", "code", "Sorry.", True)
    chunks = [Chunk(0, 0, Kind.REASONING, "\N{WATER WAVE}", 5), Chunk(1, 1, Kind.SEAM, "", 9)]
    unfollowed = Append(STREAM + 2, UUID_OF_NOBODY, 1, tuple(build_numbered_chunks(0)))
    entries = [Append(STREAM, UUID_OF_NOBODY, 3, tuple(chunks)), unfollowed]
    apply_stream_notification(
        {STREAM: recent, STREAM + 1: other}, build_stream_notification(entries, sent_head)
    )
    assert (recent.head, other.head) == (sent_head, None)
    assert (recent.chunks_after(-1), other.chunks_after(-1)) == (chunks, [])


def test_a_commit_is_published_in_notifications_of_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, "MAX_NOTIFICATION_CHARS", 20)
    entries = [
        Append(n, UUID_OF_NOBODY, 1, tuple(build_numbered_chunks(n % 10))) for n in range(40)
    ]
    parts = list(messages.split_appends(entries))
    assert [len(part) for part in parts] == [11, 11, 11, 7]  # two characters each
    assert [entry for part in parts for entry in part] == entries


# Without faults, on the layer of the settings


async def test_a_notification_from_any_thread_reaches_every_listener(hub: Hub) -> None:
    first: list[Notification] = []
    second: list[Notification] = []
    with hub.listen("user.1", first.append), hub.listen("user.1", second.append):
        await notify_until_received(first, "user.1")
        threading.Thread(target=notify, args=("user.1", {"n": 2})).start()
        await wait_until(lambda: {"n": 2} in first and {"n": 2} in second)


async def test_a_removed_listener_receives_nothing(hub: Hub) -> None:
    gone: list[Notification] = []
    staying: list[Notification] = []
    with hub.listen("user.1", staying.append):
        with hub.listen("user.1", gone.append):
            await notify_until_received(gone, "user.1")
        notify("user.1", {"last": True})
        await wait_until(lambda: {"last": True} in staying)
    assert {"last": True} not in gone


async def test_notifications_of_one_sender_arrive_in_order(hub: Hub) -> None:
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        for n in range(300):
            notify("user.1", {"number": n})
        await wait_until(lambda: {"number": 299} in received)
    numbers = [body["number"] for body in received if "number" in body]
    assert numbers == list(range(300))


async def test_a_closed_hub_leaves_nothing_running() -> None:
    tasks = asyncio.all_tasks()
    hub = hubs.get_hub()
    assert hubs.get_hub() is hub
    await hubs.close()
    await wait_until(
        lambda: not [t for t in asyncio.all_tasks() - tasks if t.get_name()[:3] == "hub"]
    )
    notify("user.1", {"n": 1})


def test_notifying_without_a_hub_or_after_its_end_is_no_error() -> None:
    notify("user.1", {"n": 1})

    async def begin() -> None:
        hubs.get_hub()

    asyncio.run(begin())
    assert hubs._hub is not None  # it was not closed, and its loop has ended
    notify("user.1", {"n": 1})
    hubs._hub = None


# A layer that fails


async def test_notifying_does_not_wait_while_the_layer_hangs_and_works_again_after(
    faulty_layer: FaultyLayer, hub: Hub
) -> None:
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        faulty_layer.may_send.clear()
        for n in range(5000):
            notify("user.1", {"n": n})  # in the loop's own thread, which must not wait
        await wait_until(lambda: len(hub._outbox) <= hub_module.MAX_OUTBOX)
        calls = faulty_layer.calls.count("group_send")
        await wait_until(
            lambda: faulty_layer.calls.count("group_send") > calls
        )  # it gave up, and tries again
        faulty_layer.may_send.set()
        await notify_until_received(received, "user.1")


async def test_a_notification_sent_just_before_closing_arrives(
    faulty_layer: FaultyLayer, hub: Hub
) -> None:
    calls = faulty_layer.calls.count("group_send")
    for n in range(20):
        notify("user.1", {"n": n})
    await hubs.close()
    assert faulty_layer.calls.count("group_send") == calls + 20


async def test_a_hanging_layer_does_not_block_closing(faulty_layer: FaultyLayer, hub: Hub) -> None:
    faulty_layer.may_send.clear()
    notify("user.1", {"n": 1})
    await asyncio.wait_for(hubs.close(), 5)


async def test_a_failing_layer_is_retried_after_a_pause(
    faulty_layer: FaultyLayer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PUBLISH_BACKOFF_SECONDS", 1000.0)
    faulty_layer.send_error = ConnectionError("the layer is down")
    for n in range(50):
        notify("user.1", {"n": n})
    await wait_until(lambda: "group_send" in faulty_layer.calls)
    for _ in range(20):
        notify("user.1", {})
        await asyncio.sleep(0)
    assert faulty_layer.calls.count("group_send") == 1


async def test_unsent_notifications_are_bounded_and_the_oldest_are_dropped(
    faulty_layer: FaultyLayer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PUBLISH_TIMEOUT_SECONDS", 1000.0)
    faulty_layer.may_send.clear()
    for n in range(hub_module.MAX_OUTBOX + 100):
        hub.notify("user.1", {"n": n})
    assert len(hub._outbox) == hub_module.MAX_OUTBOX
    assert hub._outbox[-1] == ("user.1", {"n": hub_module.MAX_OUTBOX + 99})


@pytest.mark.parametrize("call", ["probe", "new_channel", "group_add", "receive"])
async def test_a_notification_refused_by_the_layer_is_retried_until_it_works(
    faulty_layer: FaultyLayer, call: str
) -> None:
    faulty_layer.errors[call] = [ConnectionError("not yet"), TimeoutError()]
    received: list[Notification] = []
    with hubs.get_hub().listen("user.1", received.append):
        await notify_until_received(received, "user.1")
    assert faulty_layer.errors[call] == []
    await hubs.close()


async def test_a_failed_leave_of_one_group_does_not_block_joining_others(
    faulty_layer: FaultyLayer, hub: Hub
) -> None:
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
    faulty_layer.errors["group_discard"] = [ConnectionError("no")]
    with hub.listen("user.2", received.append):
        await notify_until_received(received, "user.2")


async def test_an_unknown_message_does_not_stop_the_hub_from_receiving(
    faulty_layer: FaultyLayer, hub: Hub
) -> None:
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        for message in ({}, {"group": "user.1"}, {"group": STREAMS_GROUP, "body": {"chunks": 1}}):
            await faulty_layer.group_send("user.1", {"type": "bell", **message})
        await faulty_layer.group_send("user.1", {"type": "bell", "group": ["user.1"], "body": None})
        await notify_until_received(received, "user.1")


async def test_unused_groups_are_left(
    faulty_layer: FaultyLayer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MAX_IDLE", 2)
    received: list[Notification] = []
    users = [f"user.{n}" for n in range(4)]
    with hub.listen(users[0], received.append):
        for user in users[1:]:
            with hub.listen(user, received.append):
                await notify_until_received(received, user)
        await wait_until(
            lambda: set(users) & set(faulty_layer.groups) == {users[n] for n in (0, 2, 3)}
        )
        joined = faulty_layer.calls.count("group_add")
        with hub.listen(users[2], received.append):
            await notify_until_received(received, users[2])
        assert faulty_layer.calls.count("group_add") == joined, (
            "the process has stayed in this group"
        )
    monkeypatch.setattr(hub_module, "IDLE_TTL_SECONDS", 0.0)
    await wait_until(lambda: not set(users) & set(faulty_layer.groups))


# Updates from the database


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_a_lost_notification_is_replaced_by_a_poll_once_a_second(
    owner: User, faulty_layer: FaultyLayer, hub: Hub
) -> None:
    faulty_layer.send_error = ConnectionError("the layer is down")
    stream = await run_in_db(start_stream, owner)
    with hub.join_stream(stream) as recent:
        await wait_until(lambda: recent.head is not None)
        await run_in_db(append_chunks, stream, "written, and not notified")
        await wait_until(lambda: recent.next_index == 1, within=3)
        await run_in_db(end_stream, stream)
        await wait_until(lambda: recent.head and recent.head.has_ended, within=3)
        await run_in_db(journal.delete_streams, [stream.pk])
        await wait_until(lambda: recent.is_deleted, within=3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_changes_before_joining_the_group_are_polled_at_once(
    owner: User, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 1000.0)
    stream = await run_in_db(start_stream, owner)
    await run_in_db(append_chunks, stream, "before")
    with hub.join_stream(stream) as recent:
        await wait_until(lambda: recent.next_index == 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_a_published_chunk_reaches_the_cache_without_the_database(
    owner: User, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 1000.0)
    stream = await run_in_db(start_stream, owner)
    entry = await run_in_db(build_append, stream, "notified")
    with hub.join_stream(stream) as recent:

        async def is_received() -> bool:
            hub.publish_update([entry])
            return bool(recent.chunks_after(-1))

        await until_async(is_received)
        assert recent.chunks_after(-1) == list(entry.chunks)


# The real Redis


@on_redis
@pytest.mark.parametrize("fault", ["killed", "paused"])
async def test_an_outage_of_redis_blocks_no_sender_and_receiving_resumes_after_it(
    redis_server: Redis, hub: Hub, fault: str
) -> None:
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        (redis_server.kill if fault == "killed" else redis_server.pause)()
        for n in range(1000):
            notify("user.1", {"n": n})
        with hub.listen("user.2", received.append):
            await wait_until(lambda: not hub._outbox)  # given up
        (redis_server.start if fault == "killed" else redis_server.resume)()
        await notify_until_received(received, "user.1")


@on_redis
async def test_a_hub_started_without_redis_finds_it_later(redis_server: Redis, hub: Hub) -> None:
    redis_server.kill()
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        notify("user.1", {"lost": True})
        await wait_until(lambda: not hub._outbox)
        redis_server.start()
        await notify_until_received(received, "user.1")


@on_redis
async def test_a_garbled_message_loses_nothing_but_itself(redis_server: Redis, hub: Hub) -> None:
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        with Client.from_url(redis_server.url) as client:
            channel = f"asgi__group__{hash_group_name('user.1', settings.SECRET_KEY)}"
            client.publish(channel, b"\xc1 no message at all")
        await notify_until_received(received, "user.1")
        (members,) = hub._layer.groups.values()
        assert members == {hub._channel}  # another channel would fill up unread


@on_redis
async def test_a_subscriber_waits_for_messages_without_polling(
    redis_server: Redis, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: set[float | None] = set()
    read = Connection.read_response

    async def record_timeout(
        self: Connection, disable_decoding: bool = False, timeout: float | None = None, **how: Any
    ) -> Any:
        waits.add(timeout)
        return await read(self, disable_decoding, timeout, **how)

    monkeypatch.setattr(Connection, "read_response", record_timeout)
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
    assert waits == {None, MIN_READ_TIMEOUT_SECONDS}  # answers to commands, and the subscription


@on_redis
async def test_failed_connections_to_redis_leave_no_channels_behind(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.kill()
    calls: list[None] = []
    faulty_layer: Any = get_channel_layer()
    send = faulty_layer.group_send

    async def record_call(group: str, message: dict[str, Any]) -> None:
        calls.append(None)
        await send(group, message)

    monkeypatch.setattr(faulty_layer, "group_send", record_call, raising=False)
    hub = hubs.get_hub()
    await wait_until(lambda: len(calls) >= 2)
    assert hub._layer.channels == {}
    await hubs.close()


@on_redis
@pytest.mark.prove
@pytest.mark.timeout(120)
async def test_a_hub_still_receives_after_a_minute_of_silence(hub: Hub) -> None:
    """The default of the client library ends silent subscriptions after five seconds."""
    received: list[Notification] = []
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        await asyncio.sleep(65)
        await notify_until_received(received, "user.1", within=1)
    assert settings.REDIS_URL
