"""One measurement of one subject: its streams run, a client reads them, and both are measured."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import cpu
from benchmarks.client.wires import Spec
from benchmarks.subjects.subject import Plan, Subject
from tools.services.helper_process import Child

TOKENS_PER_SECOND = 50.0
"""Tokens a second of each stream."""
LEAD_SECONDS = 1.7
"""Seconds until the streams begin: a worker finds them within one, and readers connect
meanwhile."""
LEAD_SECONDS_PER_STREAM = 0.014
"""Opening a socket takes up to 10 ms of CPU."""
LEAD_SECONDS_PER_TOKEN = 0.00003
WARM_UP_SECONDS = 0.7
TAIL_SECONDS = 0.3
MAX_ATTEMPTS = 3
GRACE_SECONDS = 4.0
"""Seconds to wait for streams that are late."""


CLIENT = "client"


class Client(Child):
    """The load client, in a process of its own."""

    def __init__(self) -> None:
        super().__init__(CLIENT, sys.executable, "-m", "benchmarks.client")


@dataclass(frozen=True, slots=True)
class Sample:
    """Measurements of a subject over `seconds`. CPU in seconds by process, ages in milliseconds,
    bytes and frames on the wire; `wrong` are tokens lost, doubled and reordered."""

    seconds: float
    asked: float
    tokens: int
    cpu: dict[str, float]
    ages: list[float] = field(repr=False)
    bytes: int = 0
    frames: int = 0
    wrong: tuple[int, int, int] = (0, 0, 0)
    troubles: tuple[str, ...] = ()
    unended: int = 0
    client_share: float = 0.0
    """The share of a core that the load client took, which counts as no subject's cost."""

    @property
    def cpu_us_per_token(self) -> float:
        """Microseconds of CPU for a delivered token, over all processes."""
        return 1e6 * sum(self.cpu.values()) / max(self.tokens, 1)

    @property
    def delivered_share(self) -> float:
        """The share of the expected tokens that were delivered in time."""
        return self.tokens / self.asked

    def get_age_quantile(self, share: float) -> float:
        """Return the milliseconds from a token's generation to its reader that this share of tokens
        does not exceed."""
        return compute_quantile(self.ages, share)

    def to_json(self) -> dict[str, Any]:
        """Return the figures that results store."""
        return {
            "us_per_token": round(self.cpu_us_per_token, 1),
            "by_process": {k: round(1e6 * v / max(self.tokens, 1), 1) for k, v in self.cpu.items()},
            "p50_ms": round(self.get_age_quantile(0.5), 1),
            "p99_ms": round(self.get_age_quantile(0.99), 1),
            "tokens_per_second": round(self.tokens / self.seconds),
            "delivered": round(self.delivered_share, 3),
            "bytes_per_token": round(self.bytes / max(self.tokens, 1), 1),
            "tokens_per_frame": round(self.tokens / max(self.frames, 1), 2),
            "lost_doubled_reordered": list(self.wrong),
            "unended": self.unended,
            "client_share": round(self.client_share, 2),
            "troubles": list(self.troubles),
        }


def compute_quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def compute_median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def measure_live(
    subject: Subject,
    client: Client,
    streams: int,
    seconds: float,
    *,
    rate: float = TOKENS_PER_SECOND,
    readers: int = 1,
    before: int = 0,
) -> Sample:
    """Run streams for some seconds with a number of readers each, after a number of tokens at once.

    A measurement that began before all readers had subscribed would look too good: it is repeated
    with more time for them. Raises RuntimeError if that does not help.
    """
    lead = (
        LEAD_SECONDS
        + LEAD_SECONDS_PER_STREAM * streams * readers
        + LEAD_SECONDS_PER_TOKEN * streams * before
    )
    for _ in range(MAX_ATTEMPTS):
        start = time.monotonic() + lead
        if sample := _try_measurement(
            subject, client, streams, seconds, rate, readers, before, start
        ):
            return sample
        lead *= 2
    raise RuntimeError(f"{subject.name}: {streams * readers} readers do not come within {lead} s")


def _try_measurement(
    subject: Subject,
    client: Client,
    streams: int,
    seconds: float,
    rate: float,
    readers: int,
    before: int,
    start: float,
) -> Sample | None:
    """Return one measurement of streams that begin at `start`; None if a reader subscribed too
    late."""
    begin, end = start + WARM_UP_SECONDS, start + WARM_UP_SECONDS + seconds
    count = int(rate * (WARM_UP_SECONDS + seconds + TAIL_SECONDS))
    specs = list(subject.start_streams(Plan(streams, rate, start, count, before)))
    client.send_order(
        do="follow",
        readers=specs * readers,
        window=[begin, end],
        until=start + count / rate + GRACE_SECONDS,
    )
    client.read_answer()  # all have subscribed
    _sleep_until(begin)
    processes = {**subject.processes, CLIENT: client.pid}
    cpu_before = cpu.read_times(processes)
    _sleep_until(end)
    cpu_seconds = cpu.subtract_times(cpu_before, cpu.read_times(processes))
    share = cpu_seconds.pop(CLIENT) / seconds
    result = client.read_answer()
    subject.wait_until_idle()
    if result["late"]:
        return None
    return Sample(
        seconds=seconds,
        asked=streams * rate * seconds * readers,
        tokens=result["tokens"],
        cpu=cpu_seconds,
        ages=result["ages"],
        bytes=result["bytes"],
        frames=result["frames"],
        wrong=(
            result["lost"] + _count_missing_at_end(result, before + count),
            result["doubled"],
            result["reordered"],
        ),
        troubles=tuple(result["errors"]),
        unended=result["unended"],
        client_share=share,
    )


@dataclass(frozen=True, slots=True)
class Replayed:
    """The cost of catching up: seconds of each reader, of all of them, and of CPU by process."""

    seconds: list[float]
    took: float
    cpu: dict[str, float]
    bytes: list[int]
    failed: int
    wrong: int
    troubles: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        readers = max(len(self.seconds), 1)
        return {
            "median_ms": round(1000 * compute_median(self.seconds), 2),
            "p99_ms": round(1000 * compute_quantile(self.seconds, 0.99), 2),
            "all_ms": round(1000 * self.took, 1),
            "cpu_ms_each": round(1000 * sum(self.cpu.values()) / readers, 2),
            "bytes_each": round(sum(self.bytes) / max(len(self.bytes), 1)),
            "failed": self.failed,
            "wrong": self.wrong,
        }


def measure_replay(
    subject: Subject,
    client: Client,
    specs: Sequence[Spec],
    tokens: int,
    *,
    at_once: bool = False,
    within: float = 20.0,
) -> Replayed:
    """Let readers catch up on a number of tokens, one after the other or all at once."""
    cpu_before = cpu.read_times(subject.processes)
    result = client.run_order(
        do="catch_up", specs=list(specs), tokens=tokens, at_once=at_once, within=within
    )
    cpu_seconds = cpu.subtract_times(cpu_before, cpu.read_times(subject.processes))
    return Replayed(
        seconds=result["seconds"],
        took=result["took"],
        cpu=cpu_seconds,
        bytes=result["bytes"],
        failed=result["failed"],
        wrong=result["wrong"],
        troubles=tuple(result["errors"]),
    )


def _count_missing_at_end(result: dict[str, Any], count: int) -> int:
    """Count the tokens that are missing at the ends of streams that reported an end."""
    return 0 if result["unended"] else sum(max(count - n, 0) for n in result["received"])


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
