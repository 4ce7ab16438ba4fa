"""The verdict finds each fault in the frames of a follower, also of doors that name only the last
row of a text."""

import json
from typing import Any

import pytest

from tests.chaos.readings import REASONING, SEAM, TEXT, DoorCounts, check_reading
from tests.chaos.tab import Reading

ROWS = [(TEXT, "one "), (REASONING, "(why)"), (TEXT, "two "), (SEAM, ""), (TEXT, "three ")]
JOURNAL = [
    {
        "index": index,
        "kind": kind,
        "delta": delta,
        "offset": sum(len(text) for other, text in ROWS[:index] if other == kind),
    }
    for index, (kind, delta) in enumerate(ROWS)
]
ROW = {"id": 1, "state": "interrupted", "next_index": len(ROWS)}

Texts = list[tuple[int, str]]


def check(texts: Texts, **changes: Any) -> tuple[DoorCounts, list[str]]:
    reading = {
        "tab": "a tab",
        "door": "durable streams",
        "kinds": ["text"],
        "frames": [[None, index, "text", text, None] for index, text in texts],
        "snapshots": 0,
        "early_ends": 0,
        "end": {"state": "interrupted", "next": len(ROWS)},
        **changes,
    }
    counts = DoorCounts()
    return counts, list(check_reading(reading, ROW, JOURNAL, counts))


@pytest.mark.parametrize(
    "texts",
    [
        [(0, "one "), (2, "two "), (4, "three ")],
        [(2, "one two "), (4, "three ")],
        [(1, "one "), (3, "two "), (4, "three ")],
    ],
    ids=["rows", "joined", "behind other kinds"],
)
def test_a_whole_text_is_in_order(texts: Texts) -> None:
    assert check(texts) == (DoorCounts(readings=1, delivered=3), [])


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        ([(0, "one "), (4, "three ")], DoorCounts(1, 2, lost=1)),
        ([(2, "one two "), (2, "two "), (4, "three ")], DoorCounts(1, 4, doubled=1)),
        ([(0, "one "), (4, "three "), (2, "two ")], DoorCounts(1, 3, reordered=1)),
    ],
    ids=["lost", "doubled", "reordered"],
)
def test_a_fault_is_counted(texts: Texts, counts: DoorCounts) -> None:
    found, violations = check(texts)
    assert found == counts
    assert violations or counts.reordered, "the counts of a run are promises themselves"


def test_another_text_is_a_violation() -> None:
    [violation] = check([(2, "one tvo "), (4, "three ")])[1]
    assert "differs from the journal" in violation


# Doors without indexes


def check_unnumbered(*texts: tuple[str, str], **changes: Any) -> tuple[DoorCounts, list[str]]:
    frames = [[None, None, kind, text, None] for kind, text in texts]
    end = {"state": "failed", "next": None}
    given = {"door": "AG-UI", "kinds": ["text", "reasoning"], "frames": frames, "end": end}
    return check([], **given | changes)


@pytest.mark.parametrize(
    "texts",
    [
        [("reasoning", "(why)"), ("text", "one two three ")],
        [("text", "one "), ("reasoning", "(why)"), ("text", "two "), ("text", "three ")],
    ],
    ids=["a snapshot", "pieces"],
)
def test_a_whole_text_without_indexes_is_in_order(texts: list[tuple[str, str]]) -> None:
    assert check_unnumbered(*texts) == (DoorCounts(readings=1, delivered=4), [])


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        (["one ", "three "], DoorCounts(1, 3, lost=1)),
        (["one two ", "two ", "three "], DoorCounts(1, 5, doubled=1)),
        (["one ", "three ", "two "], DoorCounts(1, 4, reordered=1)),
        (["one two t"], DoorCounts(1, 4)),
    ],
    ids=["lost", "doubled", "reordered", "cut inside a row"],
)
def test_a_fault_of_a_text_without_indexes_is_counted(texts: list[str], counts: DoorCounts) -> None:
    found, violations = check_unnumbered(("reasoning", "(why)"), *(("text", one) for one in texts))
    assert found == counts
    assert violations or counts.reordered


def test_a_body_that_ends_before_its_reply_is_a_violation() -> None:
    texts = [("reasoning", "(why)"), ("text", "one two three ")]
    [violation] = check_unnumbered(*texts, early_ends=1)[1]
    assert "looked complete" in violation


def test_only_some_doors_call_an_interrupted_reply_failed() -> None:
    texts = [(2, "one two "), (4, "three ")]
    end = {"state": "failed", "next": len(ROWS)}
    assert check(texts, end=end)[1]
    assert check(texts, end=end, door="gateway")[1] == []


def test_a_tab_that_is_reloaded_after_the_end_reads_all_again() -> None:
    reading = Reading("a stream")
    reading.add_text(2, "text", "one two ")
    reading.end = {"state": "completed", "next": 3}
    reading.restart()
    read = json.loads(reading.to_json("a tab", "durable streams"))
    assert (read["end"], read["frames"]) == (None, [])
