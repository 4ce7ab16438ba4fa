"""Start a stack, do the worst to it, and say what was lost. Not zero when a promise broke."""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.broken import BREAKS
from tests.chaos.faults import Faults, Rests, Stuck
from tests.chaos.load import Load, sign_up
from tests.chaos.verdict import Verdict, judge
from tests.chaos.watch import Watch
from tests.e2e.person import Person
from tests.fakes import Fake
from tests.services.keeper import keeper
from tests.services.program import scratch_folder
from tools.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "test-results" / "chaos"

READERS = 2  # processes,
TABS = 3  # and sockets of each person in each of them
RATE = 4.2  # questions a second
ALL_ENDED_WITHIN = 60.0

OWNER_AFTER_KILL = 20.0
OWNER_AFTER_SIGTERM = 2.0

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
    # Shorter than most replies, so that a worker that is told to go has some to hand over.
    "DRAIN_SECONDS": "2",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for on the command line."""

    seconds: float
    seed: str
    broken: str
    server: str
    faults: bool


@dataclass(slots=True)
class Outcome:
    """All that a run has seen."""

    plan: Plan
    load: Load
    faults: Faults
    watch: Watch
    verdict: Verdict
    problems: list[str]
    ended_within: float


def main() -> int:
    plan = parsed()
    began = time.monotonic()
    with ExitStack() as open_:
        provider = open_.enter_context(Provider())
        environment = {**ENVIRONMENT, "OPENAI_BASE_URL": provider.fake.openai}
        if plan.broken:
            environment["BREAK"] = plan.broken
        stack = open_.enter_context(
            Stack(server=plan.server, environment=environment, report=lambda _: None)  # type: ignore[arg-type]
        )
        people = sign_up(stack.base_url)
        folder = scratch_folder("chaos")
        open_.callback(shutil.rmtree, folder, ignore_errors=True)
        readers = [
            open_.enter_context(Reader(f"reader-{n}", plan.seed, folder)) for n in range(READERS)
        ]

        def processes() -> dict[str, int]:
            assert stack.redis is not None
            programs = {program.name: program.pid for program in stack.programs}
            servers = {"postgres": stack.postgres.pid, "redis": stack.redis.pid}
            others = {reader.name: reader.pid for reader in readers}
            return programs | servers | others | {"provider": provider.pid}

        with Watch(stack.environment["DATABASE_URL"], processes) as watch:
            outcome = asyncio.run(attack(plan, stack, people, readers, watch, provider.fake))
        print(table(outcome, time.monotonic() - began))
        if outcome.problems:
            keep(outcome, stack)
        return bool(outcome.problems)


def parsed() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--break", dest="broken", choices=sorted(BREAKS), default="")
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    parser.add_argument("--no-faults", dest="faults", action="store_false")
    return Plan(**vars(parser.parse_args()))


# The processes


class Child:
    """A process of ours that takes its orders on its input and ends with it."""

    def __init__(self, name: str, *command: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        keeper().keep(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def wait(self, within: float) -> None:
        self._process.wait(within)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        keeper().forget(self.pid)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()


class Provider(Child):
    """The fake provider with the scripts of `script`."""

    def __init__(self) -> None:
        super().__init__("provider", "tests.chaos.provider")
        self.fake = Fake(json.loads(self.read())["url"])

    def __enter__(self) -> "Provider":
        return self


class Reader(Child):
    """A process of followers; `file` has what they saw, once it is gone."""

    def __init__(self, name: str, seed: str, folder: Path) -> None:
        self.file = folder / f"{name}.jsonl"
        super().__init__(name, "tests.chaos.follower", name, seed, str(self.file))

    def __enter__(self) -> "Reader":
        return self

    def begin(self, webs: list[str], people: list[Person]) -> None:
        cookies = [f"sessionid={person.cookies['sessionid']}" for person in people]
        self.write(json.dumps({"webs": webs, "cookies": cookies, "tabs": TABS}))


# The attack


async def attack(
    plan: Plan,
    stack: Stack,
    people: list[Person],
    readers: Sequence[Reader],
    watch: Watch,
    fake: Fake,
) -> Outcome:
    webs = [web.url for web in stack.webs]
    for reader in readers:
        reader.begin(webs, people)

    async def announce(person: int, stream: str) -> None:
        for reader in readers:
            reader.write(json.dumps({"person": person, "follow": stream}))

    load = Load(webs, people, f"{plan.seed} load", watch, announce)
    faults = Faults(stack, watch, plan.seed, Rests())
    problems: list[str] = []
    until = time.monotonic() + plan.seconds
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(RATE, until))
            if plan.faults:
                group.create_task(faults.run(until))
    except* Stuck as stuck:
        problems += [str(error) for error in stuck.exceptions]
    healed = time.monotonic()
    await load.finish()
    await all_ended(watch, healed + ALL_ENDED_WITHIN)
    ended_within = time.monotonic() - healed
    left = max(5.0, healed + ALL_ENDED_WITHIN - time.monotonic())
    for reader in readers:
        reader.write(json.dumps({"finish": left}))
    for reader in readers:
        await asyncio.to_thread(reader.wait, left + 30)
    verdict = await asyncio.to_thread(
        judge,
        stack.environment["DATABASE_URL"],
        load.asked,
        fake.requests(),
        [reader.file for reader in readers],
    )
    problems += verdict.violations + list(broken_promises(load, watch, verdict))
    return Outcome(plan, load, faults, watch, verdict, problems, ended_within)


async def all_ended(watch: Watch, deadline: float) -> None:
    while time.monotonic() < deadline:
        await asyncio.sleep(0.3)  # longer than the watch takes to look again
        if not watch.unfinished:
            return


def broken_promises(load: Load, watch: Watch, verdict: Verdict) -> Iterator[str]:
    """The promises of the table's figures; the verdict has broken others itself."""
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
        yield f"{times.ownerless:.1f} s without an owner (stream {times.ownerless_stream})"
    yield from (f"a POST was refused: {refusal}" for refusal in load.refused[:10])


