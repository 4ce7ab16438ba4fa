"""The cost of a token with ten times as many rows, messages or tokens."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks import cpu
from benchmarks.goals import UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.parts.sdk import run_provider
from benchmarks.running import measure_live
from benchmarks.subjects.holdfast import Holdfast

PART = "scale"
STREAMS = 40
ROWS = (100_000, 1_000_000)
CHUNKS = 20_000
"""Chunks of each stream that fills the table."""
LENGTHS = (500, 5_000)
"""Tokens that a reply has before the measurement."""
TURNS = (6, 60)
ANSWER_TOKENS = 300
"""Tokens."""


def measure(stage: Stage, outcome: Outcome) -> None:
    measure_rows_and_length(stage, outcome)
    measure_history(stage, outcome)


def measure_rows_and_length(stage: Stage, outcome: Outcome) -> None:
    """Measure two deployments in turns, one with ten times the chunks in its table."""
    with ExitStack() as stack:
        subjects = [stack.enter_context(Holdfast("uvicorn")) for _ in ROWS]
        for subject, count in zip(subjects, ROWS, strict=True):
            subject.fill_journal(count // CHUNKS, CHUNKS)
            measure_live(subject, stage.client, STREAMS, 1.0)  # warm-up
        for _ in range(stage.options.slow_rounds):
            costs = []
            for subject, count in zip(subjects, ROWS, strict=True):
                sample = measure_live(subject, stage.client, STREAMS, stage.options.seconds)
                outcome.count_faults(subject.name, sample)
                costs.append(sample.cpu_us_per_token)
                add_cost(outcome, f"{count:,} rows in the table", sample.cpu_us_per_token)
            outcome.add_figure("growth/rows", divide(costs[1], costs[0]))
        measure_length(subjects[0], stage, outcome)


def measure_length(subject: Holdfast, stage: Stage, outcome: Outcome) -> None:
    for _ in range(stage.options.slow_rounds):
        costs = []
        for before in LENGTHS:
            sample = measure_live(
                subject, stage.client, STREAMS, stage.options.seconds, before=before
            )
            outcome.count_faults(subject.name, sample)
            costs.append(sample.cpu_us_per_token)
            add_cost(outcome, f"replies of {before:,} tokens", sample.cpu_us_per_token)
        outcome.add_figure("growth/length", divide(costs[1], costs[0]))


def measure_history(stage: Stage, outcome: Outcome) -> None:
    """Measure complete replies of the chat, from the claim to the end, in short and in long
    conversations."""
    with (
        run_provider(ANSWER_TOKENS) as url,
        Holdfast("uvicorn", environment={"OPENAI_BASE_URL": url}) as subject,
    ):
        measure_answers(subject, TURNS[0])  # warm-up
        for _ in range(stage.options.slow_rounds):
            costs = [measure_answers(subject, turns) for turns in TURNS]
            for turns, cost in zip(TURNS, costs, strict=True):
                add_cost(outcome, f"conversations of {turns} messages", cost)
            outcome.add_figure("growth/history", divide(costs[1], costs[0]))


def measure_answers(subject: Holdfast, turns: int) -> float:
    """Return the microseconds of CPU for a token of answers without readers, from the question on;
    the earlier messages exist already."""
    conversations = subject.run_order(do="create_conversations", count=STREAMS, turns=turns)
    before = cpu.read_times(subject.processes)
    subject.run_order(do="start_replies", ids=conversations)
    subject.wait_until_idle()
    cpu_seconds = cpu.subtract_times(before, cpu.read_times(subject.processes))
    return 1e6 * sum(cpu_seconds.values()) / (STREAMS * ANSWER_TOKENS)


def add_cost(outcome: Outcome, case: str, cost: float) -> None:
    outcome.add_sample(PART, case, UVICORN, {"us_per_token": round(cost, 1)})
    print(f"  {case:<32} {cost:7.1f} µs a token", flush=True)
