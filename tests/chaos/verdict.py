"""Compares every follower's frames with the database and with the provider's own record.

`readings` counts the indexes of chunks over all followers. A lost index never reached a follower, a
doubled one reached it twice, and a reordered one came after a later one. A frame whose text differs
from the journal is a violation as well.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from tests.chaos.lines import LINES_SOURCE, NumberedLines
from tests.chaos.provider import AnswerRequest
from tests.chaos.readings import KINDS, REASONING, SEAM, TEXT, DoorCounts, Row, check_reading
from tests.chaos.script import AnswerScript, AskedQuestion
from tools.fake_provider import Record

ENDED_STATES = ("completed", "stopped", "failed", "interrupted")
MAX_VIOLATIONS = 100  # that are saved


@dataclass(slots=True)
class Verdict:
    """The counts for the table, and the violations."""

    streams: int = 0
    doors: defaultdict[str, DoorCounts] = field(default_factory=lambda: defaultdict(DoorCounts))
    unfinished: int = 0
    carried_on: int = 0
    lines: int = 0
    resumed: int = 0
    """Streams of lines, and those of them that another worker continued."""
    repeated: int = 0
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    @property
    def readings(self) -> int:
        return sum(door.readings for door in self.doors.values())

    @property
    def delivered(self) -> int:
        return sum(door.delivered for door in self.doors.values())

    @property
    def lost(self) -> int:
        return sum(door.lost for door in self.doors.values())

    @property
    def doubled(self) -> int:
        return sum(door.doubled for door in self.doors.values())

    @property
    def reordered(self) -> int:
        return sum(door.reordered for door in self.doors.values())

    def add_violation(self, violation: str) -> None:
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(violation)
        self.counts["violations"] += 1


def check_run(
    url: str, asked: Sequence[AskedQuestion], records: Sequence[Record], files: Sequence[Path]
) -> Verdict:
    verdict = Verdict()
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        streams = {str(row["uuid"]): row for row in connection.execute(STREAMS_QUERY)}
        chunks: dict[int, list[Row]] = defaultdict(list)
        for row in connection.execute(CHUNKS_QUERY):
            chunks[row["stream_id"]].append(row)
    by_request = {row["request_id"]: row for row in streams.values()}
    answers_by_question = _group_by_question(records, verdict)
    for row in streams.values():
        _check_stream(row, chunks[row["id"]], verdict)
        if row["state"] in ENDED_STATES:
            check_text = _check_lines if row["source"] == LINES_SOURCE else _check_message
            check_text(row, chunks[row["id"]], verdict)
    for question in asked:
        asked_row = streams.get(question.stream) or by_request.get(question.request)
        _check_answer(question, asked_row, chunks, answers_by_question, verdict)
    for reading in _load_readings(files, verdict):
        row = streams[reading["stream"]]
        counts = verdict.doors[reading["door"]]
        for violation in check_reading(reading, row, chunks[row["id"]], counts):
            verdict.add_violation(violation)
    return verdict


STREAMS_QUERY = """
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
CHUNKS_QUERY = """
SELECT stream_id, "index", kind, delta, "offset" FROM streaming_streamchunk
 ORDER BY stream_id, "index"
"""


# The database with itself


def _check_stream(row: Row, chunks: list[Row], verdict: Verdict) -> None:
    verdict.streams += 1
    verdict.states[row["state"]] += 1
    verdict.reasons[f"{row['state']}: {row['error']}"] += bool(row["error"])
    name = f"stream {row['id']} ({row['state']})"
    if row["state"] not in ENDED_STATES:
        verdict.unfinished += 1
        verdict.add_violation(f"{name} never ended")
        return
    if [chunk["index"] for chunk in chunks] != list(range(row["next_index"])):
        verdict.add_violation(f"{name}: its journal is not 0 … {row['next_index'] - 1}")
    offsets = Counter[int]()
    for chunk in chunks:
        kind = chunk["kind"]
        if chunk["offset"] != offsets[TEXT if kind == SEAM else kind]:
            verdict.add_violation(f"{name}: chunk {chunk['index']} has offset {chunk['offset']}")
            break
        offsets[kind] += len(chunk["delta"])


def _check_message(row: Row, chunks: list[Row], verdict: Verdict) -> None:
    name = f"stream {row['id']} ({row['state']})"
    text, reasoning = _join_deltas(chunks, TEXT), _join_deltas(chunks, REASONING)
    if row["content"] != text or row["reasoning"] != reasoning or row["length"] != len(text):
        verdict.add_violation(f"{name}: its message is not its journal's text")
    if row["seams"] != sorted({chunk["offset"] for chunk in chunks if chunk["kind"] == SEAM}):
        verdict.add_violation(f"{name}: its message has other seams than its journal")
    if row["is_complete"] != (row["state"] == "completed") or row["status"] == "streaming":
        verdict.add_violation(f"{name}: the state of its message or conversation differs")
    if row["questions"] != 1:
        verdict.repeated += 1
        verdict.add_violation(f"{name}: its question exists {row['questions']} times")
    verdict.carried_on += any(chunk["kind"] == SEAM for chunk in chunks)


