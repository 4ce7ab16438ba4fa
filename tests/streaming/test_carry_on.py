"""Trimming: what a model repeats of a text that was cut is taken away, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import carry_on
from streaming.carry_on import LONGEST_OVERLAP, SHORTEST_OVERLAP, trimmed
from streaming.providers.base import Delta, Event, Finish
from streaming.providers.errors import Interrupted


async def said(*events: Event) -> AsyncIterator[Event]:
    for event in events:
        yield event


async def trim(text: str, *deltas: str, end: Sequence[Event] = (Finish("stop"),)) -> list[Event]:
    return [e async for e in trimmed(said(*map(Delta, deltas), *end), text)]


def spelled(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.kind == "text")


def repeated(text: str, beginning: str) -> int:
    """The same by definition, without any thought of deltas: the longest exact overlap."""
    sizes = range(SHORTEST_OVERLAP, min(len(text), len(beginning), LONGEST_OVERLAP) + 1)
    return max((size for size in sizes if text.endswith(beginning[:size])), default=0)


@pytest.mark.parametrize(
    ("deltas", "left"),
    [
        ((" and goes out.",), " and goes out."),
        (("the tide comes in", " and goes out."), " and goes out."),
        (("the ti", "de comes", " in and goes", " out."), " and goes out."),
        (tuple("tide comes in and goes out."), " and goes out."),
        (("the tide comes in",), ""),
        (("comes in",), "comes in"),  # too short to be more than a coincidence
        (("The tide comes in",), "The tide comes in"),  # not exact
        (("the tide comes", " back"), "the tide comes back"),  # a repetition, but not of the end
        ((), ""),
    ],
)
async def test_an_exact_overlap_of_the_end_is_taken_away(
    deltas: tuple[str, ...], left: str
) -> None:
    events = await trim("Look: the tide comes in", *deltas)
    assert spelled(events) == left
    assert events[-1] == Finish("stop")


async def test_what_can_be_no_repetition_is_not_held_back() -> None:
    text = "Look: the tide comes in"
    events = trimmed(said(Delta("and"), Delta(" out")), text)
    assert await anext(events) == Delta("and")


async def test_after_the_beginning_nothing_is_looked_at_any_more() -> None:
    text = "Look: the tide comes in"
    events = await trim(text, " and out. ", text)
    assert spelled(events) == f" and out. {text}"


async def test_reasoning_is_never_trimmed_and_never_waits() -> None:
    text = "Look: the tide comes in"
    thought = Delta(text, "reasoning")
    events = trimmed(said(Delta("the tide"), thought, Delta(" comes in!")), text)
    assert [e async for e in events] == [thought, Delta("!")]


async def test_a_source_that_ends_without_its_marker_loses_nothing_that_was_held() -> None:
    events = await trim("Look: the tide comes in", "the tide", end=())
    assert events == [Delta("the tide")]


async def test_an_error_comes_through() -> None:
    async def broken() -> AsyncIterator[Event]:
        yield Delta("a")
        raise Interrupted

    with pytest.raises(Interrupted):
        _ = [e async for e in trimmed(broken(), "some text that was there")]


async def test_a_repetition_of_the_whole_long_text_is_found_up_to_its_limit() -> None:
    text = "".join(f"{n} " for n in range(5000))
    end = text[-LONGEST_OVERLAP:]
    assert (
        spelled(await trim(text, *[end[n : n + 7] for n in range(0, len(end), 7)], "new")) == "new"
    )


# Texts that repeat themselves a lot are where trimming could go wrong.
PROSE = st.text(st.sampled_from("ab \n\N{WATER WAVE}"), max_size=80)


@st.composite
def cut_and_carried_on(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, and deltas that repeat some of its end before they go on, cut anywhere."""
    text = draw(PROSE)
    again = text[len(text) - draw(st.integers(0, len(text))) :]
    beginning = again + draw(PROSE)
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(beginning) - 1)), max_size=12)))
    bounds = zip([0, *cuts], [*cuts, len(beginning)], strict=True)
    return text, [beginning[a:b] for a, b in bounds]


@given(cut_and_carried_on())
async def test_any_text_in_any_deltas_is_trimmed_by_its_longest_overlap_and_nothing_else(
    case: tuple[str, list[str]],
) -> None:
    text, deltas = case
    whole = "".join(deltas)
    assert spelled(await trim(text, *deltas)) == whole[repeated(text, whole) :]


@given(cut_and_carried_on(), st.integers(12, 40))
async def test_the_longest_overlap_that_is_looked_for_is_a_limit_and_no_trap(
    case: tuple[str, list[str]], longest: int
) -> None:
    """At the limit as well nothing is lost: what is left is a suffix of what was said, and
    what was taken away is at the end of the text."""
    text, deltas = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carry_on, "LONGEST_OVERLAP", longest)
        left = spelled(await trim(text, *deltas))
    whole = "".join(deltas)
    taken = whole[: len(whole) - len(left)]
    assert whole == taken + left
    assert text.endswith(taken)
    assert taken == "" or SHORTEST_OVERLAP <= len(taken) <= longest
