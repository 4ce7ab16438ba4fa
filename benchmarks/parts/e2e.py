"""From the generation of a token to its reader, through everything: cost and latency.

In each round every subject runs once, so that other work on the machine affects all of them.
"""

from __future__ import annotations

from benchmarks.goals import DAPHNE, DEFLATE, FILE, MEMORY, RESUMABLE, SKETCH, STACK, USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage, ratio
from benchmarks.running import Sample, live
from benchmarks.subjects.holdfast import Holdfast
from benchmarks.subjects.subject import Subject
from benchmarks.tokens import WIDTH

PART = "e2e"
AT: dict[int, tuple[str, ...]] = {
    1: (),
    10: (UVICORN, USUAL, FILE),
    40: (FILE,),
    100: (UVICORN, DAPHNE, RESUMABLE),
    250: (UVICORN, RESUMABLE),
}
ONCE = {
    1: (UVICORN,),
    10: (DAPHNE, SKETCH, MEMORY),
    40: (MEMORY,),
    100: (STACK, DEFLATE),
    250: (DAPHNE,),
}
"""A case without a goal is measured in the first round only."""
SHORT = {UVICORN: "uvicorn", DAPHNE: "daphne", STACK: "stack"}

Round = dict[tuple[int, str], Sample]


def measure(stage: Stage, outcome: Outcome) -> None:
    for number in range(stage.options.rounds):
        samples: Round = {}
        for streams in stage.options.counts(*AT):
            for subject in stage.wanted(*AT[streams], *(ONCE[streams] if not number else ())):
                samples[streams, subject.name] = one(stage, outcome, subject, streams)
        compare(samples, outcome)


def one(stage: Stage, outcome: Outcome, subject: Subject, streams: int) -> Sample:
    """Run a subject once, and store the measurements."""
    before = subject.stored() if isinstance(subject, Holdfast) else None
    sample = live(subject, stage.client, streams, stage.options.seconds)
    told = sample.told()
    if isinstance(subject, Holdfast) and before:
        told["stored"] = stored_per_token(before, subject.stored())
        if subject.name == UVICORN:
            outcome.figure(f"stored/{streams}", told["stored"])
    outcome.judge(subject.name, sample)
    outcome.keep(PART, f"{streams} streams × 50/s", subject.name, told)
    print(row(subject.name, streams, sample), flush=True)
    return sample


def stored_per_token(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return the bytes of the table and its index that a token takes while its chunk is a row."""
    return round(WIDTH * (after[0] - before[0]) / (after[1] - before[1]), 1)


def compare(samples: Round, outcome: Outcome) -> None:
    """Return the figures of one round. Durable streams are judged at the number of streams that
    suits them best."""
    cost = {key: sample.per_token for key, sample in samples.items()}
    best = min((cost[key] for key in cost if key[1] == FILE), default=None)
    for (streams, name), sample in samples.items():
        if short := SHORT.get(name):
            figure = f"{streams}/{short}"
            outcome.figure(
                f"cpu/{figure}/rs", ratio(sample.per_token, cost.get((streams, RESUMABLE)))
            )
            outcome.figure(
                f"cpu/{figure}/usual", ratio(sample.per_token, cost.get((streams, USUAL)))
            )
            outcome.figure(f"cpu/{figure}/file", ratio(sample.per_token, best))
            outcome.figure(f"p50/{figure}", sample.age(0.5))
            outcome.figure(f"p99/{figure}", sample.age(0.99))


def row(name: str, streams: int, sample: Sample) -> str:
    """Print one line for people."""
    told = sample.told()
    by = " ".join(f"{process} {cost:.0f}" for process, cost in told["by_process"].items())
    notes = [*sample.troubles, *([f"{sample.unended} did not end"] if sample.unended else [])]
    return (
        f"  {streams:>4} {name:<24} {sample.per_token:7.1f} µs ({by})  "
        f"p50 {told['p50_ms']:6.1f}  p99 {told['p99_ms']:6.1f} ms  "
        f"{told['tokens_per_second']:>6} tok/s  {told['bytes_per_token']:5.1f} B on the wire  "
        f"{told['tokens_per_frame']:.2f}/frame  client {100 * sample.client:.0f} %  "
        f"wrong {'/'.join(map(str, sample.wrong))}"
        + "".join(f"\n         {note}" for note in notes)
    )
