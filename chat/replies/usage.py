"""The tokens of a reply, and what they cost."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from chat import model_catalog
from chat.models import Message
from streaming.models import Stream
from streaming.providers.catalog.prices import Price
from streaming.providers.types import Usage

MAX_TOKEN_COUNT = 2**31 - 1
COST_PRECISION = Decimal("0.000001")
MAX_COST_DOLLARS = 1_000_000
"""A provider that reports more has miscounted."""


def read_usage(stream: Stream) -> Usage:
    """A value that can't be a token count is ignored."""
    counts = {}
    for field in fields(Usage):
        count = stream.usage.get(field.name)
        if isinstance(count, int) and 0 <= count <= MAX_TOKEN_COUNT:
            counts[field.name] = count
    return Usage(**counts)


def compute_cost(stream: Stream, answer: Message) -> Decimal | None:
    """Dollars for the whole message, earlier streams included. None if a part is unknown: the
    tokens of an attempt that broke off were never reported."""
    has_lost_attempt = stream.attempts > 0 and not stream.upstream_cursor
    earlier_cost = answer.cost if stream.continues_id else Decimal()
    if has_lost_attempt or earlier_cost is None or not stream.usage:
        return None
    price = _find_price(stream, answer)
    cost = price.calculate_cost(read_usage(stream)) if price else None
    if cost is None or earlier_cost + cost >= MAX_COST_DOLLARS:
        return None
    return (earlier_cost + cost).quantize(COST_PRECISION)


def compute_cache_savings(stream: Stream, answer: Message) -> Decimal | None:
    """Dollars that the tokens from the provider's cache cost less in this stream; None if that is
    unknown, or too little to show."""
    counted = read_usage(stream)
    price = _find_price(stream, answer) if counted.cached else None
    saved = price.calculate_savings(counted) if price else None
    if saved is None or saved >= MAX_COST_DOLLARS:
        return None
    return saved.quantize(COST_PRECISION) or None


def _find_price(stream: Stream, answer: Message) -> Price | None:
    models = model_catalog.load_models(stream.owner)
    model = model_catalog.find_model(models, answer.model, answer.provider)
    return model.price if model else None
