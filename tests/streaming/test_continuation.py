"""A continuation after a cut: repeated text is trimmed, and no other text."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.events import Delta, Finish
from streaming.providers.adapter import ReplyEvent
from streaming.providers.continuation import (
    MAX_OVERLAP_CHARS,
    MIN_OVERLAP_CHARS,
    MIN_RESTART_CHARS,
    measure_overlap,
    strip_overlap,
)
from streaming.providers.errors import Interrupted

ROW = "| kelp | 12 m |\n"
PROSE = "A holdfast anchors the kelp to the rock, and the kelp sways above it."


async def emit(*events: ReplyEvent) -> AsyncIterator[ReplyEvent]:
    for event in events:
        yield event


async def continue_text(text: str, *deltas: str) -> str:
    """Return the complete text after a continuation in these deltas."""
    events = emit(*map(Delta, deltas), Finish("stop"))
    shown = [event async for event in strip_overlap(events, text)]
    assert isinstance(shown[-1], Finish)
    return text + "".join(event.text for event in shown if isinstance(event, Delta))


async def test_a_repeated_ending_is_trimmed_however_it_is_split() -> None:
    for size in range(1, 30):
        repeated = PROSE[40:] + " It lives long."
        deltas = [repeated[at : at + size] for at in range(0, len(repeated), size)]
        assert await continue_text(PROSE, *deltas) == PROSE + " It lives long."


async def test_text_without_a_repetition_passes_unchanged() -> None:
    assert await continue_text(PROSE, " It ", "lives.") == PROSE + " It lives."


async def test_an_inexact_repetition_passes_unchanged() -> None:
    for beginning in ("The kelp sways above it.", "holdfast anchors the kelp", "sways above IT."):
        assert await continue_text(PROSE, beginning[:7], beginning[7:]) == PROSE + beginning


async def test_only_the_beginning_is_compared() -> None:
    assert await continue_text(PROSE, " Again: ", PROSE) == f"{PROSE} Again: {PROSE}"


async def test_text_that_can_be_no_repetition_is_not_delayed() -> None:
    events = strip_overlap(emit(Delta("It"), Delta(" lives")), PROSE)
    assert await anext(events) == Delta("It")


async def test_reasoning_is_never_trimmed_or_delayed() -> None:
    thought = Delta(PROSE, "reasoning")
    events = strip_overlap(emit(Delta("the kelp sways"), thought, Delta(" above it.!")), PROSE)
    assert [event async for event in events] == [thought, Delta("!")]


async def test_a_source_without_end_marker_loses_no_delayed_text() -> None:
    events = strip_overlap(emit(Delta("the kelp"), Delta(" to")), PROSE)
    assert [event async for event in events] == [Delta("the kelp to")]


async def test_an_error_of_the_source_is_raised() -> None:
    async def broken() -> AsyncIterator[ReplyEvent]:
        yield Delta("the kelp")
        raise Interrupted

    with pytest.raises(Interrupted):
        _ = [event async for event in strip_overlap(broken(), PROSE)]


async def test_a_short_coincidence_is_no_repetition() -> None:
    beginning = PROSE[-MIN_OVERLAP_CHARS + 1 :]
    assert await continue_text(PROSE, beginning, "!") == PROSE + beginning + "!"


@pytest.mark.parametrize("text", ["Yes, ", "Kelp", "A holdfast "])
async def test_a_restarted_short_text_is_not_shown_twice(text: str) -> None:
    for deltas in ((text + "anchors.",), (text[:2], text[2:], "anchors.")):
        assert await continue_text(text, *deltas) == text + "anchors."


@pytest.mark.parametrize("text", ["1", "No ", "ha ha ", "----"])
async def test_a_short_text_that_could_continue_alike_loses_nothing(text: str) -> None:
    assert await continue_text(text, text, "!") == text + text + "!"


@pytest.mark.parametrize("unit", ["🌊", "ha ", "-", "---|", "\n", "0101", ROW])
@pytest.mark.parametrize("written", [15, 300])
async def test_a_run_of_equal_units_continues_without_loss(unit: str, written: int) -> None:
    rest = unit * 200 + "done"
    so_far = "Here you are: " + unit * written
    for size in (1, 7, len(rest)):
        deltas = [rest[at : at + size] for at in range(0, len(rest), size)]
        assert await continue_text(so_far, *deltas) == so_far + rest


async def test_one_more_equal_row_is_not_trimmed_as_a_repetition() -> None:
    assert await continue_text("| a | b |\n" + ROW * 3, ROW, "| end |\n") == (
        "| a | b |\n" + ROW * 4 + "| end |\n"
    )


async def test_a_repetition_that_begins_before_a_run_is_recognised() -> None:
    so_far = PROSE + " " + "🌊" * 20
    assert await continue_text(so_far, so_far[-60:], " The end.") == so_far + " The end."


def test_the_search_for_an_overlap_is_bounded() -> None:
    text = "".join(f"{number} bottles, " for number in range(1000))
    assert measure_overlap(text[-MAX_OVERLAP_CHARS:], text) == MAX_OVERLAP_CHARS


@given(st.text("ab ", max_size=80), st.text("ab ", max_size=80))
async def test_nothing_but_an_exact_repetition_is_ever_trimmed(text: str, more: str) -> None:
    complete = await continue_text(text, more)
    trimmed_off = len(text) + len(more) - len(complete)
    assert complete == text + more[trimmed_off:]
    assert text.endswith(more[:trimmed_off])


@st.composite
def cut_continuations(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a repetitive text, and deltas that repeat a part of its end before they continue."""
    texts = st.text(st.sampled_from("abc \n\N{WATER WAVE}"), max_size=80)
    text = draw(texts)
    beginning = text[len(text) - draw(st.integers(0, len(text))) :] + draw(texts)
    cuts = sorted(draw(st.sets(st.integers(0, len(beginning)), max_size=12)))
    bounds = zip([0, *cuts], [*cuts, len(beginning)], strict=True)
    return text, [beginning[a:b] for a, b in bounds]


@given(cut_continuations())
async def test_the_boundaries_of_deltas_make_no_difference(case: tuple[str, list[str]]) -> None:
    text, deltas = case
    complete = "".join(deltas)
    assert await continue_text(text, *deltas) == text + complete[measure_overlap(complete, text) :]


@given(cut_continuations())
def test_the_longest_overlap_or_nothing_is_trimmed(case: tuple[str, list[str]]) -> None:
    text, deltas = case
    complete = "".join(deltas)
    all_of_it = MIN_RESTART_CHARS <= len(text) < MIN_OVERLAP_CHARS
    shortest = len(text) if all_of_it else MIN_OVERLAP_CHARS
    sizes = range(shortest, min(len(text), len(complete)) + 1)
    longest = max((size for size in sizes if text.endswith(complete[:size])), default=0)
    assert measure_overlap(complete, text) in {longest, 0}
    has_unique_chars = len(set(complete[:longest])) == longest
    assert measure_overlap(complete, text) == longest or not has_unique_chars
