"""One reply with many readers: the cost of each further reader."""

from __future__ import annotations

from benchmarks.goals import DAPHNE, RESUMABLE, USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage
from benchmarks.parts.e2e import row
from benchmarks.running import measure_live

PART = "fanout"
READERS = (10, 100)
MEASURE_SECONDS = 2.0


def measure(stage: Stage, outcome: Outcome) -> None:
    for readers in READERS:
        for subject in stage.get_subjects(UVICORN, DAPHNE, RESUMABLE, USUAL):
            sample = measure_live(subject, stage.client, 1, MEASURE_SECONDS, readers=readers)
            outcome.count_faults(subject.name, sample)
            outcome.add_sample(PART, f"1 stream, {readers} readers", subject.name, sample.to_json())
            print(row(subject.name, readers, sample), flush=True)
