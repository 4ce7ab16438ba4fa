"""Messages through Redis: an attacker with access to Redis alone reads nothing, forges nothing and
replays no recorded message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings as django_settings
from pytest_django import Settings
from redis.asyncio import Redis as Client

from accounts.models import User
from streaming.database import run_in_db
from streaming.hub import STREAMS_GROUP, Hub, Notification, notify, sealed_layer, user_group
from streaming.hub import hub as hub_module
from streaming.hub.sealed_layer import (
    MAX_AGE_SECONDS,
    MessageRejected,
    Opener,
    SealedLayer,
    Sealer,
    hash_group_name,
)
from tests.streaming.conftest import on_redis
from tests.streaming.factories import (
    append_chunks,
    build_append,
    end_stream,
    notify_until_received,
    start_stream,
    wait_until,
)
from tools.services.redis_server import Redis

SECRET = "a key of this installation, long and random"
OLD_SECRET = "the key that the installation had before"


def open_and_get_error(opener: Opener, data: bytes) -> str:
    with pytest.raises(MessageRejected) as rejection:
        opener.open(data)
    return str(rejection.value)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, for sender and receiver."""
    now = [time.time()]
    monkeypatch.setattr(time, "time_ns", lambda: int(now[0] * 10**9))
    return now


def test_a_sealed_message_is_opened_once_and_hides_its_content() -> None:
    data = Sealer(SECRET).seal(b"the text of a reply")
    opener = Opener(SECRET)
    assert b"text" not in data
    assert opener.open(data) == b"the text of a reply"
    assert open_and_get_error(opener, data) == sealed_layer.REASON_REPEATED


def test_sealing_a_message_twice_gives_different_bytes() -> None:
    sealer = Sealer(SECRET)
    first, second, other = sealer.seal(b"x" * 50), sealer.seal(b"x" * 50), Sealer(SECRET)
    assert first[24:] != second[24:]
    assert other.seal(b"x" * 50)[24:] != first[24:], "each sender has a key of its own"


def test_a_message_older_than_the_senders_last_one_is_dropped() -> None:
    sealer, other, opener = Sealer(SECRET), Sealer(SECRET), Opener(SECRET)
    one, two, three = (sealer.seal(text) for text in (b"1", b"2", b"3"))
    assert [opener.open(one), opener.open(three)] == [b"1", b"3"]
    assert open_and_get_error(opener, two) == sealed_layer.REASON_REPEATED
    assert opener.open(other.seal(b"another's first")) == b"another's first"


def test_no_byte_of_a_message_can_be_changed() -> None:
    data, opener = Sealer(SECRET).seal(b"hello"), Opener(SECRET)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert open_and_get_error(opener, changed) == sealed_layer.REASON_FOREIGN
    for end in range(len(data)):
        assert open_and_get_error(opener, data[:end]) == sealed_layer.REASON_FOREIGN
    assert opener.open(data) == b"hello", "rejected messages changed nothing"


def test_another_key_opens_nothing_and_uses_no_memory() -> None:
    opener = Opener(SECRET)
    for _ in range(50):
        assert (
            open_and_get_error(opener, Sealer("another").seal(b"forged"))
            == sealed_layer.REASON_FOREIGN
        )
    assert opener._senders == {}


def test_a_new_process_accepts_no_old_message(clock: list[float]) -> None:
    sealer = Sealer(SECRET)
    recorded = sealer.seal(b"old")
    clock[0] += MAX_AGE_SECONDS + 1
    assert open_and_get_error(Opener(SECRET), recorded) == sealed_layer.REASON_STALE
    assert Opener(SECRET).open(sealer.seal(b"new")) == b"new"
    clock[0] -= MAX_AGE_SECONDS + 2
    ahead = sealer.seal(b"its stamp stays in front")
    assert open_and_get_error(Opener(SECRET), ahead) == sealed_layer.REASON_STALE


def test_a_sender_is_forgotten_only_when_all_its_messages_are_too_old(clock: list[float]) -> None:
    opener, gone = Opener(SECRET), Sealer(SECRET)
    recorded = [gone.seal(b"first"), gone.seal(b"last")]
    for data in recorded:
        opener.open(data)
    for _ in range(10):
        clock[0] += MAX_AGE_SECONDS / 5
        opener.open(Sealer(SECRET).seal(b"somebody else's"))
        for data in recorded:
            open_and_get_error(opener, data)
    assert len(opener._senders) <= 6


def test_messages_under_an_older_key_are_opened_once_too() -> None:
    opener = Opener(SECRET, OLD_SECRET)
    old, new = Sealer(OLD_SECRET), Sealer(SECRET)
    message = old.seal(b"from a process with the older key")
    assert opener.open(message) == b"from a process with the older key"
    assert opener.open(new.seal(b"from another")) == b"from another"
    assert open_and_get_error(opener, message) == sealed_layer.REASON_REPEATED
    assert open_and_get_error(Opener(SECRET), old.seal(b"x")) == sealed_layer.REASON_FOREIGN


# The real Redis


Recorded = list[tuple[str, bytes]]


@pytest.fixture
async def recorded(redis_server: Redis) -> AsyncIterator[Recorded]:
    """All messages that go through Redis, as an attacker with full access to it sees them."""
    found: Recorded = []
    async with Client.from_url(redis_server.url) as client, client.pubsub() as everything:
        await everything.psubscribe("*")

        async def listen() -> None:
            async for message in everything.listen():
                if message["type"] == "pmessage":
                    found.append((message["channel"].decode(), message["data"]))

        listening = asyncio.create_task(listen())
        yield found
        listening.cancel()


