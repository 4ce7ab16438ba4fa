"""The results of a run, as one table."""

from collections import Counter

from tests.chaos.load import Load
from tests.chaos.run import Outcome
from tools.checkout import describe_commit

PROVIDER = {"cut": "cut", "stall": "stalled", "end": "ended without its marker"}
SOCKETS = ("dropped", "closed", "frozen", "flooded", "page reloaded")


def table(outcome: Outcome, seconds: float) -> str:
    """`seconds` is how long all of it took, from the first process on."""
    rows = [*_what(outcome, seconds), *_faults(outcome), *_promises(outcome), *_memory(outcome)]
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)


Rows = list[tuple[str, str]]


def _what(outcome: Outcome, seconds: float) -> Rows:
    plan, verdict = outcome.plan, outcome.verdict
    states = ", ".join(f"{count} {state}" for state, count in sorted(verdict.states.items()))
    return [
        ("commit", describe_commit()),
        ("server", plan.server),
        ("seconds of faults, and in all", f"{plan.seconds:g}, {seconds:.0f}"),
        ("seed", plan.seed),
        *([("switched off", plan.broken)] if plan.broken else []),
        ("streams", f"{verdict.streams:,} ({states})"),
        *((f"  {why}", f"{count:,}") for why, count in sorted((+verdict.reasons).items())),
        ("followers' readings", f"{verdict.readings:,}"),
        ("chunk indexes delivered", f"{verdict.delivered:,}"),
    ]


def _faults(outcome: Outcome) -> Rows:
    seen, load = outcome.verdict.counts, outcome.load
    kinds = outcome.faults.counts + _of_provider(load)
    kinds += Counter({f"socket: {kind}": seen[f"socket: {kind}"] for kind in SOCKETS})
    kinds += Counter({f"person: {kind}": load.counts[kind] for kind in ("posts twice", "stops")})
    return [
        ("faults", f"{kinds.total():,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(kinds.items())),
        ("reconnects", f"{seen['reconnects']:,}"),
        ("POSTs that were made again", f"{load.counts['POSTs again']:,}"),
    ]


def _of_provider(load: Load) -> Counter[str]:
    troubles = Counter[str](asked.script.trouble for asked in load.asked)
    return Counter({f"provider: {name}": troubles[kind] for kind, name in PROVIDER.items()})


def _promises(outcome: Outcome) -> Rows:
    verdict, times = outcome.verdict, outcome.watch.times
    return [
        ("lost / doubled / reordered", f"{verdict.lost} / {verdict.doubled} / {verdict.reordered}"),
        ("requests with more than one reply", f"{verdict.repeated}"),
        ("replies carried on", f"{verdict.carried_on}"),
        ("streams of lines, resumed", f"{verdict.lines}, {verdict.resumed}"),
        ("kill -9 → owner or ending, worst", f"{times.worst('kill'):.1f} s"),
        ("SIGSTOP → owner or ending, worst", f"{times.worst('freeze'):.1f} s"),
        ("SIGTERM → owner, worst", f"{times.ownerless:.1f} s"),
        ("all ended after the last fault", f"{outcome.ended_within:.1f} s"),
        ("unfinished", f"{verdict.unfinished}"),
        ("broken promises", f"{len(outcome.problems)}"),
    ]


def _memory(outcome: Outcome) -> Rows:
    peaks = outcome.watch.memory.items()
    return [
        ("peak resident memory", ""),
        *((f"  {name}", f"{size / 2**20:.0f} MB") for name, size in peaks),
    ]
