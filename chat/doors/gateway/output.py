"""The output of a response: its items, from the runs of its text. Pure but for `load_output`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat.doors.gateway import ids
from chat.doors.gateway.tool_objects import build_call_item
from chat.doors.marks import has_marks, remove_marks
from streaming import journal
from streaming.events import StreamText
from streaming.follow import START_CURSOR, read_page
from streaming.journal import Chunk
from streaming.models import Kind, Stream
from streaming.providers.reasoning_mark import split_marked_reasoning
from streaming.providers.tools import ToolCall, parse_calls

PREFIXES = {Kind.TEXT: ids.MESSAGE, Kind.REASONING: ids.REASONING, Kind.TOOL_CALL: ids.CALL}
ITEM_KINDS = frozenset(PREFIXES)
MARKED_KINDS = frozenset({Kind.TEXT, Kind.REASONING})
"""A mark can be nowhere else: the same character in a tool call is a part of its arguments."""


@dataclass(frozen=True, slots=True)
class OutputRun:
    """Neighbouring chunks of one kind, or the chunks of one tool call: one item of the output."""

    kind: str
    text: str
    id: str

    @property
    def call(self) -> ToolCall:
        """Only a run of a tool call has one."""
        return parse_calls(self.text)[0]


@dataclass(frozen=True, slots=True)
class Output:
    """`streamed` has the items as they were streamed, which differ if text turned out to be
    reasoning. `is_exact` says whether the runs are those of the journal; those of a stream that an
    older version has folded are made of its text."""

    runs: tuple[OutputRun, ...]
    streamed: tuple[OutputRun, ...]
    is_exact: bool = True

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs if run.kind == Kind.TEXT)

    @property
    def reasoning(self) -> str:
        return "".join(run.text for run in self.runs if run.kind == Kind.REASONING)

    @property
    def calls(self) -> list[ToolCall]:
        return [run.call for run in self.runs if run.kind == Kind.TOOL_CALL]


def load_output(stream: Stream, answer_id: UUID) -> Output:
    """Everything that the stream has. Calls the database. Raises StreamNotFound."""
    chunks: list[Chunk] = []
    at, is_exact = START_CURSOR, True
    while at + 1 < stream.next_index and is_exact:
        page, is_whole = read_page(stream, at)
        if not page:
            break
        if is_whole:
            chunks, is_exact = [], False
        chunks += page
        at = page[-1].index
    streamed = build_runs(chunks, answer_id)
    split = split_marked_chunks(chunks)
    runs = streamed if split is chunks else build_runs(split, answer_id)
    return Output(tuple(runs), tuple(streamed), is_exact)


def split_marked_chunks(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """The chunks without marks. If there were any, the reply has its reasoning, its text and its
    tool calls as one piece each, as the stored message has them."""
    if not any(chunk.kind in MARKED_KINDS and has_marks(chunk.delta) for chunk in chunks):
        return chunks
    content, reasoning, calls = (
        "".join(chunk.delta for chunk in chunks if chunk.kind == kind)
        for kind in (Kind.TEXT, Kind.REASONING, Kind.TOOL_CALL)
    )
    seams = tuple(dict.fromkeys(chunk.offset for chunk in chunks if chunk.kind == Kind.SEAM))
    split = split_marked_reasoning(StreamText(content, reasoning, seams, calls=calls))
    shown = StreamText(split.content, remove_marks(split.reasoning), calls=split.calls)
    return journal.build_chunks(shown)


def build_runs(chunks: Iterable[Chunk], answer_id: UUID) -> list[OutputRun]:
    """A tool call whose last chunk is missing is no run yet."""
    runs: list[OutputRun] = []
    kind, texts = "", [""]
    for chunk in chunks:
        if chunk.kind not in ITEM_KINDS:
            continue
        if chunk.kind != kind or ends_call(kind, texts[-1]):
            _append_run(runs, kind, texts, answer_id)
            kind, texts = chunk.kind, []
        texts.append(chunk.delta)
    _append_run(runs, kind, texts, answer_id)
    return runs


def ends_call(kind: str, delta: str) -> bool:
    """Whether a chunk is the last one of a tool call, which is one line."""
    return kind == Kind.TOOL_CALL and delta.endswith("\n")


def _append_run(runs: list[OutputRun], kind: str, texts: Sequence[str], answer_id: UUID) -> None:
    if kind and (kind != Kind.TOOL_CALL or ends_call(kind, texts[-1])):
        runs.append(OutputRun(kind, "".join(texts), build_item_id(kind, answer_id, runs)))


def build_item_id(kind: str, answer_id: UUID, before: Sequence[OutputRun]) -> str:
    number = 1 + sum(run.kind == kind for run in before)
    return ids.build_id(PREFIXES[Kind(kind)], answer_id, number)


def build_item(run: OutputRun, status: str) -> dict[str, Any]:
    if run.kind == Kind.TOOL_CALL:
        return build_call_item(run.id, run.call)  # it is written whole
    if run.kind == Kind.REASONING:
        summary = [build_part(run)] if run.text else []
        return {"id": run.id, "type": "reasoning", "summary": summary}
    return {
        "id": run.id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [build_part(run)] if run.text else [],
    }


def build_part(run: OutputRun) -> dict[str, Any]:
    if run.kind == Kind.REASONING:
        return {"type": "summary_text", "text": run.text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": run.text}


def build_items(runs: Sequence[OutputRun], last_status: str) -> list[dict[str, Any]]:
    """All items but the last are complete."""
    return [
        build_item(run, last_status if number == len(runs) else "completed")
        for number, run in enumerate(runs, 1)
    ]
