"""The page about performance equals the newest results, and its plots are pictures."""

from xml.etree import ElementTree

import pytest

from benchmarks import document, report, results
from benchmarks.goals import GOALS, Goal

RUN = results.newest()


def test_the_page_is_made_from_the_newest_results() -> None:
    assert document.PAGE.read_text() == document.page(RUN)


@pytest.mark.parametrize("name", document.plots(RUN))
def test_a_plot_is_made_from_the_newest_results(name: str) -> None:
    drawn = (document.IMAGES / f"performance-{name}.svg").read_text()
    assert drawn == document.plots(RUN)[name]
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_every_goal_was_measured() -> None:
    measured = {goal.figure for goal, *_ in report.reached(RUN["figures"], [0, 0, 0])}
    assert measured == {goal.figure for goal in GOALS}


def test_results_tell_nothing_of_the_machine_but_what_it_is() -> None:
    assert set(RUN["machine"]) == {"cpu", "cores", "memory_gb", "system"}


LESS = Goal("a", "a share", must=0.5, aim=0.25)
MORE = Goal("b", "a rate", must=30, aim=60, more=True)


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [(LESS, 0.5, True), (LESS, 0.51, False), (MORE, 30, True), (MORE, 29.9, False)],
)
def test_a_goal_is_met_at_its_limit(goal: Goal, value: float, met: bool) -> None:
    assert goal.met(value, goal.must) is met


def test_what_missed_its_must_is_named() -> None:
    figures = {GOALS[0].figure: [0.1, 9.9, 9.9], GOALS[1].figure: [0.1]}
    assert report.missed(figures, [0, 0, 0]) == [GOALS[0].words]
    assert report.missed({}, [0, 1, 0]) == [GOALS[-1].words]
