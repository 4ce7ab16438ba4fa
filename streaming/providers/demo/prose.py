"""The words of the demo: a reply to any prompt, the same every time."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from streaming.providers.types import CONTINUE_PROMPT, Turn

MAX_SEED_CHARS = 1_000
"""Characters of a prompt that decide the reply. They are hashed on the event loop that all streams
of a worker share, so a longer prompt must not take longer."""
MAX_QUOTE_CHARS = 160
"""Characters of the prompt that are quoted back."""
SHORTER = re.compile(r"\b(short|shorter|brief|briefly|quick|tl;?dr)\b", re.IGNORECASE)
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@/$=^\"'])")


def compose_remainder(turns: Iterable[Turn]) -> str:
    """The whole reply, or the part that follows the partial text to continue."""
    prompt, partial = _prompt_and_partial(turns)
    reply = compose_reply(prompt)
    if reply.startswith(partial):
        return reply[len(partial) :]
    return f"\n\n{reply}"  # a text of another model has no end here


def _prompt_and_partial(turns: Iterable[Turn]) -> tuple[str, str]:
    """The last prompt of a person, and the partial answer to it."""
    prompt, partial = "", ""
    for turn in turns:
        if turn.role == "assistant":
            partial += turn.text
        elif turn.text != CONTINUE_PROMPT:
            prompt, partial = turn.text, ""
    return prompt, partial


def compose_reply(prompt: str) -> str:
    """Markdown of every common kind, the same every time. Prompts of one length whose first
    MAX_SEED_CHARS characters are equal have the same reply."""
    return _compose_cached(prompt[:MAX_SEED_CHARS], len(prompt))


@lru_cache(maxsize=256)
def _compose_cached(prompt: str, length: int) -> str:
    prompt_and_length = prompt if length <= MAX_SEED_CHARS else f"{prompt} {length}"
    seed = hashlib.sha256(prompt_and_length.encode("utf-8", "surrogatepass")).digest()
    opening = PROSE["opening"][seed[0] % len(PROSE["opening"])]
    closing = PROSE["closing"][seed[1] % len(PROSE["closing"])]
    middle = PROSE["short"] if SHORTER.search(prompt) else _build_sections(seed, prompt)
    return "\n\n".join([opening, _quote_prompt(prompt), *middle, closing])


def _build_sections(seed: bytes, prompt: str) -> list[str]:
    """All sections, in an order that depends on the prompt; those that it mentions come first."""
    first = seed[2] % len(PROSE["section"])
    sections = [*PROSE["section"][first:], *PROSE["section"][:first]]
    sections.sort(key=lambda section: not _is_mentioned(section, prompt))
    return [section.replace("{tides}", _build_tide_table(seed)) for section in sections]


def _quote_prompt(prompt: str) -> str:
    words = " ".join(prompt.split())
    if len(words) > MAX_QUOTE_CHARS:
        words = words[:MAX_QUOTE_CHARS].rsplit(" ", 1)[0] + " …"
    safe = MARKUP.sub(r"\\\1", words)
    return f"> {safe}" if safe else "> *(You sent no words, so I chose the subject.)*"


def _is_mentioned(section: str, prompt: str) -> bool:
    heading = set(re.findall(r"\w{4,}", section.splitlines()[0].lower()))
    return bool(heading & set(re.findall(r"\w{4,}", prompt.lower())))


def _build_tide_table(seed: bytes) -> str:
    """Four tides of a day, 6 h 12 min apart. The prompt decides the hour and the heights."""
    rows = ["| Time | Tide | Height | What to do |", "|:-----|:-----|-------:|:-----------|"]
    minutes = 60 + seed[3] % 240
    duties = itertools.cycle(("walk the pools 🦀", "stay off the rocks 🌊"))
    for number, duty in zip(range(4), duties, strict=False):
        at = minutes + 372 * number
        tide, height = ("low", 3) if number % 2 == 0 else ("high", 41)
        height += seed[4 + number] % 9
        rows.append(
            f"| {at // 60 % 24:02d}:{at % 60:02d} | {tide} "
            f"| {height // 10}.{height % 10} m | {duty} |"
        )
    return "\n".join(rows)


def _load_prose() -> dict[str, tuple[str, ...]]:
    """The texts of `prose.md` by kind. A line “%% kind” begins each."""
    source = Path(__file__).with_name("prose.md").read_text(encoding="utf-8")
    _, *split = re.split(r"^%% (\w+)\n", source, flags=re.MULTILINE)
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, text in zip(split[::2], split[1::2], strict=True):
        kinds[kind] = (*kinds.get(kind, ()), text.strip())
    return kinds


PROSE = _load_prose()
