"""Prices of tokens, and the context windows of models, from the package `genai-prices`.

`make prices` writes them to `prices.json`, from the release that the development lock pins. The
package itself takes two seconds and 60 MB to load, and is not needed to run.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from streaming.providers.types import Usage

MILLION = 1_000_000
SNAPSHOT_SUFFIX = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{3})\Z")

Rate = tuple[tuple[int, Decimal], ...]
"""A tiered price in US dollars per million tokens, as `((threshold, price), …)`. The highest
threshold below the prompt's length sets the price of all its tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model's tokens from a day on. Without `cached`, cached tokens cost the same as
    others, and without `cache_written` those that are added to the cache do."""

    input: Rate
    output: Rate
    cached: Rate = ()
    cache_written: Rate = ()
    since: date = date.min

    @classmethod
    def from_flat_rates(cls, input: Decimal, output: Decimal) -> Price:
        return cls(((0, input),), ((0, output),))

    def calculate_cost(self, usage: Usage) -> Decimal | None:
        """Dollars for one reply; None if the provider did not count its tokens.

        `usage.input` includes the cached tokens, and `usage.output` the reasoning.
        """
        if usage.input is None or usage.output is None:
            return None
        cached = _limit_count(usage.cached, usage.input)
        written = _limit_count(usage.cache_written, usage.input - cached)
        parts = (
            (usage.input - cached - written, self.input),
            (cached, self.cached or self.input),
            (written, self.cache_written or self.input),
            (usage.output, self.output),
        )
        return (
            sum((count * price_for(rate, usage.input) for count, rate in parts), Decimal())
            / MILLION
        )

    def calculate_savings(self, usage: Usage) -> Decimal | None:
        """Dollars that the cached tokens cost less than others; None if they are unknown or save
        nothing."""
        if usage.input is None or not self.cached:
            return None
        difference = price_for(self.input, usage.input) - price_for(self.cached, usage.input)
        saved = _limit_count(usage.cached, usage.input) * difference / MILLION
        return saved if saved > 0 else None


def _limit_count(count: int | None, total: int) -> int:
    """A part of `total` tokens, as far as it can be one."""
    return max(0, min(count or 0, total))


def price_for(rate: Rate, prompt_tokens: int) -> Decimal:
    """In US dollars per million tokens."""
    return next((dollars for above, dollars in reversed(rate) if prompt_tokens > above), rate[0][1])


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts about a model from the table. None and an empty tuple mean that they are unknown."""

    context_window: int | None = None
    prices: tuple[Price, ...] = ()


def lookup_facts(provider: str, model_id: str) -> ModelFacts:
    """A dated snapshot has the facts of its model."""
    models = _load_table().get(provider, {})
    return models.get(model_id) or models.get(SNAPSHOT_SUFFIX.sub("", model_id)) or ModelFacts()


@cache
def _load_table() -> dict[str, dict[str, ModelFacts]]:
    written = json.loads(Path(__file__).with_name("prices.json").read_text())
    return {
        provider: {model_id: _parse_facts(entry) for model_id, entry in models.items()}
        for provider, models in written["models"].items()
    }


def _parse_facts(entry: dict[str, Any]) -> ModelFacts:
    return ModelFacts(
        entry.get("window"), tuple(_parse_price(price) for price in entry.get("prices", ()))
    )


def _parse_price(entry: dict[str, Any]) -> Price:
    return Price(
        input=_parse_rate(entry["input"]),
        output=_parse_rate(entry["output"]),
        cached=_parse_rate(entry.get("cached", [])),
        cache_written=_parse_rate(entry.get("cache_written", [])),
        since=date.fromisoformat(entry["since"]) if "since" in entry else date.min,
    )


def _parse_rate(steps: list[Any]) -> Rate:
    return tuple((above, Decimal(dollars)) for above, dollars in steps)
