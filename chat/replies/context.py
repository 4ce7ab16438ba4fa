"""Selects what a model is sent: turns of the conversation, and a hint if the last message refers to
the answer before it. Pure functions; `build_context` calls the others.

The budget is the model's context window, not a number of turns:

    window − margin − system prompt and hint − room for the reply = room for the history

The newest turns that fit are sent, but at least the last exchange: a question, its answer, and the
new question. If even that is too long, the provider refuses it in its own words.

Providers cache the beginning of a prompt, so that each request repeats that of the one before it:
what is added comes last, and old turns are left out in large steps instead of one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from chat.replies.followups import is_followup
from chat.replies.tool_turns import pair_calls, write_tools_as_text
from streaming.providers.types import CONTINUE_PROMPT, Turn

DEFAULT_CONTEXT_WINDOW = 128_000
"""Tokens of a model whose window is unknown. All current models of the big providers have more. For
a smaller one at a compatible server, an administrator sets the window."""
MARGIN_SHARE = 0.05
"""The part of the window that stays free, because tokens are only estimated."""
KEPT_SHARE = 2 / 3
"""The part of the room for the history that stays when older turns are left out. Less would forget
more than the window requires, more would change the beginning of the prompt more often."""
DEFAULT_RESERVE_TOKENS = 8_192
"""Tokens for a reply without a limit of its own."""
MAX_RESERVE_SHARE = 0.5
"""The part of the window that a reply can reserve at most."""
FOLLOWUP_RESERVE_FACTOR = 1.5
"""A reply to “in Python instead” is up to this much longer than the one before."""

BYTES_PER_TOKEN = 3
TOKENS_PER_TURN = 4
"""The estimate for the marks that a provider adds around each turn."""

FOLLOWUP_HINT = (
    "The user's last message refers to your previous reply. Apply it to the whole of that reply "
    "and answer with the result."
)


BEGINNING = "…"
"""Stands for the user's first turn where a program's history begins with the assistant: most models
refuse such a history."""


@dataclass(frozen=True, slots=True)
class ContextStats:
    """Stored with the reply, for its details. `tokens` is the estimate of what was sent, `reserve`
    the room left for the reply; `window` is 0 if it is unknown."""

    turns: int
    left_out: int
    refers_back: bool
    tokens: int
    reserve: int
    window: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PromptContext:
    turns: tuple[Turn, ...]
    system: str
    stats: ContextStats


def build_context(
    history: Iterable[Turn],
    *,
    system: str = "",
    context_window: int | None = None,
    max_output: int | None = None,
    max_tokens: int | None = None,
    partial: str = "",
) -> PromptContext:
    """The context for an answer to the last turn of `history`. `max_tokens` is the user's own limit
    of the reply. If `partial` is the beginning of the answer, the model is asked to continue it."""
    turns = normalize_turns(write_tools_as_text(history))
    for_followup = len(turns) > 1 and is_followup(turns[-1].text)
    added = _build_continuation_turns(partial)
    window = context_window or DEFAULT_CONTEXT_WINDOW
    room = int(window * (1 - MARGIN_SHARE)) - estimate_tokens(system)
    usual_reserve = _compute_reserve(turns, False, window, max_output, max_tokens)
    reserve = _compute_reserve(turns, for_followup, window, max_output, max_tokens)
    added_tokens = sum(map(estimate_turn_tokens, added))
    if for_followup:
        added_tokens += estimate_tokens(FOLLOWUP_HINT)
    selected = select_newest_turns(turns, room - usual_reserve, room - reserve - added_tokens)
    stats = ContextStats(
        turns=len(selected) + len(added),
        left_out=len(turns) - len(selected),
        refers_back=for_followup,
        tokens=estimate_tokens(system) + added_tokens + sum(map(estimate_turn_tokens, selected)),
        reserve=reserve,
        window=context_window or 0,
    )
    if for_followup:
        selected = (*selected[:-1], replace(selected[-1], hint=FOLLOWUP_HINT))
    return PromptContext((*selected, *added), system, stats)


def build_exact_context(
    history: Iterable[Turn],
    *,
    system: str = "",
    context_window: int | None = None,
    max_output: int | None = None,
    max_tokens: int | None = None,
    partial: str = "",
) -> PromptContext:
    """The context of a program, which decides itself what the model is sent: all turns, and no
    hint. If they don't fit the window, the provider refuses them in its own words."""
    turns = list(history)
    if next((turn.role for turn in turns if not turn.is_empty), "user") == "assistant":
        turns.insert(0, Turn("user", BEGINNING))
    paired = normalize_turns(pair_calls(normalize_turns(turns)))
    sent = (*paired, *_build_continuation_turns(partial))
    stats = ContextStats(
        turns=len(sent),
        left_out=0,
        refers_back=False,
        tokens=estimate_tokens(system) + sum(map(estimate_turn_tokens, sent)),
        reserve=_compute_reserve(
            sent, False, context_window or DEFAULT_CONTEXT_WINDOW, max_output, max_tokens
        ),
        window=context_window or 0,
    )
    return PromptContext(sent, system, stats)


