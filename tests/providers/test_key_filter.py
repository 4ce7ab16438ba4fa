"""A key that a server echoes in a reply is removed from the text, wherever the text is cut."""

import base64
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.events import Delta
from streaming.providers.key_filter import KeyFilter
from streaming.providers.redaction import Secret

KEY = "sk-proj-AbCdEfGh01234567"
BEGINNING = re.compile(r"(sk-|sk|s|736|73|7)\[key\]")


def clean_text(pieces: list[str], key: str = KEY) -> str:
    key_filter = KeyFilter(Secret(key))
    deltas = [cleaned for piece in pieces if (cleaned := key_filter.clean(Delta(piece)))]
    return "".join(delta.text for delta in [*deltas, *key_filter.flush()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Your key is {KEY}.", "Your key is [key]."),
        (f"{KEY}{KEY}", "[key][key]"),
        (KEY.encode().hex(), "[key]"),
        (f"A key begins with {KEY[:7]}", f"A key begins with {KEY[:7]}"),
        (f"Cut: {KEY[:-1]}", "Cut: [key]"),
        ("sk-proj- is how keys begin", "sk-proj- is how keys begin"),
        ("", ""),
    ],
)
def test_a_key_is_removed_at_every_cut(text: str, expected: str) -> None:
    for size in range(1, len(text) + 1):
        cleaned = clean_text([text[at : at + size] for at in range(0, len(text), size)])
        # Up to three characters of its beginning may have been shown before.
        assert BEGINNING.sub("[key]", cleaned) == expected, size


@given(st.lists(st.integers(0, 90), max_size=8), st.text(max_size=20))
def test_no_cut_lets_a_key_through_and_other_text_is_kept(cuts: list[int], before: str) -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    text = f"{before} {KEY} and {encoded} after"
    places = [0, *sorted(cuts), len(text)]
    cleaned = clean_text([text[a:b] for a, b in pairwise(places)])
    assert KEY not in cleaned
    assert encoded not in cleaned
    assert cleaned.startswith(before)
    assert cleaned.endswith(" after")


@given(st.lists(st.text("sk-proj0Ab ", max_size=6), max_size=12))
def test_text_without_the_key_is_kept(pieces: list[str]) -> None:
    assert clean_text(pieces) == "".join(pieces)


def test_kinds_are_searched_apart_and_no_checkpoint_passes_held_text() -> None:
    key_filter = KeyFilter(Secret(KEY))
    assert key_filter.clean(Delta("Tell sk-pro", checkpoint="c 1")) == Delta("Tell ", checkpoint="")
    assert key_filter.clean(Delta("j-", "reasoning")) == Delta("j-", "reasoning")
    assert key_filter.clean(Delta("", checkpoint="c 2")) is None
    assert key_filter.clean(Delta("per", checkpoint="c 3")) == Delta("sk-proper", checkpoint="c 3")


@pytest.mark.parametrize("word", ["none", "ollama", "not-needed-by-this-server", "lm-studio-1"])
def test_a_word_in_place_of_a_key_is_no_secret(word: str) -> None:
    assert clean_text([f"Use {word}."], word) == f"Use {word}."
    assert not KeyFilter(Secret(word)).contains_key(word)
