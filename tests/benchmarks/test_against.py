"""Comparing two checkouts: their output is parsed, and rounds are compared in pairs."""

from __future__ import annotations

import pytest

from benchmarks.against import Figures, parse_output, table
from benchmarks.outcome import Outcome
from benchmarks.parts.e2e import row
from benchmarks.parts.resume import keep
from benchmarks.running import Replayed, Sample


def sample(cpu: float) -> Sample:
    ages = [float(n) for n in range(100)]
    return Sample(seconds=4, asked=1000, tokens=1000, cpu={"web": cpu, "worker": cpu}, ages=ages)


def replayed(took: float) -> Replayed:
    return Replayed([took], took, {"web": took}, [10], failed=0, wrong=0, troubles=())


def test_the_output_of_a_checkout_is_parsed() -> None:
    printed = f"e2e\n{row('Holdfast, Uvicorn', 100, sample(0.02))}\n"
    subject = "100 Holdfast, Uvicorn"
    assert parse_output("e2e", printed) == {
        (subject, "µs of CPU a token"): 40.0,
        (subject, "p50 ms"): 50.0,
        (subject, "p99 ms"): 99.0,
    }


def test_a_part_that_ran_several_times_counts_with_its_median(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for took in (0.001, 0.009, 0.002):
        keep(Outcome(), "2,000 chunks", "Holdfast, Uvicorn", replayed(took))
    assert parse_output("resume", capsys.readouterr().out) == {
        ("2,000 chunks Holdfast, Uvicorn", "median ms"): 2.0,
        ("2,000 chunks Holdfast, Uvicorn", "ms for all"): 2.0,
        ("2,000 chunks Holdfast, Uvicorn", "ms of CPU each"): 2.0,
    }


def test_a_round_is_compared_with_the_same_round_of_the_other() -> None:
    key = ("100 Holdfast, Uvicorn", "p99 ms")
    slow: Figures = {key: 80.0}
    quick: Figures = {key: 40.0}
    better: Figures = {key: 36.0}
    lines = table([(slow, slow), (quick, better), (quick, quick)]).splitlines()
    assert lines[-1].startswith("100 Holdfast, Uvicorn, p99 ms")
    assert lines[-1].endswith("1.000 [0.900, 1.000]")
