"""From the token's making to its reader, through everything: what it costs and how long it takes.

In each round every subject runs once, so that what else happens on the machine happens to all.
"""

from __future__ import annotations

from benchmarks.goals import DAPHNE, FILE, MEMORY, RESUMABLE, SKETCH, STACK, USUAL, UVICORN
from benchmarks.outcome import SUBJECTS, Outcome, Stage, ratio
from benchmarks.running import Sample, live
from benchmarks.subjects.holdfast import Holdfast

PART = "e2e"
AT = {
    1: (UVICORN,),
    10: (UVICORN, DAPHNE, USUAL, SKETCH, FILE),
    100: (UVICORN, DAPHNE, STACK, RESUMABLE, FILE, MEMORY),
    250: (UVICORN, DAPHNE, RESUMABLE),
}


def measure(stage: Stage, outcome: Outcome) -> None:
    options = stage.options
    for streams in options.counts(*AT):
        for _ in range(options.rounds):
            samples: dict[str, Sample] = {}
            for subject in stage.wanted(*(name for name in AT[streams] if name in SUBJECTS)):
                before = subject.stored() if isinstance(subject, Holdfast) else None
                sample = live(subject, stage.client, streams, options.seconds)
                told = sample.told()
                if isinstance(subject, Holdfast) and before:
                    told["stored"] = stored_per_token(before, subject.stored())
                    if subject.name == UVICORN:
                        outcome.figure(f"stored/{streams}", told["stored"])
                samples[subject.name] = sample
                outcome.judge(subject.name, sample)
                outcome.keep(PART, f"{streams} streams × 50/s", subject.name, told)
                print(row(subject.name, streams, sample), flush=True)
            compare(streams, samples, outcome)


def stored_per_token(before: tuple[int, int, int], after: tuple[int, int, int]) -> float:
    """Bytes of the table and its index that a token takes while its chunk is a row."""
    tokens = (after[2] - before[2]) / 5
    return round((after[0] - before[0]) / tokens, 1)


def compare(streams: int, samples: dict[str, Sample], outcome: Outcome) -> None:
    """The figures of one round."""
    cost = {name: sample.per_token for name, sample in samples.items()}
    for name, short in ((UVICORN, "uvicorn"), (DAPHNE, "daphne"), (STACK, "stack")):
        for other, shorter in ((RESUMABLE, "rs"), (FILE, "file"), (USUAL, "usual")):
            figure = f"cpu/{streams}/{short}/{shorter}"
            outcome.figure(figure, ratio(cost.get(name), cost.get(other)))
        if name in samples:
            outcome.figure(f"p50/{streams}/{short}", samples[name].age(0.5))
            outcome.figure(f"p99/{streams}/{short}", samples[name].age(0.99))


def row(name: str, streams: int, sample: Sample) -> str:
    """One line for who is watching."""
    told = sample.told()
    by = " ".join(f"{process} {cost:.0f}" for process, cost in told["by_process"].items())
    wrong = "/".join(map(str, sample.wrong))
    return (
        f"  {streams:>4} {name:<24} {sample.per_token:7.1f} µs ({by})  "
        f"p50 {told['p50_ms']:6.1f}  p99 {told['p99_ms']:6.1f} ms  "
        f"{told['tokens_per_second']:>6} tok/s  {told['bytes_per_token']:5.1f} B on the wire  "
        f"{told['tokens_per_frame']:.2f}/frame  wrong {wrong}"
        + ("".join(f"\n       {trouble}" for trouble in sample.troubles))
        + (f"  {sample.unended} did not end" if sample.unended else "")
    )
