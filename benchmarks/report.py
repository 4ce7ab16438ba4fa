"""The table at the end of a run: each goal, what was reached, and whether that is enough."""

from __future__ import annotations

from benchmarks.goals import GOALS, Goal
from benchmarks.outcome import Outcome, spread


def table(outcome: Outcome) -> str:
    lines = [f"{'figure':<66}{'reached':>22}  {'must':>12}  {'aim':>12}"]
    for goal in GOALS:
        value = outcome.value(goal.figure)
        if value is not None:
            lines.append(_line(goal, value, outcome.figures.get(goal.figure, [value])))
    return "\n".join(lines)


def _line(goal: Goal, value: float, values: list[float]) -> str:
    reached = f"{spread(values)} {goal.unit}".strip()
    return (
        f"{goal.words:<66}{reached:>22}  {_said(goal, value, goal.must):>12}  "
        f"{_said(goal, value, goal.aim):>12}"
    )


def _said(goal: Goal, value: float, limit: float) -> str:
    sign = "≥" if goal.more else "≤"
    return f"{sign} {limit:g} {'PASS' if goal.met(value, limit) else 'FAIL'}"


def missed(outcome: Outcome) -> list[str]:
    """The musts that were measured and not reached."""
    found = []
    for goal in GOALS:
        value = outcome.value(goal.figure)
        if value is not None and not goal.met(value, goal.must):
            found.append(goal.words)
    return found
