"""The table of goals: each figure that was reached, and whether it is enough."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.goals import GOALS, Goal

Figures = Mapping[str, Sequence[float]]
Reached = tuple[Goal, float, Sequence[float]]


def reached(figures: Figures, wrong: Sequence[int]) -> Iterator[Reached]:
    """Yield each measured goal with the median of its figure over the rounds, and all values."""
    known = {**figures, "wrong": [float(sum(wrong))]}
    for goal in GOALS:
        if values := known.get(goal.figure):
            yield goal, statistics.median(values), values


def table(figures: Figures, wrong: Sequence[int]) -> str:
    """Return the table for a terminal."""
    lines = [f"{'figure':<66}{'reached':>24}  {'must':>12}  {'aim':>12}"]
    lines += [
        f"{goal.words:<66}{_said(goal, values):>24}  {_judged(goal, value, goal.must):>12}  "
        f"{_judged(goal, value, goal.aim):>12}"
        for goal, value, values in reached(figures, wrong)
    ]
    return "\n".join(lines)


def markdown(figures: Figures, wrong: Sequence[int]) -> str:
    """Return the table for the page."""
    lines = ["| figure | reached | must | aim |", "| --- | --: | --: | --: |"]
    lines += [
        f"| {goal.words} | {_said(goal, values)} | {_judged(goal, value, goal.must)} "
        f"| {_judged(goal, value, goal.aim)} |"
        for goal, value, values in reached(figures, wrong)
    ]
    return "\n".join(lines)


def missed(figures: Figures, wrong: Sequence[int]) -> list[str]:
    """Return the required goals that were measured and missed."""
    found = reached(figures, wrong)
    return [goal.words for goal, value, _ in found if not goal.met(value, goal.must)]


def _said(goal: Goal, values: Sequence[float]) -> str:
    said = f"{statistics.median(values):.3g}"
    if len(values) > 1:
        said += f" [{min(values):.3g}–{max(values):.3g}]"
    return f"{said} {goal.unit}".strip()


def _judged(goal: Goal, value: float, limit: float) -> str:
    sign = "≥" if goal.more else "≤"
    return f"{sign} {limit:g} {'PASS' if goal.met(value, limit) else 'FAIL'}"
