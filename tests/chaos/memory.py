"""Measures resident memory over thousands of streams, with some sockets that never read.

`python -m tests.chaos.memory --streams 10000 --warm-up 1000`. Exits with 1 when a process of ours
grew or shrank by more than a tenth after the warm-up. PostgreSQL is only shown, because its cache
grows to its configured size.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random

from tests.chaos.load import LoadGenerator, sign_up
from tests.chaos.monitor import Monitor
from tests.chaos.processes import ProviderProcess, ReaderOptions, ReaderProcess
from tests.chaos.programs import AnnouncedReply
from tests.chaos.run import ENVIRONMENT, finish_readers, wait_until_all_ended
from tests.chaos.script import AnswerScript
from tools.deployment.http_user import Person
from tools.services.program import scratch_folder
from tools.stack import Stack

PEOPLE_COUNT = 20
READER_OPTIONS = (  # 200 of them, of which 20 never read, in two processes
    ReaderOptions(
        tabs_per_person=5,
        non_reading_tabs=1,
        followers_per_stream=2,
        has_disturbances=False,
        records_frames=False,
    ),
    ReaderOptions(
        tabs_per_person=5,
        non_reading_tabs=0,
        followers_per_stream=2,
        has_disturbances=False,
        records_frames=False,
    ),
)
QUESTIONS_PER_SECOND = 80.0  # if the machine can answer them
OWN_PROCESSES = ("web", "worker")
MAX_CHANGE_SHARE = 0.10
MAX_SETTLE_SECONDS = 60.0
MEASUREMENT_COUNT = 10

MemoryByProcess = dict[str, int]


def create_short_script(random: Random, number: int) -> AnswerScript:
    """Return a short answer, and for one in fifty one with long pieces."""
    pieces, has_long_pieces = random.randint(10, 30), random.random() < 0.02
    return AnswerScript(
        f"m{number:05}",
        pieces,
        delay=0.005,
        has_reasoning=number % 3 == 0,
        has_long_pieces=has_long_pieces,
    )


def measure_growth(warm_up: int, streams: int, server: str) -> list[tuple[int, MemoryByProcess]]:
    """Return the memory of every process after the warm-up, and after each further tenth of the
    streams."""
    with ExitStack() as open_:
        provider = open_.enter_context(ProviderProcess())
        environment = {**ENVIRONMENT, "OPENAI_BASE_URL": provider.fake.openai}
        stack = open_.enter_context(Stack(server=server, environment=environment))  # type: ignore[arg-type]
        people = sign_up(stack.base_url, PEOPLE_COUNT)
        folder = scratch_folder("memory")
        open_.callback(shutil.rmtree, folder, ignore_errors=True)
        readers = [
            open_.enter_context(ReaderProcess(f"reader-{number}", "1", folder, options))
            for number, options in enumerate(READER_OPTIONS)
        ]
        with Monitor(stack) as monitor:
            counts = [
                warm_up + streams * tenth // MEASUREMENT_COUNT
                for tenth in range(MEASUREMENT_COUNT + 1)
            ]
            return asyncio.run(_measure_between_questions(counts, stack, people, readers, monitor))


async def _measure_between_questions(
    counts: Sequence[int],
    stack: Stack,
    people: list[Person],
    readers: Sequence[ReaderProcess],
    monitor: Monitor,
) -> list[tuple[int, MemoryByProcess]]:
    webs = [web.url for web in stack.webs]
    for reader in readers:
        reader.start(webs, people)

    async def announce(person: int, reply: AnnouncedReply) -> None:
        for reader in readers:
            reader.follow(person, reply)

    load = LoadGenerator(webs, people, "memory", monitor, announce, create_short_script)
    measurements = []
    for count in counts:
        while len(load.asked) < count:
            await load.run(QUESTIONS_PER_SECOND, time.monotonic() + 1)
        await wait_until_all_ended(monitor, time.monotonic() + MAX_SETTLE_SECONDS)
        measurements.append((len(load.asked), monitor.measure_memory()))
        print(format_row(*measurements[-1]), flush=True)
    await load.finish()
    await finish_readers(readers, MAX_SETTLE_SECONDS)
    assert not monitor.unfinished_count, f"{monitor.unfinished_count} streams never ended"
    return measurements


def format_row(streams: int, memory: MemoryByProcess) -> str:
    sizes = "  ".join(f"{name} {size / 2**20:.0f} MB" for name, size in memory.items())
    return f"after {streams:>6,} streams  {sizes}"


def compute_changes(measurements: Sequence[tuple[int, MemoryByProcess]]) -> dict[str, float]:
    """Return the largest change of each of our processes since the warm-up, as a share."""
    (_, warm), *later = measurements
    own = [name for name in warm if name.startswith(OWN_PROCESSES)]
    return {
        name: max((memory[name] / warm[name] - 1 for _, memory in later), key=abs) for name in own
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.memory", description=__doc__)
    parser.add_argument("--warm-up", type=int, default=1_000)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    arguments = parser.parse_args()
    changes = compute_changes(
        measure_growth(arguments.warm_up, arguments.streams, arguments.server)
    )
    print("  ".join(f"{name} {change:+.1%}" for name, change in changes.items()))
    return any(abs(change) > MAX_CHANGE_SHARE for change in changes.values())


if __name__ == "__main__":
    sys.exit(main())
