"""Whether a token costs the same with ten times as many rows, messages or tokens."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks import cpu
from benchmarks.goals import UVICORN
from benchmarks.outcome import Outcome, Stage, ratio
from benchmarks.parts.sdk import provider
from benchmarks.running import live
from benchmarks.subjects.holdfast import Holdfast

PART = "scale"
STREAMS = 40
ROWS = (100_000, 1_000_000)
CHUNKS = 20_000
"""Chunks of each stream that fills the table."""
LENGTHS = (500, 5_000)
"""Tokens that a reply has before the measurement."""
TURNS = (6, 60)
ANSWER = 300
"""Tokens."""


def measure(stage: Stage, outcome: Outcome) -> None:
    rows_and_length(stage, outcome)
    history(stage, outcome)


def rows_and_length(stage: Stage, outcome: Outcome) -> None:
    """Two deployments, one with ten times the chunks in its table, take turns."""
    with ExitStack() as open_:
        subjects = [open_.enter_context(Holdfast("uvicorn")) for _ in ROWS]
        for subject, count in zip(subjects, ROWS, strict=True):
            subject.fill(count // CHUNKS, CHUNKS)
            live(subject, stage.client, STREAMS, 1.0)  # warm-up
        for _ in range(stage.options.few):
            costs = []
            for subject, count in zip(subjects, ROWS, strict=True):
                sample = live(subject, stage.client, STREAMS, stage.options.seconds)
                outcome.judge(subject.name, sample)
                costs.append(sample.per_token)
                keep(outcome, f"{count:,} rows in the table", sample.per_token)
            outcome.figure("growth/rows", ratio(costs[1], costs[0]))
        length(subjects[0], stage, outcome)


def length(subject: Holdfast, stage: Stage, outcome: Outcome) -> None:
    for _ in range(stage.options.few):
        costs = []
        for before in LENGTHS:
            sample = live(subject, stage.client, STREAMS, stage.options.seconds, before=before)
            outcome.judge(subject.name, sample)
            costs.append(sample.per_token)
            keep(outcome, f"replies of {before:,} tokens", sample.per_token)
        outcome.figure("growth/length", ratio(costs[1], costs[0]))


def history(stage: Stage, outcome: Outcome) -> None:
    """Measure complete replies of the chat, from the claim to the end, in short and in long
    conversations."""
    with (
        provider(ANSWER) as url,
        Holdfast("uvicorn", environment={"OPENAI_BASE_URL": url}) as subject,
    ):
        answered(subject, TURNS[0])  # warm-up
        for _ in range(stage.options.few):
            costs = [answered(subject, turns) for turns in TURNS]
            for turns, cost in zip(TURNS, costs, strict=True):
                keep(outcome, f"conversations of {turns} messages", cost)
            outcome.figure("growth/history", ratio(costs[1], costs[0]))


def answered(subject: Holdfast, turns: int) -> float:
    """Return the microseconds of CPU for a token of answers without readers, from the question on;
    the earlier messages exist already."""
    conversations = subject.ask(do="conversations", count=STREAMS, turns=turns)
    before = cpu.used(subject.processes)
    subject.ask(do="replies", asked=conversations)
    subject.settle()
    spent = cpu.spent(before, cpu.used(subject.processes))
    return 1e6 * sum(spent.values()) / (STREAMS * ANSWER)


def keep(outcome: Outcome, what: str, cost: float) -> None:
    outcome.keep(PART, what, UVICORN, {"us_per_token": round(cost, 1)})
    print(f"  {what:<32} {cost:7.1f} µs a token", flush=True)
