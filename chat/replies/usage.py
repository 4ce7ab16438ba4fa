"""The tokens of a reply, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

from accounts.ledger.counting import COST_PRECISION, MAX_COST_DOLLARS
from chat import model_catalog
from chat.models import Message
from streaming.models import Stream
from streaming.providers.catalog import DEMO_PROVIDER, Model
from streaming.providers.catalog.prices import Price
from streaming.providers.types import Usage

MAX_TOKEN_COUNT = 2**31 - 1


def read_usage(stream: Stream) -> Usage:
    """A value that can't be a token count is ignored."""
    counts = {}
    for field in fields(Usage):
        count = stream.usage.get(field.name)
        if isinstance(count, int) and 0 <= count <= MAX_TOKEN_COUNT:
            counts[field.name] = count
    return Usage(**counts)


@dataclass(frozen=True, slots=True)
class ReplyCost:
    """Dollars; None is unknown. `total` is that of the whole message, earlier streams included.
    `cache_savings` are what the tokens from the provider's cache cost less in this stream, None
    also if that is too little to show."""

    total: Decimal | None
    cache_savings: Decimal | None


def compute_cost(stream: Stream, answer: Message, price: Price | None) -> ReplyCost:
    counted = read_usage(stream)
    return ReplyCost(
        _compute_total(stream, answer, price, counted), _compute_cache_savings(price, counted)
    )


def _compute_total(
    stream: Stream, answer: Message, price: Price | None, counted: Usage
) -> Decimal | None:
    """None if a part is unknown: the tokens of an attempt that broke off were never reported."""
    has_lost_attempt = stream.attempts > 0 and not stream.upstream_cursor
    earlier_cost = answer.cost if stream.continues_id else Decimal()
    cost = price.calculate_cost(counted) if price else None
    if has_lost_attempt or earlier_cost is None or cost is None:
        return None
    total = earlier_cost + cost
    return total.quantize(COST_PRECISION) if total < MAX_COST_DOLLARS else None


def _compute_cache_savings(price: Price | None, counted: Usage) -> Decimal | None:
    saved = price.calculate_savings(counted) if price and counted.cached else None
    if saved is None or saved >= MAX_COST_DOLLARS:
        return None
    return saved.quantize(COST_PRECISION) or None


def find_stream_model(stream: Stream, answer: Message | None = None) -> Model | None:
    """The model of an ended stream, as its owner's catalog describes it now. `answer` is that of a
    reply; its model may be hidden or gone. The demo costs nothing, and is not looked up."""
    name, provider = stream.arguments.get("model", ""), stream.arguments.get("provider", "")
    if answer is not None:
        name, provider = answer.model, answer.provider
    if provider == DEMO_PROVIDER or not name:
        return None
    return model_catalog.find_model(model_catalog.load_models(stream.owner), name, provider)
