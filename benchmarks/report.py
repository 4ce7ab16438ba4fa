"""The table of goals: each figure that was reached, and whether it is enough."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.goals import GOALS, Goal

Figures = Mapping[str, Sequence[float]]
Reached = tuple[Goal, float, Sequence[float]]


def rate_goals(figures: Figures, wrong: Sequence[int]) -> Iterator[Reached]:
    """Yield each measured goal with the median of its figure over the rounds, and all values."""
    all_figures = {**figures, "wrong": [float(sum(wrong))]}
    for goal in GOALS:
        if values := all_figures.get(goal.figure):
            yield goal, statistics.median(values), values


def format_table(figures: Figures, wrong: Sequence[int]) -> str:
    """Return the table for a terminal."""
    lines = [f"{'figure':<66}{'reached':>24}  {'must':>12}  {'aim':>12}"]
    lines += [
        f"{goal.label:<66}{_format_values(goal, values):>24}  "
        f"{_format_verdict(goal, value, goal.must):>12}  "
        f"{_format_verdict(goal, value, goal.aim):>12}"
        for goal, value, values in rate_goals(figures, wrong)
    ]
    return "\n".join(lines)


def format_markdown(figures: Figures, wrong: Sequence[int]) -> str:
    """Return the table for the page."""
    lines = ["| figure | reached | must | aim |", "| --- | --: | --: | --: |"]
    lines += [
        f"| {goal.label} | {_format_values(goal, values)} "
        f"| {_format_verdict(goal, value, goal.must)} "
        f"| {_format_verdict(goal, value, goal.aim)} |"
        for goal, value, values in rate_goals(figures, wrong)
    ]
    return "\n".join(lines)


def find_missed_goals(figures: Figures, wrong: Sequence[int]) -> list[str]:
    """Return the required goals that were measured and missed."""
    rated = rate_goals(figures, wrong)
    return [goal.label for goal, value, _ in rated if not goal.is_met(value, goal.must)]


def _format_values(goal: Goal, values: Sequence[float]) -> str:
    text = f"{statistics.median(values):.3g}"
    if len(values) > 1:
        text += f" [{min(values):.3g}–{max(values):.3g}]"
    return f"{text} {goal.unit}".strip()


def _format_verdict(goal: Goal, value: float, limit: float) -> str:
    sign = "≥" if goal.more else "≤"
    return f"{sign} {limit:g} {'PASS' if goal.is_met(value, limit) else 'FAIL'}"