def normalize_turns(history: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns that every provider accepts: none empty, the user first and last, alternating roles.
    Neighbours of one role, such as two questions around a failed answer, are joined."""
    said = (turn for turn in history if not turn.is_empty)
    runs = [list(run) for _role, run in groupby(said, key=lambda turn: turn.role)]
    if runs and runs[0][0].role == "assistant":
        del runs[0]
    if runs and runs[-1][0].role == "assistant":
        runs.pop()
    return tuple(map(_join_turns, runs))


def _join_turns(turns: Sequence[Turn]) -> Turn:
    """All at once: joined one by one, ten thousand turns would be copied ten thousand times."""
    if len(turns) == 1:
        return turns[0]
    return Turn(
        turns[0].role,
        "\n\n".join(turn.text for turn in turns if turn.text),
        calls=tuple(call for turn in turns for call in turn.calls),
        outputs=tuple(output for turn in turns for output in turn.outputs),
    )


def select_newest_turns(
    turns: Sequence[Turn], usual_tokens: int, available_tokens: int
) -> tuple[Turn, ...]:
    """The turns that fit the tokens of this request. Only `usual_tokens`, which are the same for
    each request of a conversation, decide where the steps are."""
    sizes = [estimate_turn_tokens(turn) for turn in turns]
    first = _find_step(sizes, usual_tokens)
    tokens = sum(sizes[first:])
    while tokens > available_tokens and first < len(turns) - 3:
        tokens -= sum(sizes[first : first + 2])
        first += 2
    return tuple(turns[first:])


def _find_step(sizes: Sequence[int], available_tokens: int) -> int:
    """The position of the first turn that is sent. It follows the conversation from its beginning:
    whenever a question did not fit, so many turns were left out that the rest is `KEPT_SHARE` of
    the available tokens. The same history has the same steps, without a stored state."""
    first = tokens = 0
    for last, size in enumerate(sizes):
        tokens += size
        is_question = last % 2 == 0
        if not is_question or tokens <= available_tokens:
            continue
        while tokens > available_tokens * KEPT_SHARE and first < last - 2:
            tokens -= sum(sizes[first : first + 2])
            first += 2
    return first


def estimate_turn_tokens(turn: Turn) -> int:
    tokens = estimate_tokens(turn.text) + TOKENS_PER_TURN
    if turn.calls or turn.outputs:
        tokens += sum(estimate_tokens(call.name + call.arguments) for call in turn.calls)
        tokens += sum(estimate_tokens(output.text) for output in turn.outputs)
    return tokens


def estimate_tokens(text: str) -> int:
    """A third of the bytes in UTF-8: about right for code and Chinese, too many for English. The
    margin covers denser text, such as long numbers."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def _compute_reserve(
    turns: Sequence[Turn],
    for_followup: bool,
    context_window: int,
    max_output: int | None,
    max_tokens: int | None,
) -> int:
    max_reserve = int(context_window * MAX_RESERVE_SHARE)
    if max_tokens is not None:
        return min(max_tokens, max_reserve)
    reserve = DEFAULT_RESERVE_TOKENS
    if for_followup:
        reserve = max(reserve, int(estimate_turn_tokens(turns[-2]) * FOLLOWUP_RESERVE_FACTOR))
    return min(reserve, max_output or reserve, max_reserve)


def _build_continuation_turns(partial: str) -> tuple[Turn, ...]:
    return (Turn("assistant", partial), Turn("user", CONTINUE_PROMPT)) if partial.strip() else ()
