"""The results of a run: measurements by part and subject, and the figures that goals judge."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.goals import DAPHNE, DEFLATE, FILE, MEMORY, RESUMABLE, SKETCH, STACK, USUAL, UVICORN
from benchmarks.running import Client, Replayed, Sample
from benchmarks.subjects.durable import Durable
from benchmarks.subjects.holdfast import Holdfast
from benchmarks.subjects.resumable import Resumable
from benchmarks.subjects.subject import Subject
from benchmarks.subjects.usual import Usual
from tools.services import node


@dataclass(frozen=True, slots=True)
class Options:
    """The amount of work. `streams` limits the numbers of streams to these."""

    rounds: int = 3
    seconds: float = 3.0
    streams: tuple[int, ...] = ()
    subjects: tuple[str, ...] = ()

    @property
    def slow_rounds(self) -> int:
        """Return the number of rounds of steady measurements with a long preparation."""
        return min(self.rounds, 2)

    def filter_stream_counts(self, *stream_counts: int) -> list[int]:
        return [n for n in stream_counts if not self.streams or n in self.streams]

    def includes_subject(self, name: str) -> bool:
        return not self.subjects or any(part in name.lower() for part in self.subjects)


class Stage:
    """The subjects. Each is started at its first use and runs until the end of the run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._exit_stack = ExitStack()
        self._subjects: dict[str, Subject] = {}
        self._client: Client | None = None
        self.skipped: list[str] = []
        """Sentences about the skipped parts and the reasons."""

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    @property
    def client(self) -> Client:
        self._client = self._client or self._exit_stack.enter_context(Client())
        return self._client

    def get_subject(self, name: str) -> Subject:
        if name not in self._subjects:
            self._subjects[name] = self._exit_stack.enter_context(SUBJECTS[name]())
        return self._subjects[name]

    def get_subjects(self, *names: str) -> list[Subject]:
        """Return the subjects in this order, without those that the options exclude or that lack
        Node."""
        subjects = []
        for name in names:
            try:
                subjects += [self.get_subject(name)] if self.options.includes_subject(name) else []
            except node.Missing as missing:
                self.skip(f"{name} is left out: {missing}")
        return subjects

    def skip(self, reason: str) -> None:
        if reason not in self.skipped:
            self.skipped.append(reason)


SUBJECTS: dict[str, Any] = {
    UVICORN: lambda: Holdfast("uvicorn"),
    DAPHNE: lambda: Holdfast("daphne"),
    STACK: lambda: Holdfast("uvicorn", webs=2, workers=2),
    DEFLATE: lambda: Holdfast("uvicorn", deflate=True),
    RESUMABLE: Resumable,
    FILE: lambda: Durable(file=True),
    MEMORY: lambda: Durable(file=False),
    USUAL: Usual,
    SKETCH: lambda: Usual(full_text=True),
}


@dataclass
class Outcome:
    """The results of a run. `measured` are rows to show and store: part → case → subject → a sample
    of each round."""

    measured: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[int] = field(default_factory=lambda: [0, 0, 0])
    errors: list[str] = field(default_factory=list)

    def add_sample(self, part: str, case: str, subject: str, sample: dict[str, Any]) -> None:
        rounds = self.measured.setdefault(part, {}).setdefault(case, {}).setdefault(subject, [])
        rounds.append(sample)

    def count_faults(self, subject: str, sample: Sample) -> None:
        """Count the faults of Holdfast only: the others promise less."""
        if subject.startswith("Holdfast"):
            self.wrong = [a + b for a, b in zip(self.wrong, sample.wrong, strict=True)]
            if sample.unended:
                self.errors.append(f"{subject}: {sample.unended} streams did not end in time")
        self.errors += [f"{subject}: {error}" for error in sample.troubles]

    def count_replay_faults(self, subject: str, replayed: Replayed) -> None:
        if subject.startswith("Holdfast"):
            self.wrong[0] += replayed.wrong + replayed.failed
        self.errors += [f"{subject}: {error}" for error in replayed.troubles]

    def add_figure(self, name: str, value: float | None) -> None:
        """Add one round's value of a figure; None if it could not be measured."""
        if value is not None:
            self.figures.setdefault(name, []).append(value)


def divide(value: float | None, other: float | None) -> float | None:
    return value / other if value is not None and other else None
