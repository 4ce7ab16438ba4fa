"""From the generation of a token to its reader, through everything: cost and latency.

In each round every subject runs once, so that other work on the machine affects all of them.
"""

from __future__ import annotations

from benchmarks.goals import DAPHNE, DEFLATE, FILE, MEMORY, RESUMABLE, SKETCH, STACK, USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.running import Sample, measure_live
from benchmarks.subjects.holdfast import Holdfast
from benchmarks.subjects.subject import Subject
from benchmarks.tokens import TOKEN_CHARS

PART = "e2e"
SUBJECTS_BY_STREAMS: dict[int, tuple[str, ...]] = {
    1: (),
    10: (UVICORN, USUAL, FILE),
    40: (FILE,),
    100: (UVICORN, DAPHNE, RESUMABLE),
    250: (UVICORN, RESUMABLE),
}
FIRST_ROUND_SUBJECTS = {
    1: (UVICORN,),
    10: (DAPHNE, SKETCH, MEMORY),
    40: (MEMORY,),
    100: (STACK, DEFLATE),
    250: (DAPHNE,),
}
"""A case without a goal is measured in the first round only."""
FIGURE_NAMES = {UVICORN: "uvicorn", DAPHNE: "daphne", STACK: "stack"}

Round = dict[tuple[int, str], Sample]


def measure(stage: Stage, outcome: Outcome) -> None:
    for number in range(stage.options.rounds):
        samples: Round = {}
        for streams in stage.options.filter_stream_counts(*SUBJECTS_BY_STREAMS):
            for subject in stage.get_subjects(
                *SUBJECTS_BY_STREAMS[streams],
                *(FIRST_ROUND_SUBJECTS[streams] if not number else ()),
            ):
                samples[streams, subject.name] = measure_subject(stage, outcome, subject, streams)
        add_figures(samples, outcome)


def measure_subject(stage: Stage, outcome: Outcome, subject: Subject, streams: int) -> Sample:
    """Run a subject once, and store the measurements."""
    before = subject.measure_journal() if isinstance(subject, Holdfast) else None
    sample = measure_live(subject, stage.client, streams, stage.options.seconds)
    figures = sample.to_json()
    if isinstance(subject, Holdfast) and before:
        figures["stored"] = compute_stored_bytes(before, subject.measure_journal())
        if subject.name == UVICORN:
            outcome.add_figure(f"stored/{streams}", figures["stored"])
    outcome.count_faults(subject.name, sample)
    outcome.add_sample(PART, f"{streams} streams × 50/s", subject.name, figures)
    print(row(subject.name, streams, sample), flush=True)
    return sample


def compute_stored_bytes(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return the bytes of the table and its index that a token takes while its chunk is a row."""
    return round(TOKEN_CHARS * (after[0] - before[0]) / (after[1] - before[1]), 1)


def add_figures(samples: Round, outcome: Outcome) -> None:
    """Add the figures of one round. Durable streams are judged at the number of streams that
    suits them best."""
    costs = {key: sample.cpu_us_per_token for key, sample in samples.items()}
    lowest_file_cost = min((costs[key] for key in costs if key[1] == FILE), default=None)
    for (streams, name), sample in samples.items():
        if figure_name := FIGURE_NAMES.get(name):
            figure = f"{streams}/{figure_name}"
            outcome.add_figure(
                f"cpu/{figure}/rs", divide(sample.cpu_us_per_token, costs.get((streams, RESUMABLE)))
            )
            outcome.add_figure(
                f"cpu/{figure}/usual", divide(sample.cpu_us_per_token, costs.get((streams, USUAL)))
            )
            outcome.add_figure(
                f"cpu/{figure}/file", divide(sample.cpu_us_per_token, lowest_file_cost)
            )
            outcome.add_figure(f"p50/{figure}", sample.get_age_quantile(0.5))
            outcome.add_figure(f"p99/{figure}", sample.get_age_quantile(0.99))


def row(name: str, streams: int, sample: Sample) -> str:
    """Format the line that is printed."""
    figures = sample.to_json()
    process_costs = " ".join(
        f"{process} {cost:.0f}" for process, cost in figures["by_process"].items()
    )
    notes = [*sample.troubles, *([f"{sample.unended} did not end"] if sample.unended else [])]
    return (
        f"  {streams:>4} {name:<24} {sample.cpu_us_per_token:7.1f} µs ({process_costs})  "
        f"p50 {figures['p50_ms']:6.1f}  p99 {figures['p99_ms']:6.1f} ms  "
        f"{figures['tokens_per_second']:>6} tok/s  "
        f"{figures['bytes_per_token']:5.1f} B on the wire  "
        f"{figures['tokens_per_frame']:.2f}/frame  client {100 * sample.client_share:.0f} %  "
        f"wrong {'/'.join(map(str, sample.wrong))}"
        + "".join(f"\n         {note}" for note in notes)
    )
