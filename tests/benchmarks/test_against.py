"""Comparing two checkouts: their output is parsed, and rounds are compared in pairs."""

from __future__ import annotations

from benchmarks.against import ROW, Figures, table
from benchmarks.parts.e2e import row
from benchmarks.running import Sample


def sample(cpu: float) -> Sample:
    ages = [float(n) for n in range(100)]
    return Sample(seconds=4, asked=1000, tokens=1000, cpu={"web": cpu, "worker": cpu}, ages=ages)


def test_what_a_checkout_prints_is_read() -> None:
    printed = f"e2e\n{row('Holdfast, Uvicorn', 100, sample(0.02))}\n"
    assert ROW.findall(printed) == [("100", "Holdfast, Uvicorn", "40.0", "50.0", "99.0")]


def test_a_round_is_compared_with_its_own_turn() -> None:
    key = (100, "Holdfast, Uvicorn")
    slow: Figures = {key: (80.0, 20.0, 90.0)}
    quick: Figures = {key: (40.0, 10.0, 45.0)}
    better: Figures = {key: (36.0, 10.0, 45.0)}
    lines = table([(slow, slow), (quick, better), (quick, quick)]).splitlines()
    assert lines[-1].split("µs")[0].split() == ["100", "Holdfast,", "Uvicorn,"]
    assert lines[-1].endswith("1.000 [0.900, 1.000]")
