"""The journal alone: the cost of a row in commits of several sizes, and the size of a folded
reply."""

from __future__ import annotations

from benchmarks import cpu
from benchmarks.goals import UVICORN
from benchmarks.outcome import Outcome, Stage, ratio
from benchmarks.subjects.holdfast import Holdfast

PART = "persist"
BATCHES = (1, 10, 100, 1_000)
SECONDS = 1.5
FOLDED = 300
"""Replies."""


def measure(stage: Stage, outcome: Outcome) -> None:
    subject = stage.subject(UVICORN)
    assert isinstance(subject, Holdfast)
    server = {"postgres": subject.processes["postgres"]}
    for _ in range(stage.options.rounds):
        for batch in BATCHES:
            before = cpu.used(server)
            rate, python, rows = subject.ask(do="append", streams=batch, seconds=SECONDS)
            postgres = 1e6 * cpu.spent(before, cpu.used(server))["postgres"] / rows
            told = {
                "rows_per_second": round(rate),
                "us_per_token": round(python + postgres, 1),
                "by_process": {"python": round(python, 1), "postgres": round(postgres, 1)},
            }
            outcome.keep(PART, f"{batch:,} rows a commit", subject.name, told)
            print(
                f"  {batch:>5} rows a commit {rate:9,.0f} rows/s  "
                f"python {python:6.1f} µs  postgres {postgres:6.1f} µs a row",
                flush=True,
            )
    stored, text = subject.ask(do="folded", count=FOLDED)
    outcome.figure("stored/folded", ratio(stored, text))
    outcome.keep(PART, "folded", subject.name, {"bytes": stored, "text": text})