@pytest.fixture
async def client(redis_server: Redis) -> AsyncIterator[Any]:
    async with Client.from_url(redis_server.url) as client:
        yield client


@on_redis
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_a_reply_arrives_completely_while_redis_sees_none_of_it(
    owner: User, hub: Hub, recorded: Recorded
) -> None:
    received: list[Notification] = []
    stream = await run_in_db(start_stream, owner)
    group = user_group(owner.pk)
    with hub.listen(group, received.append), hub.join_stream(stream) as recent:
        await notify_until_received(received, group)
        entry = await run_in_db(build_append, stream, "nobody else's business")
        await wait_until(lambda: STREAMS_GROUP in hub._joined_groups)
        hub.publish_update([entry])
        notify(group, {"email": owner.email})
        await wait_until(
            lambda: bool(recent.chunks_after(-1)) and {"email": owner.email} in received
        )
        await wait_until(lambda: len(recorded) >= 3)
    everything = b"".join(name.encode() + data for name, data in recorded)
    for secret in (b"business", owner.email.encode(), b"chunks", b"streams", group.encode()):
        assert secret not in everything


@on_redis
async def test_a_message_written_to_redis_by_others_is_dropped(
    hub: Hub, client: Any, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[Notification] = []
    layer: Any = get_channel_layer()
    layer._next_warning_at.clear()  # the layer outlives a test, and may have warned recently
    with hub.listen("user.1", received.append):
        await notify_until_received(received, "user.1")
        await wait_until(lambda: bool(recorded))
        channels = {name for name, _ in recorded}
        forged = {"type": "bell", "group": "user.1", "body": {"forged": True}}
        plain = RedisPubSubChannelLayer().serialize(forged)
        for channel in channels:
            for data in (plain, Sealer("another key").seal(plain), b"", b"\xc1", b"x" * 100_000):
                for _ in range(20):
                    await client.publish(channel, data)
        await notify_until_received(received, "user.1")
    assert {"forged": True} not in received
    warnings = [r for r in caplog.records if r.name == sealed_layer.__name__]
    lines = [line for line in warnings if "another SECRET_KEY" in line.getMessage()]
    assert len(lines) == 1, "one warning for many messages"


@on_redis
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_all_messages_of_a_reply_sent_again_have_no_effect(
    owner: User, hub: Hub, client: Any, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[Notification] = []
    stream = await run_in_db(start_stream, owner)
    with hub.listen("user.1", received.append), hub.join_stream(stream):
        await notify_until_received(received, "user.1")
        await wait_until(lambda: STREAMS_GROUP in hub._joined_groups)
        for n in range(5):
            hub.publish_update([await run_in_db(append_chunks, stream, f"{n} ")])
        notify("user.1", {"sessions": True})
        await run_in_db(end_stream, stream)
        await wait_until(lambda: {"sessions": True} in received and len(recorded) >= 7)
        received.clear()
        let_through: list[Notification] = []
        monkeypatch.setattr(
            hub_module, "apply_stream_notification", lambda _, body: let_through.append(body)
        )
        channels = {name for name, _ in recorded}
        for _, data in [*recorded]:
            for channel in channels:
                await client.publish(channel, data)
        notify("user.1", {"last": True})
        await wait_until(lambda: bool(received))
    assert (received, let_through) == ([{"last": True}], [])


@on_redis
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_source")
async def test_a_process_of_an_older_version_is_neither_received_nor_disturbed(
    owner: User, hub: Hub, redis_server: Redis
) -> None:
    old_layer = RedisPubSubChannelLayer(hosts=[redis_server.url])
    channel = await old_layer.new_channel()
    await old_layer.group_add(STREAMS_GROUP, channel)
    await old_layer.group_add("user.1", channel)
    received: list[Notification] = []
    stream = await run_in_db(start_stream, owner)
    with hub.listen("user.1", received.append), hub.join_stream(stream) as recent:
        await notify_until_received(received, "user.1")
        old_message = {"type": "bell", "group": "user.1", "body": {"old": True}}
        await old_layer.group_send("user.1", old_message)
        await run_in_db(append_chunks, stream, "written by a worker of the version before")
        await wait_until(lambda: recent.next_index == 1, within=3)
        assert await old_layer.receive(channel) == old_message, "and no sealed message before it"
    assert {"old": True} not in received
    await old_layer.flush()


@on_redis
def test_the_layer_on_redis_is_the_sealed_one_and_names_reveal_nothing() -> None:
    assert django_settings.CHANNEL_LAYERS["default"]["BACKEND"] == (
        f"{SealedLayer.__module__}.{SealedLayer.__name__}"
    )
    assert hash_group_name("user.1", SECRET) != hash_group_name("user.2", SECRET)
    assert hash_group_name("user.1", SECRET) != hash_group_name("user.1", OLD_SECRET)
    assert "user" not in hash_group_name("user.1", SECRET)


@on_redis
async def test_processes_of_two_keys_receive_each_others_messages(
    redis_server: Redis, settings: Settings
) -> None:
    """The operator has added the new key everywhere, and now exchanges the two."""
    layers = []
    for keys in ((SECRET, [OLD_SECRET]), (OLD_SECRET, [SECRET])):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = keys
        layers.append(SealedLayer(hosts=[redis_server.url]))
    channels = [await layer.new_channel() for layer in layers]
    for layer, channel in zip(layers, channels, strict=True):
        await layer.group_add("user.1", channel)
    for number, sender in enumerate(layers):
        message = {"type": "bell", "number": number}
        await sender.group_send("user.1", message)
        for layer, channel in zip(layers, channels, strict=True):
            assert await layer.receive(channel) == message
    for layer, channel in zip(layers, channels, strict=True):
        await layer.group_discard("user.1", channel)
        await layer.flush()
