"""The result of one mode of the attack, its criteria and its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.honest import Measurements

MAX_DELAY_SECONDS = {"pages": 1.0, "tokens": 3.0}
"""The allowed increase of the p95 of a page and of a first token over the quiet time before."""
MAX_GROWTH_BYTES = 50 * 2**20


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """Bytes that a stack uses: in its tables, in its files and logs, in the memory of all
    processes."""

    tables: int
    files: int
    memory: dict[str, int]


@dataclass(slots=True)
class AttackResult:
    """One mode in one shape: the honest person's measurements, and the growth."""

    mode: str
    shape: str
    quiet: Measurements
    attacked: Measurements
    before: ResourceUsage
    after: ResourceUsage
    counts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    can_sign_in: bool = True
    """Whether a new browser could sign in as the honest person."""
    first_growth: int = 0
    """Bytes by which memory grew in a short attack before, which filled caches and pools."""

    def get_delay(self, name: str) -> float:
        """Seconds between the p95 of the attack and that of the quiet time."""
        return self.attacked.p95(name) - self.quiet.p95(name)

    @property
    def disk_growth(self) -> int:
        return self.after.tables - self.before.tables + self.after.files - self.before.files

    @property
    def memory_growth(self) -> int:
        return sum(self.memory_growth_by_program.values())

    @property
    def memory_growth_by_program(self) -> dict[str, int]:
        before, after = self.before.memory, self.after.memory
        return {name: after.get(name, 0) - before.get(name, 0) for name in after | before}

    def find_failures(self) -> Iterator[str]:
        for name, limit in MAX_DELAY_SECONDS.items():
            if (delay := self.get_delay(name)) > limit:
                yield f"p95 of {name} {delay:.2f} s later, at most {limit:g}"
        for name, grown in (
            ("tables, files and logs", self.disk_growth),
            ("memory", self.memory_growth),
        ):
            if grown > MAX_GROWTH_BYTES:
                yield f"{name} grew by {format_megabytes(grown)}"
        yield from dict.fromkeys(self.attacked.failures)
        yield from self.losses


# Report


def format_results(results: Sequence[AttackResult]) -> str:
    head = ("mode", "shape", "pages p95", "quiet", "token p95", "quiet", "disk", "memory", "")
    rows = [head, *(format_row(result) for result in results)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in rows
    )


def format_row(result: AttackResult) -> tuple[str, ...]:
    both = (result.attacked, result.quiet)
    pages, tokens = (
        [f"{figures.p95(name):.2f} s" for figures in both] for name in MAX_DELAY_SECONDS
    )
    failed = "failed" if any(result.find_failures()) else "held"
    grown = (format_megabytes(result.disk_growth), format_megabytes(result.memory_growth))
    return (result.mode, result.shape, *pages, *tokens, *grown, failed)


def format_megabytes(size: int) -> str:
    return f"{size / 2**20:+.1f} MB"


def print_result(result: AttackResult) -> None:
    """Print all responses to the attackers: if all requests of a mode were refused, it was no
    attack."""
    grown = (
        f"{name} {format_megabytes(size)}" for name, size in result.memory_growth_by_program.items()
    )
    first = format_megabytes(result.first_growth)
    print(f"  memory: {', '.join(grown)}; in a short attack before {first}")
    sign_ins = ", ".join(f"{seconds:.1f} s" for seconds in result.attacked.sign_ins)
    print(f"  signing in from a known browser, during the attack: {sign_ins}")
    print(f"  signing in from a fresh browser: {'possible' if result.can_sign_in else 'barred'}")
    for key, count in sorted(result.counts.items()):
        print(f"  {count:>7,}  {key}  {result.samples.get(key, '')}".rstrip())
