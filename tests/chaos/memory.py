"""Resident memory over thousands of streams, with sockets that never read.

`python -m tests.chaos.memory --streams 10000 --warm-up 1000`. Not zero when a process of ours
grew or shrank by more than a tenth after the warm-up. PostgreSQL is only shown: its cache fills
up to the size it is given.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random

from tests.chaos.load import Load, sign_up
from tests.chaos.monitor import Watch
from tests.chaos.processes import Habits, ProviderProcess, Reader
from tests.chaos.run import ENVIRONMENT, all_ended, finish
from tests.chaos.script import Script
from tools.deployment.http_user import Person
from tools.services.program import scratch_folder
from tools.stack import Stack

PEOPLE = 20
SOCKETS = (  # 200 of them, of which 20 never read, in two processes
    Habits(tabs=5, mute=1, followers=2, calm=True, kept=False),
    Habits(tabs=5, mute=0, followers=2, calm=True, kept=False),
)
RATE = 80.0  # questions a second, if the machine can answer them
OURS = ("web", "worker")
LEEWAY = 0.10
SETTLED_WITHIN = 60.0
LOOKS = 10

Weights = dict[str, int]


def draw(random: Random, number: int) -> Script:
    """A short answer, and one in fifty with long pieces."""
    pieces, long = random.randint(10, 30), random.random() < 0.02
    return Script(f"m{number:05}", pieces, delay=0.005, reasons=number % 3 == 0, long=long)


def measured(warm_up: int, streams: int, server: str) -> list[tuple[int, Weights]]:
    """How much every process held after the warm-up, and at each tenth of the streams after."""
    with ExitStack() as open_:
        provider = open_.enter_context(ProviderProcess())
        environment = {**ENVIRONMENT, "OPENAI_BASE_URL": provider.fake.openai}
        stack = open_.enter_context(Stack(server=server, environment=environment))  # type: ignore[arg-type]
        people = sign_up(stack.base_url, PEOPLE)
        folder = scratch_folder("memory")
        open_.callback(shutil.rmtree, folder, ignore_errors=True)
        readers = [
            open_.enter_context(Reader(f"reader-{number}", "1", folder, habits))
            for number, habits in enumerate(SOCKETS)
        ]
        with Watch(stack) as watch:
            counts = [warm_up + streams * tenth // LOOKS for tenth in range(LOOKS + 1)]
            return asyncio.run(_weighed(counts, stack, people, readers, watch))


async def _weighed(
    counts: Sequence[int],
    stack: Stack,
    people: list[Person],
    readers: Sequence[Reader],
    watch: Watch,
) -> list[tuple[int, Weights]]:
    webs = [web.url for web in stack.webs]
    for reader in readers:
        reader.begin(webs, people)

    async def announce(person: int, stream: str) -> None:
        for reader in readers:
            reader.follow(person, stream)

    load = Load(webs, people, "memory", watch, announce, draw)
    weights = []
    for count in counts:
        while len(load.asked) < count:
            await load.run(RATE, time.monotonic() + 1)
        await all_ended(watch, time.monotonic() + SETTLED_WITHIN)
        weights.append((len(load.asked), watch.weights()))
        print(row(*weights[-1]), flush=True)
    await load.finish()
    await finish(readers, SETTLED_WITHIN)
    assert not watch.unfinished, f"{watch.unfinished} streams never ended"
    return weights


def row(streams: int, weights: Weights) -> str:
    sizes = "  ".join(f"{name} {size / 2**20:.0f} MB" for name, size in weights.items())
    return f"after {streams:>6,} streams  {sizes}"


def drift(weights: Sequence[tuple[int, Weights]]) -> dict[str, float]:
    """The largest change of each of our processes since the warm-up, as a share."""
    (_, warm), *later = weights
    ours = [name for name in warm if name.startswith(OURS)]
    return {name: max((w[name] / warm[name] - 1 for _, w in later), key=abs) for name in ours}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.memory", description=__doc__)
    parser.add_argument("--warm-up", type=int, default=1_000)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    given = parser.parse_args()
    changes = drift(measured(given.warm_up, given.streams, given.server))
    print("  ".join(f"{name} {change:+.1%}" for name, change in changes.items()))
    return any(abs(change) > LEEWAY for change in changes.values())


if __name__ == "__main__":
    sys.exit(main())