def _check_lines(row: Row, chunks: list[Row], verdict: Verdict) -> None:
    """The checkpoint is exact, so a takeover leaves neither a seam nor a repeated line."""
    name = f"stream {row['id']} of lines ({row['state']})"
    text, expected = _join_deltas(chunks, TEXT), NumberedLines(**row["arguments"]).text
    if row["state"] not in ("completed", "interrupted"):
        verdict.add_violation(f"{name} failed with {row['error']!r}")
    if not expected.startswith(text) or row["length"] != len(text):
        verdict.add_violation(f"{name}: its text is not the beginning of its lines")
    if row["state"] == "completed" and text != expected:
        verdict.add_violation(f"{name} is marked as complete and is not")
    if any(chunk["kind"] != TEXT for chunk in chunks):
        verdict.add_violation(f"{name} has chunks of another kind")
    verdict.lines += 1
    verdict.resumed += row["epoch"] > 1 and bool(chunks)


def _join_deltas(chunks: Iterable[Row], kind: int) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["kind"] == kind)


# The provider's record


def _group_by_question(
    records: Sequence[Record], verdict: Verdict
) -> dict[str, list[tuple[AnswerRequest, Record]]]:
    answers_by_question: dict[str, list[tuple[AnswerRequest, Record]]] = defaultdict(list)
    for record in records:
        request = AnswerRequest.from_prompt(record.prompt)
        answers_by_question[request.question].append((request, record))
        if not request.is_own_text:
            verdict.add_violation(
                f"a request continues a text that was never sent: {request.question}"
            )
    return answers_by_question


def _check_answer(
    asked: AskedQuestion,
    row: Row | None,
    chunks: dict[int, list[Row]],
    answers_by_question: dict[str, list[tuple[AnswerRequest, Record]]],
    verdict: Verdict,
) -> None:
    if row is None:
        verdict.add_violation(f"{asked.script.name} was accepted and has no stream")
        return
    journal = chunks[row["id"]]
    name = f"stream {row['id']} ({row['state']}, {asked.script.name})"
    answers = answers_by_question[asked.script.question]
    if row["state"] == "failed" and not is_provider_error(row["error_class"], asked.script):
        verdict.add_violation(f"{name} failed with {row['error_class']!r}")
    if not asked.script.text.startswith(_join_deltas(journal, TEXT)):
        verdict.add_violation(f"{name}: its text is not the beginning of its answer")
    if row["state"] == "completed" and _join_deltas(journal, TEXT) != asked.script.text:
        verdict.add_violation(f"{name} is marked as complete and is not")
    if row["state"] == "interrupted" and not row["attempts"] and len(answers) == 1:
        [(request, record)] = answers
        sent = _join_sent(request, record, TEXT)
        if record.state in ("cut", "finished") and _join_deltas(journal, TEXT) != sent:
            verdict.add_violation(f"{name}: text from before the cut is missing")
    if row["state"] == "stopped" and not asked.stopped:
        verdict.add_violation(f"{name} was stopped without a request")
    for part in _split_at_seams(journal):
        for kind in (TEXT, REASONING):
            text = _join_deltas(part, kind)
            if not any(text in _join_sent(request, record, kind) for request, record in answers):
                verdict.add_violation(f"{name}: the provider never sent a part of it")


PROVIDER_ERROR_CLASSES = {"timeout", "no_response", "network", "interrupted", "overloaded"}
"""The errors of a reply whose provider breaks off or falls silent before the first text."""


def is_provider_error(error_class: str, script: AnswerScript) -> bool:
    """A provider that ends its body before the first text has sent an empty reply."""
    is_empty = error_class == "empty_reply" and script.fault == "end"
    return is_empty or error_class in PROVIDER_ERROR_CLASSES


def _split_at_seams(chunks: list[Row]) -> Iterator[list[Row]]:
    for seam, part in groupby(chunks, key=lambda chunk: chunk["kind"] == SEAM):
        if not seam:
            yield list(part)


def _join_sent(request: AnswerRequest, record: Record, kind: int) -> str:
    """Return the text that the provider sent. If the answer did not end by itself, the provider may
    have sent one delta more than it counted."""
    more = record.state not in ("cut", "finished")
    pieces = request.behaviour.pieces[: record.sent + more]
    return "".join(piece.text for piece in pieces if KINDS[piece.kind] == kind)


# The followers


def _load_readings(files: Sequence[Path], verdict: Verdict) -> Iterator[Row]:
    for file in files:
        for line in file.read_text().splitlines():
            found = json.loads(line)
            if "counts" in found:
                verdict.counts.update(found["counts"])
            else:
                yield found
