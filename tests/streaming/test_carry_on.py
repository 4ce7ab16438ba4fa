"""Going on after a cut: what is repeated is trimmed, and nothing that is not."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.carry_on import LONGEST_OVERLAP, SHORTEST_OVERLAP, overlap, trimmed
from streaming.providers.base import Delta, Event, Finish

ROW = "| kelp | 12 m |\n"
PROSE = "A holdfast anchors the kelp to the rock, and the kelp sways above it."


async def gone_on(text: str, *deltas: str) -> str:
    """The whole text after a continuation in these deltas."""

    async def events() -> AsyncIterator[Event]:
        for delta in deltas:
            yield Delta(delta)
        yield Finish("stop")

    shown = [event async for event in trimmed(events(), text)]
    assert isinstance(shown[-1], Finish)
    return text + "".join(event.text for event in shown if isinstance(event, Delta))


async def test_a_repeated_end_is_trimmed_however_it_is_cut() -> None:
    for size in range(1, 30):
        repeated = PROSE[40:] + " It lives long."
        deltas = [repeated[at : at + size] for at in range(0, len(repeated), size)]
        assert await gone_on(PROSE, *deltas) == PROSE + " It lives long."


async def test_text_that_repeats_nothing_passes_untouched() -> None:
    assert await gone_on(PROSE, " It ", "lives.") == PROSE + " It lives."


async def test_a_short_coincidence_is_no_repetition() -> None:
    beginning = PROSE[-SHORTEST_OVERLAP + 1 :]
    assert await gone_on(PROSE, beginning, "!") == PROSE + beginning + "!"


@pytest.mark.parametrize("unit", ["🌊", "ha ", "-", "---|", "\n", "0101", ROW])
@pytest.mark.parametrize("written", [15, 300])
async def test_a_run_goes_on_without_losing_any(unit: str, written: int) -> None:
    rest = unit * 200 + "done"
    said = "Here you are: " + unit * written
    for size in (1, 7, len(rest)):
        deltas = [rest[at : at + size] for at in range(0, len(rest), size)]
        assert await gone_on(said, *deltas) == said + rest


async def test_one_more_equal_row_is_not_taken_for_the_last_one() -> None:
    assert await gone_on("| a | b |\n" + ROW * 3, ROW, "| end |\n") == (
        "| a | b |\n" + ROW * 4 + "| end |\n"
    )


async def test_a_repetition_that_begins_before_a_run_is_still_known() -> None:
    said = PROSE + " " + "🌊" * 20
    assert await gone_on(said, said[-60:], " The end.") == said + " The end."


def test_an_overlap_is_looked_for_within_bounds() -> None:
    text = "".join(f"{number} bottles, " for number in range(1000))
    assert overlap(text[-LONGEST_OVERLAP:], text) == LONGEST_OVERLAP


@given(st.text("ab ", max_size=80), st.text("ab ", max_size=80))
async def test_nothing_but_an_exact_repetition_is_ever_trimmed(text: str, more: str) -> None:
    whole = await gone_on(text, more)
    trimmed_off = len(text) + len(more) - len(whole)
    assert whole == text + more[trimmed_off:]
    assert text.endswith(more[:trimmed_off])
