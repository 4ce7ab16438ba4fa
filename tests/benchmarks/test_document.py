"""The page about performance equals the newest results, and its plots are pictures."""

from xml.etree import ElementTree

import pytest

from benchmarks import document, report, results
from benchmarks.goals import GOALS, Goal

RUN = results.read_newest()


def test_the_page_is_written_from_the_newest_results() -> None:
    assert document.PAGE.read_text() == document.format_page(RUN)


@pytest.mark.parametrize("name", document.draw_plots(RUN))
def test_a_plot_is_drawn_from_the_newest_results(name: str) -> None:
    stored_plot = (document.IMAGES / f"performance-{name}.svg").read_text()
    assert stored_plot == document.draw_plots(RUN)[name]
    assert ElementTree.fromstring(stored_plot).tag.endswith("svg")


def test_every_goal_was_measured() -> None:
    measured = {goal.figure for goal, *_ in report.rate_goals(RUN["figures"], [0, 0, 0])}
    assert measured == {goal.figure for goal in GOALS}


def test_results_contain_only_the_type_of_the_machine() -> None:
    assert set(RUN["machine"]) == {"cpu", "cores", "memory_gb", "system"}


LESS = Goal("a", "a share", must=0.5, aim=0.25)
MORE = Goal("b", "a rate", must=30, aim=60, more=True)


@pytest.mark.parametrize(
    ("goal", "value", "expected"),
    [(LESS, 0.5, True), (LESS, 0.51, False), (MORE, 30, True), (MORE, 29.9, False)],
)
def test_a_goal_is_reached_at_its_limit(goal: Goal, value: float, expected: bool) -> None:
    assert goal.is_met(value, goal.must) is expected


def test_a_missed_requirement_is_named() -> None:
    figures = {GOALS[0].figure: [0.1, 9.9, 9.9], GOALS[1].figure: [0.1]}
    assert report.find_missed_goals(figures, [0, 0, 0]) == [GOALS[0].label]
    assert report.find_missed_goals({}, [0, 1, 0]) == [GOALS[-1].label]


def test_parts_of_a_later_run_replace_those_of_the_newest_results() -> None:
    case = {"1 stream": {"Holdfast, Uvicorn": [{"us_per_token": 12.5}]}}
    run = {
        "date": "2027-01-02",
        "commit": "0000000",
        "figures": {"doors/events": [7.0]},
        "lost_doubled_reordered": [1, 0, 0],
        "measured": {"doors": case},
    }
    merged = results.merge_parts(RUN, run)
    assert merged["measured"] == RUN["measured"] | {"doors": case}
    assert merged["figures"] == RUN["figures"] | {"doors/events": [7.0]}
    assert merged["date"] == RUN["date"]
    page = document.format_page(merged)
    assert "### Through each door\n\nMeasured 2027-01-02 at 0000000, in a run of its own.\n" in page
    assert "| Holdfast, Uvicorn | 12.5 |" in page
    assert "| tokens lost, doubled or reordered | 1 |" in page
