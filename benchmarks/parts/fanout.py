"""One reply with many readers: the cost of each further reader."""

from __future__ import annotations

from benchmarks.goals import DAPHNE, RESUMABLE, USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage
from benchmarks.parts.e2e import row
from benchmarks.running import live

PART = "fanout"
READERS = (10, 100)
SECONDS = 2.0


def measure(stage: Stage, outcome: Outcome) -> None:
    for readers in READERS:
        for subject in stage.wanted(UVICORN, DAPHNE, RESUMABLE, USUAL):
            sample = live(subject, stage.client, 1, SECONDS, readers=readers)
            outcome.judge(subject.name, sample)
            outcome.keep(PART, f"1 stream, {readers} readers", subject.name, sample.told())
            print(row(subject.name, readers, sample), flush=True)
