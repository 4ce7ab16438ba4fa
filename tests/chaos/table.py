"""The results of a run, as one table."""

from collections import Counter

from tests.chaos.load import LoadGenerator
from tests.chaos.run import RunResult
from tests.chaos.tab import RECONNECTS
from tools.checkout import describe_commit

PROVIDER_FAULTS = {"cut": "cut", "stall": "stalled", "end": "ended without its marker"}
FOLLOWER_FAULTS = ("dropped", "closed", "frozen", "flooded", "page reloaded")
"""How the names of the followers' own faults end, behind that of their door."""


def format_table(result: RunResult, seconds: float) -> str:
    """`seconds` is the duration of the whole run, from the first process on."""
    rows = [
        *_list_options(result, seconds),
        *_list_faults(result),
        *_list_promises(result),
        *_list_memory(result),
    ]
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:<{width}}{value}".rstrip() for name, value in rows)


Rows = list[tuple[str, str]]


def _list_options(result: RunResult, seconds: float) -> Rows:
    options, verdict = result.options, result.verdict
    states = ", ".join(f"{count} {state}" for state, count in sorted(verdict.states.items()))
    return [
        ("commit", describe_commit()),
        ("server", options.server),
        ("seconds of faults, and in all", f"{options.seconds:g}, {seconds:.0f}"),
        ("seed", options.seed),
        *([("switched off", options.broken)] if options.broken else []),
        ("streams", f"{verdict.streams:,} ({states})"),
        *((f"  {reason}", f"{count:,}") for reason, count in sorted((+verdict.reasons).items())),
        ("followers' readings", f"{verdict.readings:,}"),
        ("chunk indexes delivered", f"{verdict.delivered:,}"),
    ]


def _list_faults(result: RunResult) -> Rows:
    counts, load = result.verdict.counts, result.load
    kinds = result.faults.counts + _count_provider_faults(load)
    kinds += Counter({name: counts[name] for name in counts if name.endswith(FOLLOWER_FAULTS)})
    reconnects = Counter(
        {
            name.removeprefix(RECONNECTS): count
            for name, count in counts.items()
            if name.startswith(RECONNECTS)
        }
    )
    kinds += Counter({f"person: {kind}": load.counts[kind] for kind in ("posts twice", "stops")})
    return [
        ("faults", f"{kinds.total():,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(kinds.items())),
        ("reconnects", f"{reconnects.total():,}"),
        *((f"  {door}", f"{count:,}") for door, count in sorted(reconnects.items())),
        ("POSTs that were made again", f"{load.counts['POSTs again']:,}"),
    ]


def _count_provider_faults(load: LoadGenerator) -> Counter[str]:
    faults = Counter[str](asked.script.fault for asked in load.asked)
    return Counter({f"provider: {name}": faults[kind] for kind, name in PROVIDER_FAULTS.items()})


def _list_promises(result: RunResult) -> Rows:
    verdict, times = result.verdict, result.monitor.times
    return [
        ("lost / doubled / reordered", f"{verdict.lost} / {verdict.doubled} / {verdict.reordered}"),
        *(
            (f"  {name}", f"{door.lost} / {door.doubled} / {door.reordered} of {door.delivered:,}")
            for name, door in sorted(verdict.doors.items())
        ),
        ("requests with more than one reply", f"{verdict.repeated}"),
        ("replies carried on", f"{verdict.carried_on}"),
        ("streams of lines, resumed", f"{verdict.lines}, {verdict.resumed}"),
        ("kill -9 → owner or ending, worst", f"{times.get_max_seconds('kill'):.1f} s"),
        ("SIGSTOP → owner or ending, worst", f"{times.get_max_seconds('freeze'):.1f} s"),
        ("SIGTERM → owner, worst", f"{times.max_ownerless_seconds:.1f} s"),
        ("all ended after the last fault", f"{result.ended_within:.1f} s"),
        ("unfinished", f"{verdict.unfinished}"),
        ("broken promises", f"{len(result.problems)}"),
    ]


def _list_memory(result: RunResult) -> Rows:
    peaks = result.monitor.memory.items()
    return [
        ("peak resident memory", ""),
        *((f"  {name}", f"{size / 2**20:.0f} MB") for name, size in peaks),
    ]
