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
from typing import Any

from streaming.providers.types import Request

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

Content = str | list[dict[str, Any]]


def build_marked_prompt(request: Request) -> tuple[Content, list[dict[str, Any]]]:
    """The system prompt and the messages, with marks if a later request begins as this one does.

    All texts are then blocks, with or without a mark, so that a text looks alike in each request.
    """
    if not request.cache_key:
        return request.system, [
            {"role": turn.role, "content": turn.full_text} for turn in request.turns
        ]
    least = MIN_BYTES_PER_TOKEN * find_min_tokens(request.model)
    size = _count_bytes(request.system)
    system = _build_blocks(request.system, is_marked=size >= least)
    questions = _find_last_questions(request)
    messages = []
    for at, turn in enumerate(request.turns):
        size += _count_bytes(turn.text)
        blocks = _build_blocks(turn.text, is_marked=at in questions and size >= least)
        messages.append({"role": turn.role, "content": blocks + _build_blocks(turn.hint)})
    return system, messages


def find_min_tokens(model: str) -> int:
    """The length from which on a model's prompts are cached."""
    known = (tokens for pattern, tokens in MIN_CACHED_TOKENS if pattern.match(model))
    return next(known, DEFAULT_MIN_TOKENS)


def _find_last_questions(request: Request) -> set[int]:
    """Positions of the newest questions. A request to continue is none: no other one repeats it."""
    last = len(request.turns) - (1 if request.is_continuation else 0)
    questions = (at for at in reversed(range(last)) if request.turns[at].role == "user")
    return set(itertools.islice(questions, MARKED_QUESTIONS))


def _build_blocks(text: str, *, is_marked: bool = False) -> list[dict[str, Any]]:
    """The API refuses an empty block."""
    return [{"type": "text", "text": text} | (MARK if is_marked else {})] if text else []


def _count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
