"""What a model is sent: which turns of the conversation, how much room for the reply, and a hint
where the last message is about the one before. Pure functions; `plan` is the whole of it.

The budget is the model's window and not a number of turns:

    window − margin − system prompt and hint − room for the reply = room for the history

The newest turns that fit are sent, and never fewer than the last exchange: a question, its answer,
and the new question. What does not fit even so is the provider's to refuse, in its own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chat.followups import refers_back
from streaming.providers.types import CONTINUE_PROMPT, Turn

DEFAULT_WINDOW = 128_000
"""Tokens, where nobody knows the model's window: less than any current model of the big providers
has. For a smaller one at a compatible server the administrator sets it."""
MARGIN = 0.05
"""The part of the window that is left alone, because tokens are only estimated."""
RESERVE = 8_192
"""Tokens kept free for a reply of which nobody said how long it may become."""
LARGEST_RESERVE = 0.5
"""The part of the window that the reply may keep from the history, whatever was asked for."""
LIKE_BEFORE = 1.5
"""A reply to “in Python instead” is about as long as the one before, or half as long again."""

BYTES_PER_TOKEN = 3
TURN_TOKENS = 4
"""What a provider adds around each turn."""

HINT = (
    "The user's last message refers to your previous reply. Apply it to the whole of that reply "
    "and answer with the result."
)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, to be kept with the reply and shown to whoever looks into it.

    `turns` were sent and `left_out` were not; `tokens` is the estimate of what was sent, and
    `reserve` what was kept free for the reply. `window` is 0 where it is unknown.
    """

    turns: int
    left_out: int
    refers_back: bool
    tokens: int
    reserve: int
    window: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of a request that is the conversation's."""

    turns: tuple[Turn, ...]
    system: str
    decided: Decided


def plan(
    history: Iterable[Turn],
    *,
    system: str = "",
    window: int | None = None,
    max_output: int | None = None,
    max_tokens: int | None = None,
    partial: str = "",
) -> Plan:
    """What to send for an answer to the last turn of `history`.

    `max_tokens` is the user's own limit: it is the reply's room, and nothing here lowers it.
    With `partial`, the text so far of this very answer, the model is asked to go on after it.
    """
    turns = normalised(history)
    back = len(turns) > 1 and refers_back(turns[-1].text)
    hinted = "\n\n".join(part for part in (system, HINT) if part) if back else system
    added = _going_on(partial)
    limit = window or DEFAULT_WINDOW
    reserve = _reserve(turns, back, limit, max_output, max_tokens)
    fixed = tokens(hinted) + sum(map(cost, added))
    room = int(limit * (1 - MARGIN)) - reserve - fixed
    kept = newest(turns, room)
    decided = Decided(
        turns=len(kept) + len(added),
        left_out=len(turns) - len(kept),
        refers_back=back,
        tokens=fixed + sum(map(cost, kept)),
        reserve=reserve,
        window=window or 0,
    )
    return Plan((*kept, *added), hinted, decided)


def normalised(history: Iterable[Turn]) -> tuple[Turn, ...]:
    """The same turns as every provider takes them: none empty, the user first and last, and
    both by turns. Neighbours of one role, as around an answer that never came, become one."""
    turns: list[Turn] = []
    for turn in history:
        if not turn.text.strip() or (not turns and turn.role == "assistant"):
            continue
        if turns and turns[-1].role == turn.role:
            turn = Turn(turn.role, f"{turns.pop().text}\n\n{turn.text}")
        turns.append(turn)
    if turns and turns[-1].role == "assistant":
        turns.pop()
    return tuple(turns)


def newest(turns: Sequence[Turn], room: int) -> tuple[Turn, ...]:
    """The last turns that fit, by whole exchanges, and at least the last one."""
    first = max(len(turns) - 3, 0)
    room -= sum(map(cost, turns[first:]))
    while first >= 2 and (room := room - sum(map(cost, turns[first - 2 : first]))) >= 0:
        first -= 2
    return tuple(turns[first:])


def cost(turn: Turn) -> int:
    return tokens(turn.text) + TURN_TOKENS


def tokens(text: str) -> int:
    """How many tokens a text is at most, roughly, for any tokenizer: a third of its bytes in
    UTF-8. That is a third too many for English, and about right for code and for Chinese; what
    is denser, as long numbers and random letters are, is what the margin is for."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def _reserve(
    turns: Sequence[Turn],
    back: bool,
    window: int,
    max_output: int | None,
    max_tokens: int | None,
) -> int:
    most = int(window * LARGEST_RESERVE)
    if max_tokens is not None:
        return min(max_tokens, most)
    reserve = RESERVE
    if back:
        reserve = max(reserve, int(cost(turns[-2]) * LIKE_BEFORE))
    return min(reserve, max_output or reserve, most)


def _going_on(partial: str) -> tuple[Turn, ...]:
    return (Turn("assistant", partial), Turn("user", CONTINUE_PROMPT)) if partial.strip() else ()
