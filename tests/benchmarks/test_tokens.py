"""The benchmark would notice a token that is lost, doubled, out of order or late."""

import time

import pytest

from benchmarks.tokens import CLOCK_TICKS, COUNTER_SIZE, TICK_SECONDS, Tally, make_token

MANY = 3 * COUNTER_SIZE


def count_faults(indexes: list[int]) -> tuple[int, int, int, int]:
    tally = Tally()
    tally.add("".join(map(make_token, indexes)), time.monotonic())
    return tally.received, tally.lost, tally.doubled, tally.reordered


def test_a_complete_stream_has_no_faults_at_any_length() -> None:
    assert count_faults(list(range(MANY))) == (MANY, 0, 0, 0)


def test_tokens_that_are_missing_are_lost() -> None:
    assert count_faults([0, 1, 4, 5]) == (4, 2, 0, 0)


def test_a_token_that_comes_twice_is_doubled() -> None:
    assert count_faults([0, 1, 1, 2, 0]) == (5, 0, 2, 0)


def test_a_token_that_comes_after_later_ones_is_reordered_and_not_lost() -> None:
    assert count_faults([0, 2, 1, 3]) == (4, 0, 0, 1)


@pytest.mark.parametrize("cut", [1, 3, 7, 11])
def test_text_may_be_split_anywhere(cut: int) -> None:
    text = "".join(map(make_token, range(5)))
    tally = Tally()
    tally.add(text[:cut], time.monotonic())
    tally.add(text[cut:], time.monotonic())
    assert (tally.received, tally.lost, tally.incomplete) == (5, 0, "")


def test_a_token_knows_its_age_across_the_end_of_its_clock() -> None:
    generated_at = time.monotonic()
    (age,) = Tally().add(make_token(0), generated_at + 20)
    assert age == pytest.approx(20, abs=0.05)
    assert CLOCK_TICKS * TICK_SECONDS > 25
