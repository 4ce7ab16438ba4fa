"""A reader comes back: the time from its first packet to the complete text of a running reply.

It comes back once to the process that served it before, as after a lost connection, and once to a
process that has not read the reply yet, as after a deploy.
"""

from __future__ import annotations

from benchmarks.goals import DAPHNE, DEFLATE, FILE, MEMORY, RESUMABLE, USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.running import Replayed, compute_median, measure_replay

PART = "resume"
READERS = 21
"""Resumes of each subject in a round, one after the other; their median counts."""
STREAMS = 7
"""Replies that are new to the process, with one reader each."""
SUBJECTS_BY_CHUNKS = {
    2_000: (UVICORN, DEFLATE, DAPHNE, RESUMABLE, MEMORY, FILE, USUAL),
    20_000: (UVICORN, DAPHNE, RESUMABLE, MEMORY, USUAL),
}


def measure(stage: Stage, outcome: Outcome) -> None:
    for chunks, names in SUBJECTS_BY_CHUNKS.items():
        subjects = stage.get_subjects(*names)
        specs = {s.name: list(s.create_replayable(chunks, 1)) for s in subjects}
        for subject in subjects:
            measure_replay(subject, stage.client, specs[subject.name] * 10, chunks)  # warm-up
        for _ in range(stage.options.rounds):
            results: dict[str, Replayed] = {}
            for subject in subjects:
                results[subject.name] = measure_replay(
                    subject, stage.client, specs[subject.name] * READERS, chunks
                )
                keep(outcome, f"{chunks:,} chunks", subject.name, results[subject.name])
                if subject.name in (UVICORN, DAPHNE):
                    new = list(subject.create_replayable(chunks, STREAMS))
                    replayed = measure_replay(subject, stage.client, new, chunks)
                    keep(outcome, f"{chunks:,} chunks, to another process", subject.name, replayed)
            times = {name: compute_median(replayed.seconds) for name, replayed in results.items()}
            for name, figure in ((UVICORN, "resume"), (DAPHNE, "resume/daphne")):
                share = divide(times.get(name), times.get(RESUMABLE))
                outcome.add_figure(f"{figure}/{chunks}", share)


def keep(outcome: Outcome, case: str, subject: str, replayed: Replayed, part: str = PART) -> None:
    figures = replayed.to_json()
    outcome.add_sample(part, case, subject, figures)
    outcome.count_replay_faults(subject, replayed)
    print(
        f"  {case} {subject:<24} median {figures['median_ms']:7.1f} ms  "
        f"all {figures['all_ms']:7.0f} ms  "
        f"CPU {figures['cpu_ms_each']:6.2f} ms each  {figures['bytes_each']:>9,} B  "
        f"wrong {replayed.wrong}  failed {replayed.failed}"
        + "".join(f"\n         {trouble}" for trouble in replayed.troubles),
        flush=True,
    )