# The table


def table(outcome: Outcome, seconds: float) -> str:
    plan, verdict, times = outcome.plan, outcome.verdict, outcome.watch.times
    seen = verdict.counts
    kinds = outcome.faults.counts + provider_faults(outcome.load) + client_faults(seen)
    kinds["duplicate POSTs"] = outcome.load.counts["duplicate POSTs"]
    kinds["stops"] = outcome.load.counts["stops"]
    rows: list[tuple[str, str]] = [
        ("commit", commit()),
        (
            "server, seconds, seed",
            f"{plan.server}, {plan.seconds:g} (all: {seconds:.0f}), {plan.seed}",
        ),
        *([("switched off", plan.broken)] if plan.broken else []),
        ("streams", f"{verdict.streams:,}"),
        ("  of them", ", ".join(f"{n} {state}" for state, n in sorted(verdict.states.items()))),
        ("followers' readings", f"{verdict.readings:,}"),
        ("chunk indexes delivered", f"{verdict.delivered:,}"),
        ("faults", f"{kinds.total():,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(kinds.items())),
        ("reconnects", f"{seen['reconnects']:,}"),
        ("POSTs that had to be made again", f"{outcome.load.counts['POSTs again']:,}"),
        ("lost / doubled / reordered", f"{verdict.lost} / {verdict.doubled} / {verdict.reordered}"),
        ("duplicate POSTs with more than one reply", f"{verdict.repeated}"),
        ("replies with a seam", f"{verdict.carried_on}"),
        ("worst kill -9 → owner or ending", f"{times.worst('kill'):.1f} s"),
        ("worst SIGSTOP → owner or ending", f"{times.worst('freeze'):.1f} s"),
        ("worst SIGTERM → owner", f"{times.ownerless:.1f} s"),
        ("unfinished", f"{verdict.unfinished}"),
        ("all ended after the last fault", f"{outcome.ended_within:.1f} s"),
        ("peak resident memory", ""),
        *((f"  {name}", f"{size / 2**20:.0f} MB") for name, size in outcome.watch.memory.items()),
        ("broken promises", f"{len(outcome.problems)}"),
    ]
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)


def provider_faults(load: Load) -> Counter[str]:
    troubles = Counter[str](asked.script.trouble for asked in load.asked)
    names = {"cut": "cuts", "stall": "stalls", "end": "ends without its marker"}
    return Counter({f"provider: {name}": troubles[kind] for kind, name in names.items()})


def client_faults(seen: Counter[str]) -> Counter[str]:
    kinds = ("sockets dropped", "sockets closed", "sockets frozen", "sockets flooded")
    return Counter({kind: seen[kind] for kind in (*kinds, "page reloads")})


def commit() -> str:
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    dirty = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True)
    return head.stdout.strip() + (" and changes" if dirty.stdout.strip() else "")


def keep(outcome: Outcome, stack: Stack) -> None:
    """Write down what broke, the order of the faults, and what the processes said."""
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    (KEPT / "violations.txt").write_text("\n".join(outcome.problems) + "\n")
    (KEPT / "faults.txt").write_text("\n".join(outcome.faults.log) + "\n")
    for program in stack.programs:
        shutil.copy(program.log, KEPT)
    print("\n".join(["", *outcome.problems[:10], f"The rest is in {KEPT.relative_to(ROOT)}/"]))


if __name__ == "__main__":
    sys.exit(main())
