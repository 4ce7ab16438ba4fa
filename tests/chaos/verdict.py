"""Compares every follower's frames with the database and with the provider's own record.

Counted per chunk index, over all followers: lost is an index of the stream that a follower never
got, doubled one that it got twice, reordered one that came after a later one. A frame whose text
differs from the database's is a violation by itself.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from tests.chaos.lines import SOURCE as LINES
from tests.chaos.lines import NumberedLines
from tests.chaos.provider import Order
from tests.chaos.script import Asked
from tools.fake_provider import Record

TEXT, REASONING, SEAM = 0, 1, 2
KINDS = {"text": TEXT, "reasoning": REASONING, "seam": SEAM}
ENDED = ("completed", "stopped", "failed", "interrupted")
FIRST = 100  # violations that are written down

Row = dict[str, Any]


@dataclass(slots=True)
class Verdict:
    """The counts of the table's middle, and the broken promises."""

    streams: int = 0
    readings: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    unfinished: int = 0
    carried_on: int = 0
    lines: int = 0
    resumed: int = 0
    """Streams of lines, and those of them that another worker went on with."""
    repeated: int = 0
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def broken(self, what: str) -> None:
        if len(self.violations) < FIRST:
            self.violations.append(what)
        self.counts["violations"] += 1


def judge(
    url: str, asked: Sequence[Asked], records: Sequence[Record], files: Sequence[Path]
) -> Verdict:
    verdict = Verdict()
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        streams = {str(row["uuid"]): row for row in connection.execute(STREAMS)}
        chunks: dict[int, list[Row]] = defaultdict(list)
        for row in connection.execute(CHUNKS):
            chunks[row["stream_id"]].append(row)
    by_request = {row["request_id"]: row for row in streams.values()}
    said = _by_question(records, verdict)
    for row in streams.values():
        _judge_stream(row, chunks[row["id"]], verdict)
        if row["state"] in ENDED:
            judge_text = _judge_lines if row["source"] == LINES else _judge_message
            judge_text(row, chunks[row["id"]], verdict)
    for question in asked:
        _judge_answer(question, by_request, chunks, said, verdict)
    for reading in _readings(files, verdict):
        _judge_reading(reading, streams, chunks, verdict)
    return verdict


STREAMS = """
SELECT s.id, s.uuid, s.request_id, s.source, s.arguments, s.state, s.epoch, s.next_index,
       s.length, s.attempts, s.error_class, s.error,
       m.content, m.reasoning, m.seams, m.is_complete, c.status,
       (SELECT count(*) FROM chat_message AS q
         WHERE q.role = 'user' AND q.content = asked.content) AS questions
  FROM streaming_stream AS s
  LEFT JOIN chat_message AS m ON m.stream_id = s.id
  LEFT JOIN chat_message AS asked ON asked.id = m.parent_id
  LEFT JOIN chat_conversation AS c ON c.id = m.conversation_id
"""
CHUNKS = """
SELECT stream_id, "index", kind, delta, "offset" FROM streaming_streamchunk
 ORDER BY stream_id, "index"
"""


# The database with itself


def _judge_stream(row: Row, chunks: list[Row], verdict: Verdict) -> None:
    verdict.streams += 1
    verdict.states[row["state"]] += 1
    verdict.reasons[f"{row['state']}: {row['error']}"] += bool(row["error"])
    name = f"stream {row['id']} ({row['state']})"
    if row["state"] not in ENDED:
        verdict.unfinished += 1
        verdict.broken(f"{name} never ended")
        return
    if [chunk["index"] for chunk in chunks] != list(range(row["next_index"])):
        verdict.broken(f"{name}: its journal is not 0 … {row['next_index'] - 1}")
    offsets = Counter[int]()
    for chunk in chunks:
        kind = chunk["kind"]
        if chunk["offset"] != offsets[TEXT if kind == SEAM else kind]:
            verdict.broken(f"{name}: chunk {chunk['index']} says offset {chunk['offset']}")
            break
        offsets[kind] += len(chunk["delta"])


def _judge_message(row: Row, chunks: list[Row], verdict: Verdict) -> None:
    name = f"stream {row['id']} ({row['state']})"
    text, reasoning = _spelt(chunks, TEXT), _spelt(chunks, REASONING)
    if row["content"] != text or row["reasoning"] != reasoning or row["length"] != len(text):
        verdict.broken(f"{name}: its message is not its journal's text")
    if row["seams"] != sorted({chunk["offset"] for chunk in chunks if chunk["kind"] == SEAM}):
        verdict.broken(f"{name}: its message has other seams than its journal")
    if row["is_complete"] != (row["state"] == "completed") or row["status"] == "streaming":
        verdict.broken(f"{name}: message or conversation say otherwise")
    if row["questions"] != 1:
        verdict.repeated += 1
        verdict.broken(f"{name}: its question is there {row['questions']} times")
    verdict.carried_on += any(chunk["kind"] == SEAM for chunk in chunks)


