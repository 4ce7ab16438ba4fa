"""Text is repaired from any split by a provider."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.events import Delta, Finish
from streaming.providers.adapter import ReplyEvent
from streaming.providers.text import TextCleaner

REPLACEMENT = "\ufffd"


def clean_events(*events: ReplyEvent) -> list[ReplyEvent]:
    """Return these events as a call yields them."""
    cleaner = TextCleaner()
    cleaned_events: list[ReplyEvent] = []
    for event in events:
        if isinstance(event, Finish):
            cleaned_events += [*cleaner.flush(), event]
        elif delta := cleaner.clean(event):
            cleaned_events.append(delta)
    return cleaned_events + cleaner.flush()


def clean_texts(*pieces: str) -> list[str]:
    events = clean_events(*(Delta(piece) for piece in pieces))
    return [event.text for event in events if isinstance(event, Delta)]


def test_clean_text_passes_as_the_same_event_objects() -> None:
    events = (Delta("kelp 🌿 é"), Delta("\r\n", "reasoning"), Finish("stop"))
    assert all(
        cleaned is event for cleaned, event in zip(clean_events(*events), events, strict=True)
    )


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["\ud83d", "\ude00"], ["😀"]),
        (["a\ud83d", "\ude00b"], ["a😀b"]),
        (["\ud83d", "", "\ude00"], ["😀"]),
        (["\ud83d\ude00"], ["😀"]),
        (["\ud83d"], [REPLACEMENT]),
        (["\ude00b"], [f"{REPLACEMENT}b"]),
        (["\ud83d", "x"], [f"{REPLACEMENT}x"]),
        (["\ud83d", "\ud83d", "\ude00"], [REPLACEMENT, "😀"]),
        (["a\0b", "\0"], [f"a{REPLACEMENT}b", REPLACEMENT]),
        (["", "a", ""], ["a"]),
        ([], []),
    ],
)
def test_surrogate_halves_are_joined_and_single_ones_replaced(
    pieces: list[str], expected: list[str]
) -> None:
    assert clean_texts(*pieces) == expected


def test_each_kind_waits_for_its_own_surrogate_half() -> None:
    events = clean_events(
        Delta("\ud83d"), Delta("tide", "reasoning"), Delta("\ude00"), Finish("stop")
    )
    assert events == [Delta("tide", "reasoning"), Delta("😀"), Finish("stop")]


def test_a_remaining_half_is_replaced_before_the_finish() -> None:
    events = clean_events(Delta("a"), Delta("b\ud83d"), Finish("length"))
    assert events == [Delta("a"), Delta(f"b{REPLACEMENT}"), Finish("length")]


def test_a_checkpoint_is_never_ahead_of_the_text() -> None:
    at = [f"resp {number}" for number in range(4)]
    events = clean_events(
        Delta("a", checkpoint=at[0]),
        Delta("b\ud83d", checkpoint=at[1]),
        Delta("hm", "reasoning", checkpoint=at[2]),
        Delta("\ude00", checkpoint=at[3]),
    )
    assert events == [
        Delta("a", checkpoint=at[0]),
        Delta("hm", "reasoning"),
        Delta("b😀", checkpoint=at[3]),
    ]


def test_endless_halves_use_no_memory() -> None:
    assert clean_texts(*["\ud83d"] * 50) == [REPLACEMENT] * 50


UNITS = st.one_of(
    st.sampled_from([0, 0x41, 0xD83D, 0xDE00, 0xD800, 0xDFFF, 0xFFFD]), st.integers(0, 0xFFFF)
)


@given(st.lists(st.lists(UNITS, max_size=4), max_size=12))
def test_any_split_of_utf_16_units_gives_the_same_text(split: list[list[int]]) -> None:
    pieces = clean_texts(*("".join(map(chr, units)) for units in split))
    assert "".join(pieces) == join_units([unit for units in split for unit in units])
    assert all(pieces)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.lists(st.integers(0, 40)))
def test_valid_text_survives_any_split(text: str, cuts: list[int]) -> None:
    raw = text.encode("utf-16-le")
    units = "".join(chr(raw[at] | raw[at + 1] << 8) for at in range(0, len(raw), 2))
    edges = sorted({0, len(units), *(cut for cut in cuts if cut < len(units))})
    pieces = [units[a:b] for a, b in pairwise(edges)]
    assert "".join(clean_texts(*pieces)) == text


def join_units(units: list[int]) -> str:
    """Return the expected text, computed in another way: unit by unit."""
    cleaned, at = "", 0
    while at < len(units):
        unit, following = units[at], units[at + 1] if at + 1 < len(units) else 0
        if 0xD800 <= unit < 0xDC00 and 0xDC00 <= following < 0xE000:
            cleaned += chr(0x10000 + ((unit - 0xD800) << 10) + following - 0xDC00)
            at += 1
        else:
            cleaned += REPLACEMENT if unit == 0 or 0xD800 <= unit < 0xE000 else chr(unit)
        at += 1
    return cleaned
