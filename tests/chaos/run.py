"""One run: the stack, the people, the followers and the faults, and the result."""

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import FaultInjector, Pauses, RecoveryTimeout
from tests.chaos.load import LoadGenerator, sign_up
from tests.chaos.monitor import Monitor
from tests.chaos.processes import ROOT, EngineProcess, ProviderProcess, ReaderOptions, ReaderProcess
from tests.chaos.programs import AnnouncedReply
from tests.chaos.protections import FAULTS_BY_BREAK
from tests.chaos.verdict import Verdict, check_run
from tools.deployment.deployment import Server
from tools.deployment.http_user import Person
from tools.fake_provider import Fake
from tools.services.program import scratch_folder
from tools.stack import Stack

RESULTS_FOLDER = ROOT / "test-results" / "chaos"

READER_COUNT = 2
READER_OPTIONS = ReaderOptions(other_doors_share=1 / 2)
QUESTIONS_PER_SECOND = 5.0
PROGRAM_SHARE = 0.6
"""The share of the questions that programs ask, through each door of `PROGRAM_DOORS` alike."""
MAX_ENDING_SECONDS = 60.0

MAX_TAKEOVER_SECONDS = 20.0  # after a kill
MAX_OWNERLESS_SECONDS = 2.0  # after SIGTERM

PAUSES = Pauses()
SHORT_RUN_SECONDS = 15.0
SHORT_PAUSES = Pauses(worker=(0, 0.5), web=(0.5, 2), redis=(0.5, 2), postgres=(1, 3))

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
    # Shorter than most replies, so that a worker has some to release after SIGTERM.
    "DRAIN_SECONDS": "2",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run. `broken` is the name of the protection that is switched off."""

    seconds: float = 300.0
    seed: str = "1"
    broken: str = ""
    server: Server = "daphne"
    pauses: Pauses = PAUSES


@dataclass(slots=True)
class RunResult:
    """All observations of a run; `problems` are the broken promises."""

    options: RunOptions
    load: LoadGenerator
    faults: FaultInjector
    monitor: Monitor
    verdict: Verdict
    problems: list[str]
    ended_within: float


def run_chaos(options: RunOptions) -> RunResult:
    """Start everything, inject the faults, check the results, and save them if a promise is
    broken."""
    with ExitStack() as open_:
        provider = open_.enter_context(ProviderProcess())
        environment = {**ENVIRONMENT, "OPENAI_BASE_URL": provider.fake.openai}
        if options.broken:
            environment["BREAK"] = options.broken
        stack = open_.enter_context(
            Stack(server=options.server, environment=environment, report=_ignore_exit)
        )
        people = sign_up(stack.base_url)
        folder = scratch_folder("chaos")
        open_.callback(shutil.rmtree, folder, ignore_errors=True)
        readers = [
            open_.enter_context(
                ReaderProcess(f"reader-{number}", options.seed, folder, READER_OPTIONS)
            )
            for number in range(READER_COUNT)
        ]
        engine = open_.enter_context(EngineProcess(options.seed, folder, stack.environment))
        with Monitor(stack, [provider, *readers, engine]) as monitor:
            result = asyncio.run(
                inject_and_check(options, stack, people, readers, engine, monitor, provider.fake)
            )
        if result.problems:
            save_results(result, stack)
        return result


def _ignore_exit(_: str) -> None:
    """Report nothing: a process that ends here was killed on purpose."""


async def inject_and_check(
    options: RunOptions,
    stack: Stack,
    people: list[Person],
    readers: Sequence[ReaderProcess],
    engine: EngineProcess,
    monitor: Monitor,
    fake: Fake,
) -> RunResult:
    webs = [web.url for web in stack.webs]
    for reader in readers:
        reader.start(webs, people)

    async def announce(person: int, reply: AnnouncedReply) -> None:
        for reader in readers:
            reader.follow(person, reply)

    load = LoadGenerator(
        webs,
        people,
        f"{options.seed} load",
        monitor,
        announce,
        program_share=PROGRAM_SHARE,
    )
    only = FAULTS_BY_BREAK.get(options.broken, ())
    faults = FaultInjector(stack, monitor, options.seed, options.pauses, only)
    problems: list[str] = []
    until = time.monotonic() + options.seconds
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(QUESTIONS_PER_SECOND, until))
            group.create_task(faults.run(until))
    except* RecoveryTimeout as timeouts:
        problems += [str(error) for error in timeouts.exceptions]
    repaired_at = time.monotonic()
    engine.finish(MAX_ENDING_SECONDS)
    await load.finish()
    await wait_until_all_ended(monitor, repaired_at + MAX_ENDING_SECONDS)
    ended_within = time.monotonic() - repaired_at
    await finish_readers(readers, max(5.0, MAX_ENDING_SECONDS - ended_within))
    await asyncio.to_thread(engine.wait, MAX_ENDING_SECONDS)
    url, files = stack.environment["DATABASE_URL"], [reader.file for reader in (*readers, engine)]
    verdict = await asyncio.to_thread(check_run, url, load.asked, fake.requests(), files)
    problems += [*verdict.violations, *find_broken_promises(load, monitor, verdict)]
    return RunResult(options, load, faults, monitor, verdict, problems, ended_within)


async def wait_until_all_ended(monitor: Monitor, deadline: float) -> None:
    while time.monotonic() < deadline:
        await asyncio.sleep(0.3)  # longer than the interval of the monitor
        if not monitor.unfinished_count:
            return


async def finish_readers(readers: Sequence[ReaderProcess], timeout: float) -> None:
    for reader in readers:
        reader.finish(timeout)
    for reader in readers:
        await asyncio.to_thread(reader.wait, timeout + 30)


def find_broken_promises(load: LoadGenerator, monitor: Monitor, verdict: Verdict) -> Iterator[str]:
    """Yield the figures of the table that break a promise. The verdict has the single
    violations."""
    times = monitor.times
    for name in ("lost", "doubled", "reordered", "unfinished", "repeated"):
        if count := getattr(verdict, name):
            yield f"{name}: {count}"
    for takeover in times.takeovers:
        if takeover.remaining or takeover.max_seconds > MAX_TAKEOVER_SECONDS:
            yield (
                f"{takeover.max_seconds:.1f} s from a {takeover.kind} to an owner or an ending "
                f"(stream {takeover.slowest_stream})"
            )
    if times.max_ownerless_seconds > MAX_OWNERLESS_SECONDS:
        yield (
            f"{times.max_ownerless_seconds:.1f} s without an owner, until {times.ownerless_at} "
            f"(stream {times.ownerless_stream})"
        )
    yield from (f"a POST was refused: {refusal}" for refusal in load.refused[:10])


def save_results(result: RunResult, stack: Stack, folder: Path = RESULTS_FOLDER) -> None:
    """Save the violations, the order of the faults, and the logs of the processes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "violations.txt").write_text("\n".join(result.problems) + "\n")
    (folder / "faults.txt").write_text("\n".join(result.faults.log) + "\n")
    for program in stack.programs:
        shutil.copy(program.log, folder)
