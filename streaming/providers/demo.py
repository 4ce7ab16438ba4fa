"""A model that needs no key: the same words for the same prompt, at three steady speeds.

It is what a fresh installation talks to, and what tests and demonstrations reload in the middle
of: at the middle speed a reply takes more than a minute. Everything behind it is the real path.
"""

import asyncio
import hashlib
import itertools
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from . import errors
from .base import (
    CONTINUE_PROMPT,
    Delta,
    Finish,
    FinishReason,
    ModelInfo,
    ReplyEvent,
    Request,
    Turn,
    sanitize_events,
)

STORM_MODEL = "demo-storm"
"""As the demo; the sockets that follow it are dropped again and again, and nobody can tell."""
TOKENS_PER_SECOND = {"demo": 12.0, "demo-slow": 4.0, "demo-fast": 400.0, STORM_MODEL: 12.0}

MAX_SEED_CHARS = 1_000
"""Characters of a prompt that decide what is said. It is looked at on the loop that all streams of
a worker share, so it must not take longer for a longer prompt."""
CHARS_PER_TOKEN = 4
"""How long requests are counted; short ones are counted word by word."""
MAX_QUOTE_CHARS = 160  # Characters of the prompt that are quoted back.
TOKEN = re.compile(r"\s*\S{1,6}|\s+\Z")
SHORTER = re.compile(r"\b(short|shorter|brief|briefly|quick|tl;?dr)\b", re.IGNORECASE)
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@/$=^\"'])")


class DemoAdapter:
    """The adapter. It takes any key and looks at none."""

    def stream(self, request: Request, key: str) -> AsyncGenerator[ReplyEvent, None]:
        """Stream one reply; raises `errors.ModelNotFound` for a model that is not its own."""
        return sanitize_events(_stream_reply(request))

    async def list_models(self, key: str) -> tuple[ModelInfo, ...]:
        """Its models, one for each speed."""
        return tuple(ModelInfo(model, lifecycle="active") for model in TOKENS_PER_SECOND)


async def _stream_reply(request: Request) -> AsyncGenerator[ReplyEvent, None]:
    speed = TOKENS_PER_SECOND.get(request.model)
    if speed is None:
        raise errors.ModelNotFound(provider="The demo")
    clock = asyncio.get_running_loop().time
    start = clock()
    words = _split_tokens_cached(compose_remainder(request.turns))
    shown = words[: request.max_tokens]
    for number, word in enumerate(shown, start=1):
        # Against a schedule, so that lateness does not add up. Sleeps even when late: others
        # share the loop.
        await asyncio.sleep(max(0.0, start + number / speed - clock()))
        yield Delta(word)
    asked = _count_tokens([request.system, *(turn.text for turn in request.turns)])
    reason: FinishReason = "stop" if len(shown) == len(words) else "length"
    yield Finish(reason, {"input": asked, "output": len(shown)})


def split_tokens(text: str) -> list[str]:
    """The pieces a reply comes in; joined they are the text, byte for byte."""
    return TOKEN.findall(text)


@lru_cache(maxsize=64)
def _split_tokens_cached(text: str) -> list[str]:
    return split_tokens(text)


def _count_tokens(texts: Sequence[str]) -> int:
    """How many tokens a request has: exactly where it is short, and otherwise about."""
    characters = sum(map(len, texts))
    if characters > 10 * MAX_SEED_CHARS:
        return characters // CHARS_PER_TOKEN
    return sum(len(split_tokens(text)) for text in texts)


def compose_remainder(turns: Iterable[Turn]) -> str:
    """What is still to be said: all of it, or what follows the partial that we carry on from."""
    prompt, partial = _prompt_and_partial(turns)
    whole = compose_reply(prompt)
    if whole.startswith(partial):
        return whole[len(partial) :]
    return f"\n\n{whole}"  # Someone else's beginning has no end of ours.


def _prompt_and_partial(turns: Iterable[Turn]) -> tuple[str, str]:
    """The last prompt a person wrote, and what was already answered to it."""
    prompt, partial = "", ""
    for turn in turns:
        if turn.role == "assistant":
            partial += turn.text
        elif turn.text != CONTINUE_PROMPT:
            prompt, partial = turn.text, ""
    return prompt, partial


def compose_reply(prompt: str) -> str:
    """The whole reply to a prompt: Markdown of every common kind, the same every time. Prompts that
    begin alike for LOOKED_AT characters and are equally long have the same."""
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
    """All sections, each prompt's in its own order, what it names at the front."""
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
    """Whether the prompt names something of this section's heading, which then comes first."""
    heading = set(re.findall(r"\w{4,}", section.splitlines()[0].lower()))
    return bool(heading & set(re.findall(r"\w{4,}", prompt.lower())))


def _build_tide_table(seed: bytes) -> str:
    """Four tides of a day, 6 h 12 min apart, from an hour and heights that the prompt decides."""
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
    """The texts of `demo.md` by kind, which a line of “%% kind” opens."""
    source = Path(__file__).with_name("demo.md").read_text(encoding="utf-8")
    _, *split = re.split(r"^%% (\w+)\n", source, flags=re.MULTILINE)
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, text in zip(split[::2], split[1::2], strict=True):
        kinds[kind] = (*kinds.get(kind, ()), text.strip())
    return kinds


PROSE = _load_prose()
