"""All readers come back at once, each for a reply of its own, as after a deploy. Each round uses
other replies, so that no process has read them before."""

from __future__ import annotations

from benchmarks.goals import DAPHNE, RESUMABLE, UVICORN
from benchmarks.outcome import Outcome, Stage, ratio
from benchmarks.parts.resume import keep
from benchmarks.running import replay

PART = "herd"
READERS, CHUNKS = 200, 2_000


def measure(stage: Stage, outcome: Outcome) -> None:
    subjects = stage.wanted(UVICORN, DAPHNE, RESUMABLE)
    for subject in subjects:
        replay(subject, stage.client, list(subject.replayable(CHUNKS, 20)), CHUNKS)  # warm-up
    for _ in range(stage.options.rounds):
        took: dict[str, float] = {}
        for subject in subjects:
            ready = list(subject.replayable(CHUNKS, READERS))
            replayed = replay(subject, stage.client, ready, CHUNKS, at_once=True)
            what = f"{READERS} × {CHUNKS:,} chunks"
            keep(outcome, what, subject.name, replayed, PART)
            took[subject.name] = replayed.took
        for name, short in ((UVICORN, "uvicorn"), (DAPHNE, "daphne")):
            outcome.figure(f"herd/{short}", ratio(took.get(name), took.get(RESUMABLE)))
