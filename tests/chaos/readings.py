"""Compares the frames that a follower got of one stream with its journal."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

TEXT, REASONING, SEAM = 0, 1, 2
KINDS = {"text": TEXT, "reasoning": REASONING, "seam": SEAM}
STATES_ALIKE = {(door, "interrupted"): "failed" for door in ("gateway", "LangGraph", "AG-UI")}
"""States that a door does not tell from others."""

Row = dict[str, Any]


@dataclass(slots=True)
class DoorCounts:
    """The indexes of chunks that the followers of one door got."""

    readings: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0


def check_reading(
    reading: Row, row: Row, journal: Sequence[Row], counts: DoorCounts
) -> Iterator[str]:
    """Count the indexes, and yield the violations. Only the kinds that the door shows are
    expected."""
    name = f"{reading['tab']} of stream {row['id']} ({row['state']})"
    kinds = {KINDS[kind] for kind in reading["kinds"]}
    shown = [chunk["index"] for chunk in journal if chunk["kind"] in kinds]
    counts.readings += 1
    newest, seen = Counter[str](), Counter[int]()
    lengths = Counter[str]()
    for first, index, kind, delta, offset in reading["frames"]:
        if index is None:
            stored = find_by_text(journal, kind, delta, lengths[kind])
        else:
            first = find_first(journal, kinds, index, len(delta)) if first is None else first
            stored = [chunk for chunk in journal[first : index + 1] if chunk["kind"] in kinds]
        indexes = [chunk["index"] for chunk in stored]
        counts.delivered += len(indexes)
        repeated = sum(number in seen for number in indexes)
        counts.doubled += repeated
        # Texts without indexes are ordered among those of their kind: a snapshot has each whole.
        lane = kind if index is None else ""
        counts.reordered += bool(indexes) and indexes[0] < newest[lane] and not repeated
        seen.update(indexes)
        newest[lane] = max([newest[lane], *(number + 1 for number in indexes)])
        if (
            "".join(chunk["delta"] for chunk in stored) != delta
            or any(chunk["kind"] != KINDS[kind] for chunk in stored)
            or not stored
            or offset not in (None, stored[0]["offset"])
        ):
            place = f"{first}–{index}" if index is not None else f"“{delta[:40]}” of its {kind}"
            yield f"{name} was shown {place}, which differs from the journal"
        else:
            lengths[kind] = stored[-1]["offset"] + len(stored[-1]["delta"])
    lost = [number for number in shown if number not in seen]
    counts.lost += len(lost)
    if lost:
        yield f"{name} was never sent {len(lost)} of {row['next_index']}, first {lost[0]}"
    if reading["snapshots"]:
        yield f"{name} got {reading['snapshots']} snapshots"
    if reading["early_ends"]:
        yield f"{name} looked complete {reading['early_ends']} times before it was"
    state = STATES_ALIKE.get((reading["door"], row["state"]), row["state"])
    end = reading["end"]
    if end is None:
        yield f"{name} never saw its end"
    elif end["state"] != state or end["next"] not in (None, row["next_index"]):
        yield f"{name} was sent the end {end}, and next is {row['next_index']}"
    if any(count > 1 for count in seen.values()):
        yield f"{name} was sent some indexes twice"


def find_by_text(journal: Sequence[Row], kind: str, delta: str, length: int) -> list[Row]:
    """Return the rows of a text that no index names: it is expected behind `length` characters of
    its kind, and may stand elsewhere. Texts of chaos are long enough to be found."""
    rows = [chunk for chunk in journal if chunk["kind"] == KINDS[kind]]
    whole = "".join(chunk["delta"] for chunk in rows)
    start = length if whole.startswith(delta, length) else whole.find(delta)
    end = start + len(delta)
    return [chunk for chunk in rows if start <= chunk["offset"] < end] if start >= 0 else []


def find_first(journal: Sequence[Row], kinds: Collection[int], index: int, chars: int) -> int:
    """Return the first row of a text that ends with row `index`. Some doors name only the last."""
    first = min(index + 1, len(journal))
    while chars > 0 and first > 0:
        first -= 1
        if journal[first]["kind"] in kinds:
            chars -= len(journal[first]["delta"])
    return first