def _judge_lines(row: Row, chunks: list[Row], verdict: Verdict) -> None:
    """Its checkpoint is exact, so a takeover leaves neither a seam nor a repeated line."""
    name = f"stream {row['id']} of lines ({row['state']})"
    text, expected = _spelt(chunks, TEXT), NumberedLines(**row["arguments"]).text
    if row["state"] not in ("completed", "interrupted"):
        verdict.broken(f"{name} failed with {row['error']!r}")
    if not expected.startswith(text) or row["length"] != len(text):
        verdict.broken(f"{name}: its text is not the beginning of its lines")
    if row["state"] == "completed" and text != expected:
        verdict.broken(f"{name} is said to be complete and is not")
    if any(chunk["kind"] != TEXT for chunk in chunks):
        verdict.broken(f"{name} has chunks of another kind")
    verdict.lines += 1
    verdict.resumed += row["epoch"] > 1 and bool(chunks)


def _spelt(chunks: Iterable[Row], kind: int) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["kind"] == kind)


# The provider's record


def _by_question(
    records: Sequence[Record], verdict: Verdict
) -> dict[str, list[tuple[Order, Record]]]:
    said: dict[str, list[tuple[Order, Record]]] = defaultdict(list)
    for record in records:
        order = Order.of(record.prompt)
        said[order.question].append((order, record))
        if not order.faithful:
            verdict.broken(f"asked to go on from a text that was never sent: {order.question}")
    return said


def _judge_answer(
    asked: Asked,
    by_request: dict[UUID, Row],
    chunks: dict[int, list[Row]],
    said: dict[str, list[tuple[Order, Record]]],
    verdict: Verdict,
) -> None:
    row = by_request.get(asked.request)
    if row is None:
        verdict.broken(f"{asked.script.name} was accepted and is not there")
        return
    mine = chunks[row["id"]]
    name = f"stream {row['id']} ({row['state']}, {asked.script.name})"
    answers = said[asked.script.question]
    if row["state"] == "failed" and row["error_class"] not in FAULTS_OF_OTHERS:
        verdict.broken(f"{name} failed with {row['error_class']!r}")
    if not asked.script.text.startswith(_spelt(mine, TEXT)):
        verdict.broken(f"{name}: its text is not the beginning of its answer")
    if row["state"] == "completed" and _spelt(mine, TEXT) != asked.script.text:
        verdict.broken(f"{name} is said to be complete and is not")
    if row["state"] == "interrupted" and not row["attempts"] and len(answers) == 1:
        [(order, record)] = answers
        if record.state in ("cut", "finished") and _spelt(mine, TEXT) != _sent(order, record, TEXT):
            verdict.broken(f"{name}: what was sent before the cut is not all there")
    if row["state"] == "stopped" and not asked.stopped:
        verdict.broken(f"{name} was stopped, and by nobody")
    for part in _between_seams(mine):
        for kind in (TEXT, REASONING):
            spelt = _spelt(part, kind)
            if not any(spelt in _sent(order, record, kind) for order, record in answers):
                verdict.broken(f"{name}: a part of it was sent by nobody")


FAULTS_OF_OTHERS = {"timeout", "network", "interrupted", "overloaded"}
"""The errors of a reply whose provider cuts or falls silent before its first text."""


def _between_seams(chunks: list[Row]) -> Iterator[list[Row]]:
    for seam, part in groupby(chunks, key=lambda chunk: chunk["kind"] == SEAM):
        if not seam:
            yield list(part)


def _sent(order: Order, record: Record, kind: int) -> str:
    """Return the text that left the provider. If it did not end by itself, it may have been writing
    one more delta than it counted."""
    more = record.state not in ("cut", "finished")
    pieces = order.behaviour.pieces[: record.sent + more]
    return "".join(piece.text for piece in pieces if KINDS[piece.kind] == kind)


# The followers


def _readings(files: Sequence[Path], verdict: Verdict) -> Iterator[Row]:
    for file in files:
        for line in file.read_text().splitlines():
            found = json.loads(line)
            if "counts" in found:
                verdict.counts.update(found["counts"])
            else:
                yield found


def _judge_reading(
    reading: Row, streams: dict[str, Row], chunks: dict[int, list[Row]], verdict: Verdict
) -> None:
    row = streams[reading["stream"]]
    journal = chunks[row["id"]]
    name = f"{reading['tab']} of stream {row['id']} ({row['state']})"
    verdict.readings += 1
    newest, seen = -1, Counter[int]()
    for first, index, kind, delta, offset in reading["frames"]:
        covered = range(first, index + 1)
        verdict.delivered += len(covered)
        again = sum(number in seen for number in covered)
        verdict.doubled += again
        verdict.reordered += first <= newest and not again
        seen.update(covered)
        newest = max(newest, index)
        stored = journal[first : index + 1]
        if (
            "".join(chunk["delta"] for chunk in stored) != delta
            or any(chunk["kind"] != KINDS[kind] for chunk in stored)
            or not stored
            or stored[0]["offset"] != offset
        ):
            verdict.broken(f"{name} was shown {first}–{index}, which is not what is stored")
    lost = [number for number in range(row["next_index"]) if number not in seen]
    verdict.lost += len(lost)
    if lost:
        verdict.broken(f"{name} was never sent {len(lost)} of {row['next_index']}, first {lost[0]}")
    if reading["snapshots"]:
        verdict.broken(f"{name} got {reading['snapshots']} snapshots")
    if reading["end"] is None:
        verdict.broken(f"{name} never saw its end")
    elif reading["end"] != {"state": row["state"], "next": row["next_index"]}:
        verdict.broken(f"{name} was told {reading['end']}, and next is {row['next_index']}")
    if any(count > 1 for count in seen.values()):
        verdict.broken(f"{name} was sent some indexes twice")
