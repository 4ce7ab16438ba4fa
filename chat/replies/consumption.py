"""The consumption of a stream, for the ledger: as the provider counted it, or else estimated.

Estimated are the tokens of a reply that was stopped or broke off, and those of an attempt whose
worker died. The prompt is estimated as for the context, the output from the text that was written.
Nothing is counted if no provider was called, or if it refused the request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.ledger.counting import Consumption, add_consumption
from accounts.ledger.models import OWN_KEY
from chat.replies.context import estimate_tokens, estimate_turn_tokens
from chat.replies.stream_facts import save_facts
from chat.replies.usage import read_usage
from streaming.events import StreamText
from streaming.models import State, Stream
from streaming.providers.catalog import DEMO_PROVIDER, Model
from streaming.providers.catalog.prices import Price
from streaming.providers.tools import parse_calls
from streaming.providers.types import Request, Usage

CALL = "call"
"""The argument of a stream that describes its call of a provider."""
CONTINUED_CHARS = "continued_chars"
"""The argument with the lengths of content and reasoning that a continued stream begins with."""


@dataclass(frozen=True, slots=True)
class Call:
    """A stream's call of a provider. The earlier tokens are the prompts of attempts whose workers
    died, so that the provider reported no usage, and what they wrote."""

    connection_id: int = OWN_KEY
    prompt_tokens: int = 0
    earlier_tokens: int = 0
    earlier_output_tokens: int = 0

    @classmethod
    def from_stream(cls, stream: Stream) -> Call | None:
        """None if no provider was called. Processes of the version before store no call."""
        stored = stream.arguments.get(CALL)
        if stored is None:
            was_called = bool(stream.usage) or stream.first_chunk_at is not None
            return cls() if was_called else None
        output = stored.get("earlier_output", 0)  # the version before did not store it
        return cls(stored["connection"], stored["prompt"], stored["earlier"], output)


def save_call(stream: Stream, request: Request, connection_id: int, text: StreamText) -> None:
    """Store that the provider is about to be called. A worker that takes over calls again, unless
    it continues from the provider's copy. `text` is what the stream has so far."""
    before: dict[str, Any] = stream.arguments.get(CALL) or {}
    earlier: int = before.get("earlier", 0)
    earlier_output: int = before.get("earlier_output", 0)
    if before and before["epoch"] != stream.epoch and not stream.upstream_cursor:
        earlier += before["prompt"]
        earlier_output = estimate_tokens(_select_own_text(stream, text))
    prompt = estimate_tokens(request.system) + sum(map(estimate_turn_tokens, request.turns))
    if request.tools:
        prompt += estimate_tokens(json.dumps(request.tools.to_json()))
    call = {
        "connection": connection_id,
        "prompt": prompt,
        "earlier": earlier,
        "earlier_output": earlier_output,
        "epoch": stream.epoch,
    }
    save_facts(stream, **{CALL: call})


def count_continued_chars(content: str, reasoning: str) -> dict[str, list[int]]:
    """For the arguments of a stream that continues this text."""
    return {CONTINUED_CHARS: [len(content), len(reasoning)]}


def record_consumption(
    stream: Stream, model: Model | None, text: StreamText, *, is_title: bool = False
) -> None:
    """Add to the ledger what the stream used, in the transaction that ends it. `text` is all of its
    text, the continued one included."""
    call = Call.from_stream(stream)
    name, provider = stream.arguments.get("model", ""), stream.arguments.get("provider", "")
    if model is not None:
        name, provider = model.id, model.provider
    if call is None or not name or provider == DEMO_PROVIDER:
        return
    used = measure(stream, call, text, model.price if model else None, is_title=is_title)
    if used is not None:
        add_consumption(stream.owner_id, call.connection_id, provider, name, used)


def measure(
    stream: Stream, call: Call, text: StreamText, price: Price | None, *, is_title: bool = False
) -> Consumption | None:
    """None if the provider refused the request, which costs nothing."""
    counted = read_usage(stream)
    is_counted = counted.input is not None or counted.output is not None
    own = _select_own_text(stream, text)
    if not is_counted and not own and not call.earlier_tokens and stream.state == State.FAILED:
        return None
    prompt = call.prompt_tokens if counted.input is None else counted.input
    output = estimate_tokens(own) if counted.output is None else counted.output
    if counted.output is not None:
        output += call.earlier_output_tokens
    prompt += call.earlier_tokens
    usage = Usage(prompt, output, counted.reasoning, counted.cached, counted.cache_written)
    return Consumption(
        input_tokens=prompt,
        output_tokens=output,
        reasoning_tokens=counted.reasoning or 0,
        cached_tokens=counted.cached or 0,
        cost=_compute_cost(price, usage),
        is_estimated=counted.input is None or counted.output is None or call.earlier_tokens > 0,
        is_title=is_title,
    )


def _compute_cost(price: Price | None, usage: Usage) -> Decimal | None:
    return price.calculate_cost(usage) if price else None


def _select_own_text(stream: Stream, text: StreamText) -> str:
    """The text, reasoning and tool calls that this stream has written itself. The state of a call
    is left out: it repeats reasoning."""
    content_chars, reasoning_chars = _read_continued_chars(stream, text)
    calls = "".join(call.name + call.arguments for call in parse_calls(text.calls))
    return text.content[content_chars:] + text.reasoning[reasoning_chars:] + calls


def _read_continued_chars(stream: Stream, text: StreamText) -> tuple[int, int]:
    if not stream.continues_id:
        return 0, 0
    stored = stream.arguments.get(CONTINUED_CHARS)
    if stored is None:  # an older process queued it
        return (text.seams[0] if text.seams else 0), len(text.reasoning)
    return stored[0], stored[1]
