"""Durations as people read them."""

import pytest

from chat.presentation.durations import format_duration, format_reasoning_time


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.7, "1 min 0 s"),
        (125, "2 min 5 s"),
    ],
)
def test_a_duration_has_tenths_only_below_ten_seconds(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("milliseconds", "label"),
    [
        (None, "Thought"),
        (400, "Thought for a moment"),
        (12_300, "Thought for 12 s"),
        (65_000, "Thought for 1 min 5 s"),
    ],
)
def test_the_time_of_reasoning_has_no_tenths(milliseconds: int | None, label: str) -> None:
    assert format_reasoning_time(milliseconds) == label
