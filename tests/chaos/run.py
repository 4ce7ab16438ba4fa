"""One run: the stack, the people, the followers and the faults, and the result."""

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import Faults, Rests, Stuck
from tests.chaos.load import Load, sign_up
from tests.chaos.monitor import Watch
from tests.chaos.processes import ROOT, EngineUser, Habits, ProviderProcess, Reader
from tests.chaos.sabotage import REVEALED_BY
from tests.chaos.verdict import Verdict, judge
from tools.deployment.deployment import Server
from tools.deployment.http_user import Person
from tools.fake_provider import Fake
from tools.services.program import scratch_folder
from tools.stack import Stack

KEPT = ROOT / "test-results" / "chaos"

READERS = 2
RATE = 5.0  # questions a second
ALL_ENDED_WITHIN = 60.0

OWNER_AFTER_KILL = 20.0
OWNER_AFTER_SIGTERM = 2.0

RESTS = Rests()
SHORT = 15.0
SHORT_RESTS = Rests(worker=(0, 0.5), web=(0.5, 2), redis=(0.5, 2), postgres=(1, 3))

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
    # Shorter than most replies, so that a worker that gets SIGTERM has some to release.
    "DRAIN_SECONDS": "2",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a run. `broken` names the protection that is switched off."""

    seconds: float = 300.0
    seed: str = "1"
    broken: str = ""
    server: Server = "daphne"
    rests: Rests = RESTS


@dataclass(slots=True)
class Outcome:
    """All observations of a run; `problems` are the broken promises."""

    plan: Plan
    load: Load
    faults: Faults
    watch: Watch
    verdict: Verdict
    problems: list[str]
    ended_within: float


def run(plan: Plan) -> Outcome:
    """Run everything from the first process to the verdict."""
    with ExitStack() as open_:
        provider = open_.enter_context(ProviderProcess())
        environment = {**ENVIRONMENT, "OPENAI_BASE_URL": provider.fake.openai}
        if plan.broken:
            environment["BREAK"] = plan.broken
        stack = open_.enter_context(
            Stack(server=plan.server, environment=environment, report=_mute)
        )
        people = sign_up(stack.base_url)
        folder = scratch_folder("chaos")
        open_.callback(shutil.rmtree, folder, ignore_errors=True)
        readers = [
            open_.enter_context(Reader(f"reader-{number}", plan.seed, folder, Habits()))
            for number in range(READERS)
        ]
        engine = open_.enter_context(EngineUser(plan.seed, folder, stack.environment))
        with Watch(stack, [provider, *readers, engine]) as watch:
            outcome = asyncio.run(
                attack(plan, stack, people, readers, engine, watch, provider.fake)
            )
        if outcome.problems:
            keep(outcome, stack)
        return outcome


def _mute(_: str) -> None:
    """A process that ends here was killed on purpose."""


async def attack(
    plan: Plan,
    stack: Stack,
    people: list[Person],
    readers: Sequence[Reader],
    engine: EngineUser,
    watch: Watch,
    fake: Fake,
) -> Outcome:
    webs = [web.url for web in stack.webs]
    for reader in readers:
        reader.begin(webs, people)

    async def announce(person: int, stream: str) -> None:
        for reader in readers:
            reader.follow(person, stream)

    load = Load(webs, people, f"{plan.seed} load", watch, announce)
    only = REVEALED_BY.get(plan.broken, ())
    faults = Faults(stack, watch, plan.seed, plan.rests, only)
    problems: list[str] = []
    until = time.monotonic() + plan.seconds
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(RATE, until))
            group.create_task(faults.run(until))
    except* Stuck as stuck:
        problems += [str(error) for error in stuck.exceptions]
    healed = time.monotonic()
    engine.finish(ALL_ENDED_WITHIN)
    await load.finish()
    await all_ended(watch, healed + ALL_ENDED_WITHIN)
    ended_within = time.monotonic() - healed
    await finish(readers, max(5.0, ALL_ENDED_WITHIN - ended_within))
    await asyncio.to_thread(engine.wait, ALL_ENDED_WITHIN)
    url, files = stack.environment["DATABASE_URL"], [reader.file for reader in (*readers, engine)]
    verdict = await asyncio.to_thread(judge, url, load.asked, fake.requests(), files)
    problems += [*verdict.violations, *broken_promises(load, watch, verdict)]
    return Outcome(plan, load, faults, watch, verdict, problems, ended_within)


async def all_ended(watch: Watch, deadline: float) -> None:
    while time.monotonic() < deadline:
        await asyncio.sleep(0.3)  # longer than the interval of the monitor
        if not watch.unfinished:
            return


async def finish(readers: Sequence[Reader], within: float) -> None:
    for reader in readers:
        reader.finish(within)
    for reader in readers:
        await asyncio.to_thread(reader.wait, within + 30)


def broken_promises(load: Load, watch: Watch, verdict: Verdict) -> Iterator[str]:
    """Check the promises about the table's figures; the verdict has named single violations
    itself."""
    times = watch.times
    for name in ("lost", "doubled", "reordered", "unfinished", "repeated"):
        if count := getattr(verdict, name):
            yield f"{name}: {count}"
    for orphaning in times.orphanings:
        if orphaning.left or orphaning.longest > OWNER_AFTER_KILL:
            yield (
                f"{orphaning.longest:.1f} s from a {orphaning.kind} to an owner or an ending "
                f"(stream {orphaning.who})"
            )
    if times.ownerless > OWNER_AFTER_SIGTERM:
        yield (
            f"{times.ownerless:.1f} s without an owner, until {times.ownerless_at} "
            f"(stream {times.ownerless_stream})"
        )
    yield from (f"a POST was refused: {refusal}" for refusal in load.refused[:10])


def keep(outcome: Outcome, stack: Stack, folder: Path = KEPT) -> None:
    """Write down the violations, the order of the faults, and the output of the processes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "violations.txt").write_text("\n".join(outcome.problems) + "\n")
    (folder / "faults.txt").write_text("\n".join(outcome.faults.log) + "\n")
    for program in stack.programs:
        shutil.copy(program.log, folder)
