"""The caches of prompts that the providers keep: the tokens of a request that the fake has read
before, and those that it adds.

Anthropic caches what is marked (https://platform.claude.com/docs/en/build-with-claude/prompt-caching),
OpenAI and Google cache the beginning of every long request
(https://developers.openai.com/api/docs/guides/prompt-caching).
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.fake_provider.behaviour import Usage

CHARS_PER_TOKEN = 4
MAX_MARKS = 4
LOOKBACK_BLOCKS = 20
"""A mark finds an entry that ends at its own block or at one of the blocks before it."""
MIN_MARKED_TOKENS = (
    (re.compile(r"claude-(opus-4-[56]|haiku-4-5)"), 4_096),
    (re.compile(r"claude-opus-4-7"), 2_048),
    (re.compile(r"claude-(opus|fable|mythos)-5"), 512),
)
MIN_TOKENS = 1_024
STEP_TOKENS = 128
"""An automatic cache holds whole steps."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a prompt: its text, and whether the prompt is to be cached up to here."""

    text: str
    is_marked: bool = False


class PromptCache:
    """The prompts that the fake has read, as hashes of their beginnings."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def clear(self) -> None:
        self._known.clear()

    def read_marked(self, scope: str, blocks: Sequence[Block], model: str) -> Usage:
        """Count a prompt with marks, and add what is marked. `scope` separates keys and models."""
        ends, hashes = _measure(scope, [block.text for block in blocks])
        marks = [at for at, block in enumerate(blocks) if block.is_marked]
        cached = max(
            (
                ends[at]
                for mark in marks
                for at in range(max(0, mark - LOOKBACK_BLOCKS + 1), mark + 1)
                if hashes[at] in self._known
            ),
            default=0,
        )
        least = next((n for pattern, n in MIN_MARKED_TOKENS if pattern.match(model)), MIN_TOKENS)
        long_marks = [mark for mark in marks if ends[mark] >= least]
        self._known |= {hashes[mark] for mark in long_marks}
        written = max(0, ends[long_marks[-1]] - cached) if long_marks else 0
        return Usage(input=ends[-1], cached=cached, cache_written=written)

    def read_automatic(self, scope: str, prompt: str) -> Usage:
        """Count a prompt whose beginning is cached without marks."""
        size = STEP_TOKENS * CHARS_PER_TOKEN
        steps = [prompt[at : at + size] for at in range(0, len(prompt) - size + 1, size)]
        ends, hashes = _measure(scope, steps)
        long_steps = [at for at, end in enumerate(ends) if end >= MIN_TOKENS]
        cached = max((ends[at] for at in long_steps if hashes[at] in self._known), default=0)
        self._known |= {hashes[at] for at in long_steps}
        return Usage(input=count_tokens(prompt), cached=cached)


def count_tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


def encode_parts(parts: Sequence[Any]) -> str:
    """The parts of a prompt as one text, so that a longer prompt begins with the text of a shorter
    one."""
    return "".join(json.dumps(part, sort_keys=True) for part in parts if part)


def _measure(scope: str, texts: Sequence[str]) -> tuple[list[int], list[bytes]]:
    """Count and hash everything up to the end of each text."""
    ends: list[int] = []
    hashes: list[bytes] = []
    total, digest = 0, hashlib.sha256(scope.encode())
    for text in texts:
        total += count_tokens(text)
        digest.update(f"{len(text)} {text}".encode("utf-8", "surrogatepass"))
        ends.append(total)
        hashes.append(digest.digest())
    return ends, hashes
