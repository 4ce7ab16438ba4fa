"""A process that uses the engine alone: it starts streams of numbered lines, and follows each in
Python, without a page or a socket.

Its frames are recorded like those of the other readers. The order on its standard input says how
many seconds it may take to finish.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    transaction,
)

from streaming import lifecycle
from streaming.follow import Ended, Snapshot, follow_stream
from streaming.journal import Chunk
from streaming.models import Stream
from tests.chaos.follower import read_orders
from tests.chaos.lines import LINES_SOURCE
from tests.chaos.tab import Reading

PAUSE_SECONDS = (0.1, 0.9)
"""Between the starts of two streams."""
RETRY_SECONDS = 0.3
DATABASE_ERRORS = (OperationalError, InterfaceError)


class Command(BaseCommand):
    help = "Start streams of numbered lines and follow them, until an order on standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("seed")
        parser.add_argument("out", type=Path)

    def handle(self, *, seed: str, out: Path, **options: Any) -> None:
        with out.open("w") as file:

            def write(reading: Reading) -> None:
                file.write(f"{reading.to_json('engine', 'Python')}\n")

            asyncio.run(use_engine(Random(seed), write))


async def use_engine(random: Random, write: Callable[[Reading], None]) -> None:
    reads: set[asyncio.Task[None]] = set()
    starting = asyncio.create_task(start_streams(random, reads, write))
    order = await anext(read_orders())
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    if reads:
        await asyncio.wait(reads, timeout=order["finish"])
    for task in reads:
        task.cancel()
    await asyncio.gather(*reads, return_exceptions=True)


async def start_streams(
    random: Random, reads: set[asyncio.Task[None]], write: Callable[[Reading], None]
) -> None:
    people = await load_people()
    for number in range(1_000_000):
        arguments = {
            "name": f"lines{number:04}",
            "count": random.randint(40, 160),
            "delay": random.choice([0.02, 0.05, 0.1]),
        }
        stream = await start_stream(random.choice(people), arguments)
        reads.add(asyncio.create_task(read_stream(stream, write)))
        await asyncio.sleep(random.uniform(*PAUSE_SECONDS))


async def load_people() -> list[Any]:
    """The database may be away from the first moment."""
    while True:
        try:
            return [user async for user in get_user_model().objects.all()]
        except DATABASE_ERRORS:
            await asyncio.sleep(RETRY_SECONDS)


async def start_stream(owner: Any, arguments: dict[str, Any]) -> Stream:
    """Start one stream, however often the database goes away meanwhile."""
    request_id = uuid4()
    while True:
        try:
            return await sync_to_async(enqueue_once)(owner, request_id, arguments)
        except DATABASE_ERRORS:
            await asyncio.sleep(RETRY_SECONDS)


def enqueue_once(owner: Any, request_id: UUID, arguments: dict[str, Any]) -> Stream:
    close_old_connections()
    try:
        with transaction.atomic():
            return lifecycle.enqueue(
                owner=owner, request_id=request_id, source=LINES_SOURCE, arguments=arguments
            )
    except IntegrityError:
        return Stream.objects.get(owner=owner, request_id=request_id)


async def read_stream(stream: Stream, write: Callable[[Reading], None]) -> None:
    """Follow a stream to its end. Go on from the last index if the database goes away."""
    reading = Reading(str(stream.uuid))
    try:
        while reading.end is None:
            try:
                await read_events(stream, reading)
            except DATABASE_ERRORS:
                await asyncio.sleep(RETRY_SECONDS)
    finally:
        write(reading)


async def read_events(stream: Stream, reading: Reading) -> None:
    async for event in follow_stream(stream, reading.cursor):
        match event:
            case Chunk():
                reading.add_frame({"type": "chunk", **asdict(event)})
            case Snapshot():
                reading.add_frame({"type": "snapshot", **asdict(event)})
            case Ended():
                reading.add_frame({"type": "end", "state": event.state, "next": event.next_index})
