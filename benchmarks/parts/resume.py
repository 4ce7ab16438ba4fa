"""A reader comes back: the time from its first packet to the complete text of a running reply.

Once to the process that served it before, as after a lost connection, and once to a process that
has not read the reply yet, as after a deploy.
"""

from __future__ import annotations

from benchmarks.goals import DAPHNE, DEFLATE, FILE, MEMORY, RESUMABLE, USUAL, UVICORN
from benchmarks.outcome import Outcome, Stage, ratio
from benchmarks.running import Replayed, median, replay

PART = "resume"
READERS = 21
"""Resumes of each subject in a round, one after the other; their median counts."""
STREAMS = 7
"""Replies that are new to the process, with one reader each."""
AT = {
    2_000: (UVICORN, DEFLATE, DAPHNE, RESUMABLE, MEMORY, FILE, USUAL),
    20_000: (UVICORN, DAPHNE, RESUMABLE, MEMORY, USUAL),
}


def measure(stage: Stage, outcome: Outcome) -> None:
    for chunks, names in AT.items():
        subjects = stage.wanted(*names)
        ready = {s.name: list(s.replayable(chunks, 1)) for s in subjects}
        for subject in subjects:
            replay(subject, stage.client, ready[subject.name] * 10, chunks)  # warm-up
        for _ in range(stage.options.rounds):
            seen: dict[str, Replayed] = {}
            for subject in subjects:
                seen[subject.name] = replay(
                    subject, stage.client, ready[subject.name] * READERS, chunks
                )
                keep(outcome, f"{chunks:,} chunks", subject.name, seen[subject.name])
                if subject.name in (UVICORN, DAPHNE):
                    new = list(subject.replayable(chunks, STREAMS))
                    replayed = replay(subject, stage.client, new, chunks)
                    keep(outcome, f"{chunks:,} chunks, to another process", subject.name, replayed)
            times = {name: median(replayed.seconds) for name, replayed in seen.items()}
            for name, figure in ((UVICORN, "resume"), (DAPHNE, "resume/daphne")):
                share = ratio(times.get(name), times.get(RESUMABLE))
                outcome.figure(f"{figure}/{chunks}", share)


def keep(outcome: Outcome, what: str, subject: str, replayed: Replayed, part: str = PART) -> None:
    told = replayed.told()
    outcome.keep(part, what, subject, told)
    outcome.judge_replay(subject, replayed)
    print(
        f"  {what} {subject:<24} median {told['median_ms']:7.1f} ms  all {told['all_ms']:7.0f} ms  "
        f"CPU {told['cpu_ms_each']:6.2f} ms each  {told['bytes_each']:>9,} B  "
        f"wrong {replayed.wrong}  failed {replayed.failed}"
        + "".join(f"\n         {trouble}" for trouble in replayed.troubles),
        flush=True,
    )
