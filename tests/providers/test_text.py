"""Text is made whole, however a provider cuts it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.events import Delta, Finish
from streaming.providers.adapter import ReplyEvent
from streaming.providers.text import TextCleaner

REPLACEMENT = "\ufffd"


def cleaned(*events: ReplyEvent) -> list[ReplyEvent]:
    """These events as a call hands them on."""
    cleaner = TextCleaner()
    passed: list[ReplyEvent] = []
    for event in events:
        if isinstance(event, Finish):
            passed += [*cleaner.flush(), event]
        elif delta := cleaner.clean(event):
            passed.append(delta)
    return passed + cleaner.flush()


def texts(*pieces: str) -> list[str]:
    events = cleaned(*(Delta(piece) for piece in pieces))
    return [event.text for event in events if isinstance(event, Delta)]


def test_clean_text_passes_as_the_same_event_objects() -> None:
    events = (Delta("kelp 🌿 é"), Delta("\r\n", "reasoning"), Finish("stop"))
    assert all(out is given for out, given in zip(cleaned(*events), events, strict=True))


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
    assert texts(*pieces) == expected


def test_each_kind_waits_for_its_own_surrogate_half() -> None:
    events = cleaned(Delta("\ud83d"), Delta("tide", "reasoning"), Delta("\ude00"), Finish("stop"))
    assert events == [Delta("tide", "reasoning"), Delta("😀"), Finish("stop")]


def test_a_remaining_half_is_replaced_before_the_finish() -> None:
    events = cleaned(Delta("a"), Delta("b\ud83d"), Finish("length"))
    assert events == [Delta("a"), Delta(f"b{REPLACEMENT}"), Finish("length")]


def test_a_checkpoint_is_never_ahead_of_the_text() -> None:
    at = [f"resp {number}" for number in range(4)]
    events = cleaned(
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
    assert texts(*["\ud83d"] * 50) == [REPLACEMENT] * 50


UNITS = st.one_of(
    st.sampled_from([0, 0x41, 0xD83D, 0xDE00, 0xD800, 0xDFFF, 0xFFFD]), st.integers(0, 0xFFFF)
)


@given(st.lists(st.lists(UNITS, max_size=4), max_size=12))
def test_any_split_of_utf_16_units_gives_the_same_text(split: list[list[int]]) -> None:
    pieces = texts(*("".join(map(chr, units)) for units in split))
    assert "".join(pieces) == joined([unit for units in split for unit in units])
    assert all(pieces)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.lists(st.integers(0, 40)))
def test_valid_text_survives_any_split(text: str, cuts: list[int]) -> None:
    raw = text.encode("utf-16-le")
    units = "".join(chr(raw[at] | raw[at + 1] << 8) for at in range(0, len(raw), 2))
    edges = sorted({0, len(units), *(cut for cut in cuts if cut < len(units))})
    pieces = [units[a:b] for a, b in pairwise(edges)]
    assert "".join(texts(*pieces)) == text


def joined(units: list[int]) -> str:
    """The expected text, computed in another way: unit by unit."""
    out, at = "", 0
    while at < len(units):
        unit, following = units[at], units[at + 1] if at + 1 < len(units) else 0
        if 0xD800 <= unit < 0xDC00 and 0xDC00 <= following < 0xE000:
            out += chr(0x10000 + ((unit - 0xD800) << 10) + following - 0xDC00)
            at += 1
        else:
            out += REPLACEMENT if unit == 0 or 0xD800 <= unit < 0xE000 else chr(unit)
        at += 1
    return out
