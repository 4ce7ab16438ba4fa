"""Anthropic's cache of prompts: the marks with which a request re-reads the beginning that it
shares with the one before it.

A prompt is cached up to each mark, and read back for a tenth of the price within five minutes
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching). The newest question is
marked, so that the next request re-reads everything up to it. The question before it is marked too:
an edited question, another answer and a continuation re-read everything up to there.
"""

from __future__ import annotations

import itertools
import re

from streaming.providers.anthropic_tools import Blocks, build_blocks, find_open_exchange
from streaming.providers.types import Request, Turn

MARK = {"cache_control": {"type": "ephemeral"}}
MARKED_QUESTIONS = 2
MIN_CACHED_TOKENS = (
    (re.compile(r"claude-(opus-4-[56]|haiku-4-5)"), 4_096),
    (re.compile(r"claude-(opus-4-7|3-haiku|3-5-haiku)"), 2_048),
    (re.compile(r"claude-(\d|(opus|sonnet)-4|sonnet-5(?!-\d\b))"), 1_024),
)
"""A shorter prompt is not cached."""
DEFAULT_MIN_TOKENS = 512
"""For models that are not in the table: a mark on a prompt that is too short changes nothing."""
MIN_BYTES_PER_TOKEN = 2

Content = str | Blocks


def build_marked_prompt(
    request: Request, *, has_thoughts: bool = False
) -> tuple[Content, list[dict[str, Content]]]:
    """The system prompt and the messages, with marks if a later request begins as this one does.

    All texts are then blocks, with or without a mark, so that a text looks alike in each request.
    `has_thoughts` sends the reasoning before the calls of the open exchange back. Older reasoning
    is left out: the API checks that nothing before it has changed.
    """
    exchange = find_open_exchange(request.turns) if has_thoughts else len(request.turns)
    if not request.cache_key:
        return request.system if request.system.strip() else "", [
            {"role": turn.role, "content": _build_content(turn, has_thoughts=at >= exchange)}
            for at, turn in enumerate(request.turns)
        ]
    least = MIN_BYTES_PER_TOKEN * find_min_tokens(request.model)
    size = _count_bytes(request.system)
    system = _build_text(request.system)
    _mark_last(system, is_due=size >= least)
    questions = _find_last_questions(request)
    messages: list[dict[str, Content]] = []
    for at, turn in enumerate(request.turns):
        size += _count_bytes(turn.text)
        size += sum(_count_bytes(call.arguments) for call in turn.calls)
        size += sum(_count_bytes(output.text) for output in turn.outputs)
        blocks = build_blocks(turn, has_thoughts=at >= exchange)
        _mark_last(blocks, is_due=at in questions and size >= least)
        messages.append({"role": turn.role, "content": blocks + _build_text(turn.hint)})
    return system, messages


def _build_content(turn: Turn, *, has_thoughts: bool) -> Content:
    if not turn.calls and not turn.outputs:
        return turn.full_text
    return build_blocks(turn, has_thoughts=has_thoughts) + _build_text(turn.hint)


def find_min_tokens(model: str) -> int:
    """The length from which on a model's prompts are cached."""
    known = (tokens for pattern, tokens in MIN_CACHED_TOKENS if pattern.match(model))
    return next(known, DEFAULT_MIN_TOKENS)


def _find_last_questions(request: Request) -> set[int]:
    """Positions of the newest questions. A request to continue is none: no other one repeats it."""
    last = len(request.turns) - (1 if request.is_continuation else 0)
    questions = (at for at in reversed(range(last)) if request.turns[at].role == "user")
    return set(itertools.islice(questions, MARKED_QUESTIONS))


def _build_text(text: str) -> Blocks:
    """The API refuses a blank block."""
    return [{"type": "text", "text": text}] if text.strip() else []


def _mark_last(blocks: Blocks, *, is_due: bool) -> None:
    if blocks and is_due:
        blocks[-1] = blocks[-1] | MARK


def _count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
