"""The web process's CPU for a token, through each door: one reader for each stream.

In each round every door is measured once, on the same deployment.
"""

from __future__ import annotations

from benchmarks.goals import UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.parts.e2e import row
from benchmarks.running import measure_live
from benchmarks.subjects.doors import DOORS, SOCKET
from benchmarks.subjects.holdfast import Holdfast

PART = "doors"
STREAMS = 100


def measure(stage: Stage, outcome: Outcome) -> None:
    for subject in stage.get_subjects(UVICORN):
        assert isinstance(subject, Holdfast)
        for _ in range(stage.options.rounds):
            costs = {door: measure_door(stage, outcome, subject, door) for door in DOORS}
            for door in DOORS:
                outcome.add_figure(f"doors/{door}", divide(costs[door], costs[SOCKET]))


def measure_door(stage: Stage, outcome: Outcome, subject: Holdfast, door: str) -> float:
    """Return the web process's microseconds of CPU for a delivered token."""
    with subject.read_through(door):
        sample = measure_live(subject, stage.client, STREAMS, stage.options.seconds)
    name = f"{subject.name}, {door}"
    outcome.count_faults(name, sample)
    outcome.add_sample(PART, f"{STREAMS} streams × 50/s", name, sample.to_json())
    print(row(name, STREAMS, sample), flush=True)
    return 1e6 * sample.cpu["web"] / max(sample.tokens, 1)
