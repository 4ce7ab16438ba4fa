"""The short form: it measures no times, and checks every token of every reader."""

from __future__ import annotations

from benchmarks.goals import UVICORN
from benchmarks.outcome import Outcome, Stage
from benchmarks.parts.e2e import row
from benchmarks.running import measure_live, measure_replay

STREAMS, READERS = 20, 2
CHUNKS = 3_000
HERD = 40


def measure(stage: Stage, outcome: Outcome) -> None:
    """Check Holdfast on Uvicorn: live readers, and readers that come back."""
    subject = stage.get_subject(UVICORN)
    sample = measure_live(subject, stage.client, STREAMS, 1.0, readers=READERS)
    outcome.count_faults(subject.name, sample)
    print(row(subject.name, STREAMS, sample))
    assert sample.tokens > 0.5 * sample.asked, "hardly anything came"
    assert not sample.unended, "some did not end"
    specs = list(subject.create_replayable(CHUNKS, HERD // 4)) * 4
    replayed = measure_replay(subject, stage.client, specs, CHUNKS, at_once=True)
    outcome.count_replay_faults(subject.name, replayed)
    print(f"  {len(replayed.seconds)} of {HERD} caught up, {replayed.wrong} tokens wrong")
    assert len(replayed.seconds) == HERD, "some did not catch up"
