"""The cuts of a stream's chunks: with the text, they are the very chunks again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine.prose import read_prose, split_tokens
from streaming.events import StreamText
from streaming.journal import MAX_CHUNK_CHARS, Chunk
from streaming.journal.cuts import LONG, PIECES, VERSION, UnusableCuts, pack_chunks, unpack_chunks
from streaming.models import Kind
from tests.factories import Piece, build_chunks
from tests.streaming.factories import without_seam_text

WAVE, ACUTE = "\N{WATER WAVE}", "\N{COMBINING ACUTE ACCENT}"
TEXT = StreamText("one two", "hm")
EXAMPLE: list[Piece] = [
    (Kind.REASONING, "h"),
    (Kind.REASONING, "m"),
    "one",
    (Kind.SEAM, ""),
    " two",
]

kinds = st.sampled_from([*Kind, "4", "99"])
numbers = st.integers(0, 10**6)
any_rows = st.lists(st.builds(Chunk, numbers, numbers, kinds.map(str), st.text(), numbers))
"""Not only journals: indexes and offsets are any numbers."""
pieces = st.tuples(st.sampled_from(Kind), st.text(alphabet=f"ab \0{WAVE}{ACUTE}é"))


def join_deltas(chunks: list[Chunk], kind: Kind) -> str:
    return "".join(chunk.delta for chunk in chunks if chunk.kind == kind)


def get_text(chunks: list[Chunk]) -> StreamText:
    return StreamText(join_deltas(chunks, Kind.TEXT), join_deltas(chunks, Kind.REASONING))


@given(any_rows, st.text(), st.text())
def test_any_rows_are_the_same_after_packing(
    rows: list[Chunk], more_content: str, more_reasoning: str
) -> None:
    """The application's text may be longer, because a later stream continued it."""
    text = get_text(rows)
    held = StreamText(text.content + more_content, text.reasoning + more_reasoning)
    assert list(unpack_chunks(pack_chunks(rows), held)) == rows
    assert list(unpack_chunks(pack_chunks(rows, keeps_text=True), StreamText())) == rows


@given(st.lists(pieces, max_size=40), st.integers(-1, 40))
def test_the_chunks_of_a_journal_are_the_same_after_any_index(
    runs: list[tuple[Kind, str]], after: int
) -> None:
    chunks = build_chunks(without_seam_text(runs))
    unpacked = list(unpack_chunks(pack_chunks(chunks), get_text(chunks), after))
    assert unpacked == chunks[after + 1 :]
    assert all(type(chunk.kind) is str for chunk in unpacked), "as those of the database"


@pytest.mark.parametrize("length", [0, 1, 127, 128, PIECES - 1, PIECES, LONG, MAX_CHUNK_CHARS])
def test_a_chunk_of_any_length_is_the_same_after_packing(length: int) -> None:
    chunks = build_chunks(
        ["a", WAVE * length, (Kind.REASONING, "b" * length), "a " * length, "a, b" * length, "c"]
    )
    assert list(unpack_chunks(pack_chunks(chunks), get_text(chunks))) == chunks


def test_a_chunk_of_another_kind_is_kept_whole_between_the_others() -> None:
    chunks = [
        *build_chunks(["a", "b"]),
        Chunk(2, 2, "7", '{"url": "…"}', 1),
        Chunk(3, 3, str(Kind.TEXT), "c", 2),
    ]
    assert list(unpack_chunks(pack_chunks(chunks), StreamText("abc"))) == chunks


def test_joined_chunks_keep_their_first_index() -> None:
    chunks = [Chunk(0, 4, "text", "abcde", 0), Chunk(5, 5, "text", "f", 5)]
    assert list(unpack_chunks(pack_chunks(chunks), StreamText("abcdef"))) == chunks


@pytest.mark.parametrize(
    "held",
    [
        StreamText(),
        replace(TEXT, content="one tw"),
        replace(TEXT, content="one too"),
        replace(TEXT, reasoning="h"),
        replace(TEXT, reasoning="HM"),
        StreamText("one tw", "ohm"),
    ],
)
def test_cuts_of_another_text_are_not_used(held: StreamText) -> None:
    cuts = pack_chunks(build_chunks(EXAMPLE))
    assert list(unpack_chunks(cuts, TEXT))
    with pytest.raises(UnusableCuts):
        unpack_chunks(cuts, held)


def test_cuts_of_a_newer_version_are_not_used() -> None:
    cuts = pack_chunks(build_chunks(EXAMPLE))
    with pytest.raises(UnusableCuts):
        unpack_chunks(bytes([VERSION + 1]) + cuts[1:], TEXT)


def test_cuts_stay_valid_in_text_without_spaces() -> None:
    """The search for pieces is bounded there: from each chunk to the end it would take minutes."""
    chunks = build_chunks(f"{WAVE}{ACUTE}" for _ in range(100_000))
    assert list(unpack_chunks(pack_chunks(chunks), get_text(chunks))) == chunks


@pytest.mark.parametrize(("tokens_per_chunk", "most"), [(1, 0.06), (3, 0.04)])
def test_cuts_are_small_beside_the_text(tokens_per_chunk: int, most: float) -> None:
    """The rest of a folded reply takes about 0.66 bytes for each byte of its text, and 0.75 are
    allowed (docs/decisions/0023)."""
    tokens = split_tokens(read_prose()[:9_000])
    steps = range(0, len(tokens), tokens_per_chunk)
    chunks = build_chunks("".join(tokens[at : at + tokens_per_chunk]) for at in steps)
    text = get_text(chunks)
    cuts = pack_chunks(chunks)
    assert list(unpack_chunks(cuts, text)) == chunks
    assert len(cuts) / len(text.content.encode()) < most
