"""All readers come back at once, each for a reply of its own, as after a deploy. Each round uses
other replies, so that no process has read them before."""

from __future__ import annotations

from benchmarks.goals import DAPHNE, RESUMABLE, UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.parts.resume import keep
from benchmarks.running import measure_replay

PART = "herd"
READERS, CHUNKS = 200, 2_000


def measure(stage: Stage, outcome: Outcome) -> None:
    subjects = stage.get_subjects(UVICORN, DAPHNE, RESUMABLE)
    for subject in subjects:
        measure_replay(
            subject, stage.client, list(subject.create_replayable(CHUNKS, 20)), CHUNKS
        )  # warm-up
    for _ in range(stage.options.rounds):
        seconds_by_subject: dict[str, float] = {}
        for subject in subjects:
            specs = list(subject.create_replayable(CHUNKS, READERS))
            replayed = measure_replay(subject, stage.client, specs, CHUNKS, at_once=True)
            case = f"{READERS} × {CHUNKS:,} chunks"
            keep(outcome, case, subject.name, replayed, PART)
            seconds_by_subject[subject.name] = replayed.took
        for name, figure_name in ((UVICORN, "uvicorn"), (DAPHNE, "daphne")):
            outcome.add_figure(
                f"herd/{figure_name}",
                divide(seconds_by_subject.get(name), seconds_by_subject.get(RESUMABLE)),
            )
