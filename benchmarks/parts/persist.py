"""The journal alone: the cost of a row in commits of several sizes, and the size of a folded
reply."""

from __future__ import annotations

from benchmarks import cpu
from benchmarks.goals import UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.subjects.holdfast import Holdfast

PART = "persist"
BATCH_SIZES = (1, 10, 100, 1_000)
MEASURE_SECONDS = 1.5
FOLDED_REPLIES = 1_500
"""So many that the first pages of each table and index do not count."""
TOKENS_PER_CHUNK = (3, 1)
"""About as in a reply of a busy worker, and of a slow model."""


def measure(stage: Stage, outcome: Outcome) -> None:
    subject = stage.get_subject(UVICORN)
    assert isinstance(subject, Holdfast)
    server = {"postgres": subject.processes["postgres"]}
    for _ in range(stage.options.rounds):
        for batch in BATCH_SIZES:
            before = cpu.read_times(server)
            rate, python, rows = subject.run_order(
                do="measure_appends", streams=batch, seconds=MEASURE_SECONDS
            )
            postgres = 1e6 * cpu.subtract_times(before, cpu.read_times(server))["postgres"] / rows
            figures = {
                "rows_per_second": round(rate),
                "us_per_token": round(python + postgres, 1),
                "by_process": {"python": round(python, 1), "postgres": round(postgres, 1)},
            }
            outcome.add_sample(PART, f"{batch:,} rows a commit", subject.name, figures)
            print(
                f"  {batch:>5} rows a commit {rate:9,.0f} rows/s  "
                f"python {python:6.1f} µs  postgres {postgres:6.1f} µs a row",
                flush=True,
            )
    _measure_folded(subject, outcome)


def _measure_folded(subject: Holdfast, outcome: Outcome) -> None:
    """The goal is judged by the smallest chunks, which have the most cuts."""
    for tokens in TOKENS_PER_CHUNK:
        stored, text = subject.run_order(
            do="create_folded_replies", count=FOLDED_REPLIES, tokens_per_chunk=tokens
        )
        sample = {"bytes": stored, "text": text}
        outcome.add_sample(PART, f"folded, chunks of {tokens} tokens", subject.name, sample)
        print(f"  folded, chunks of {tokens} tokens: {divide(stored, text):.3f} of the text")
    outcome.add_figure("stored/folded", divide(stored, text))
