"""The highest rate with a p99 under 100 ms: more streams at each step, until one fails."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.goals import USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.parts.e2e import row
from benchmarks.running import measure_live
from benchmarks.subjects.subject import Subject

PART = "sustained"
MAX_P99_MS = 100.0
"""Milliseconds."""
MIN_DELIVERED_SHARE = 0.97
MEASURE_SECONDS = 2.5
STREAM_COUNTS = {
    UVICORN: (100, 150, 200, 300, 400, 500, 600, 750, 950),
    USUAL: (4, 6, 8, 12, 15, 18, 21),
}


def measure(stage: Stage, outcome: Outcome) -> None:
    best = {}
    for subject in stage.get_subjects(*STREAM_COUNTS):
        best[subject.name] = find_sustained_rate(
            stage, outcome, subject, STREAM_COUNTS[subject.name]
        )
        outcome.add_sample(
            PART, "p99 under 100 ms", subject.name, {"tokens_per_second": best[subject.name]}
        )
    outcome.add_figure("sustained/uvicorn/usual", divide(best.get(UVICORN), best.get(USUAL)))


def find_sustained_rate(
    stage: Stage, outcome: Outcome, subject: Subject, steps: Sequence[int]
) -> float:
    """Return the tokens a second of the last step that held; a step that fails gets a second
    chance."""
    best = 0.0
    for streams in steps:
        for _ in range(2):
            sample = measure_live(subject, stage.client, streams, MEASURE_SECONDS)
            print(row(subject.name, streams, sample), flush=True)
            holds = (
                sample.get_age_quantile(0.99) < MAX_P99_MS
                and sample.delivered_share > MIN_DELIVERED_SHARE
            )
            if holds:
                break
        outcome.count_faults(subject.name, sample)
        if not holds:
            break
        best = sample.tokens / sample.seconds
    return round(best)
