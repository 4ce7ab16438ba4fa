"""A process with many readers, which know only the protocols of the doors.

Each tab follows all streams of its person, in random web processes. Its frames are recorded
unchanged, so that `verdict` can check them. Half of the tabs use other doors than the socket.

Orders arrive on standard input, one JSON object a line.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.chat_tabs import AGUITab, AISDKTab, LangGraphTab
from tests.chaos.http_tabs import ChunksTab, EventsTab
from tests.chaos.programs import AnnouncedReply
from tests.chaos.socket_tab import SocketTab
from tests.chaos.tab import FollowerTab, TabOptions
from tests.chaos.token_tabs import DurableTab, GatewayTab

OTHER_DOORS: list[type[FollowerTab]] = [
    EventsTab,
    ChunksTab,
    DurableTab,
    GatewayTab,
    AISDKTab,
    LangGraphTab,
    AGUITab,
]
"""Doors beside the socket. A new one is a class here."""


async def read_orders() -> AsyncIterator[dict[str, Any]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        yield json.loads(line)


async def run_tabs(name: str, seed: str, out: Path) -> None:
    """Follow streams until the order to finish, then to their ends or for the given time."""
    counts: Counter[str] = Counter()
    choices = Random(f"{seed} {name}")
    dealt = OTHER_DOORS + [door for door in OTHER_DOORS if door.needs_own_replies]
    doors = itertools.cycle(choices.sample(dealt, len(dealt)))  # twice if they follow few replies
    orders = read_orders()
    options = await anext(orders)
    with out.open("w") as file:

        def write(line: str) -> None:
            if options["records_frames"]:
                file.write(f"{line}\n")

        def create_tab(person: int, number: int, cookie: str) -> FollowerTab:
            never_reads = number < options["non_reading_tabs"]
            uses_socket = never_reads or choices.random() >= options["other_doors_share"]
            tab: FollowerTab = (SocketTab if uses_socket else next(doors))(
                TabOptions(
                    f"{name}-{person}-{number}",
                    options["webs"],
                    cookie,
                    options["tokens"][person],
                    f"{seed} {person} {number}",
                    counts,
                    write,
                    never_reads,
                )
            )
            tab.has_disturbances = options["has_disturbances"]
            return tab

        tabs = [
            [create_tab(person, number, cookie) for number in range(options["tabs_per_person"])]
            for person, cookie in enumerate(options["cookies"])
        ]
        all_tabs = [tab for own_tabs in tabs for tab in own_tabs]
        tasks = [asyncio.create_task(tab.run()) for tab in all_tabs]
        async for order in orders:
            if "finish" in order:
                await wait_until_finished(
                    [tab for tab in all_tabs if not tab.options.never_reads], order["finish"]
                )
                break
            own_tabs = tabs[order["person"]]
            non_reading = [tab for tab in own_tabs if tab.options.never_reads]
            reply = AnnouncedReply(**order["follow"])
            reading = [
                tab for tab in own_tabs if not tab.options.never_reads and tab.can_follow(reply)
            ]
            for tab in non_reading + choices.sample(
                reading, min(len(reading), options["followers_per_stream"])
            ):
                await tab.follow(reply)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for tab in all_tabs:
            tab.record_unfinished()
        write(json.dumps({"counts": counts}))


async def wait_until_finished(tabs: list[FollowerTab], timeout: float) -> None:
    for tab in tabs:
        tab.has_disturbances = False
    deadline = time.monotonic() + timeout
    while any(tab.unfinished_count for tab in tabs) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("seed")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    asyncio.run(run_tabs(arguments.name, arguments.seed, arguments.out))
