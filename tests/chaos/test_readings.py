"""The verdict finds each fault in the frames of a follower, also of doors that name only the last
row of a text."""

from typing import Any

import pytest

from tests.chaos.readings import REASONING, SEAM, TEXT, DoorCounts, check_reading

ROWS = [(TEXT, "one "), (REASONING, "(why)"), (TEXT, "two "), (SEAM, ""), (TEXT, "three ")]
JOURNAL = [
    {"index": index, "kind": kind, "delta": delta, "offset": 0}
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


def test_only_the_gateway_calls_an_interrupted_reply_failed() -> None:
    texts = [(2, "one two "), (4, "three ")]
    end = {"state": "failed", "next": len(ROWS)}
    assert check(texts, end=end)[1]
    assert check(texts, end=end, door="gateway")[1] == []
