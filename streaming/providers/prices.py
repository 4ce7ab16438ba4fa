"""What tokens cost, and how much text a model takes: numbers from the package `genai-prices`.

They stand in `prices.json`, which `make prices` writes from the release that the development lock
pins. The package itself takes two seconds and 60 MB to load, and is not needed to run.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from .base import Usage

MILLION = 1_000_000
SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{3})\Z")

Rate = tuple[tuple[int, Decimal], ...]
"""Dollars for a million tokens, by how long the prompt is: of the last step whose number of tokens
the prompt exceeds, for all of its tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost from a day on. Without `cached` those are billed as any other."""

    input: Rate
    output: Rate
    cached: Rate = ()
    since: date = date.min

    @classmethod
    def flat(cls, input: Decimal, output: Decimal) -> "Price":
        """The same for every prompt: dollars for a million tokens."""
        return cls(((0, input),), ((0, output),))

    def cost(self, usage: Usage) -> Decimal | None:
        """Dollars for one reply; None if the provider did not count its tokens.

        `usage.input` includes the cached tokens, and `usage.output` the reasoning.
        """
        if usage.input is None or usage.output is None:
            return None
        cached = max(0, min(usage.cached or 0, usage.input))
        parts = (
            (usage.input - cached, self.input),
            (cached, self.cached or self.input),
            (usage.output, self.output),
        )
        return sum((count * at(rate, usage.input) for count, rate in parts), Decimal()) / MILLION


def at(rate: Rate, prompt: int) -> Decimal:
    """The step of a rate that holds for a prompt of so many tokens."""
    return next((dollars for above, dollars in reversed(rate) if prompt > above), rate[0][1])


@dataclass(frozen=True, slots=True)
class Known:
    """What the table tells of a model; a window that is None and no prices are unknown."""

    window: int | None = None
    prices: tuple[Price, ...] = ()


def known(provider: str, model_id: str) -> Known:
    """What is known of a provider's model, or of the model that it is a dated snapshot of."""
    models = _table().get(provider, {})
    return models.get(model_id) or models.get(SNAPSHOT.sub("", model_id)) or Known()


@cache
def _table() -> dict[str, dict[str, Known]]:
    written = json.loads(Path(__file__).with_name("prices.json").read_text())
    return {
        provider: {model_id: _known(entry) for model_id, entry in models.items()}
        for provider, models in written["models"].items()
    }


def _known(entry: dict[str, Any]) -> Known:
    return Known(entry.get("window"), tuple(_price(price) for price in entry.get("prices", ())))


def _price(entry: dict[str, Any]) -> Price:
    return Price(
        input=_rate(entry["input"]),
        output=_rate(entry["output"]),
        cached=_rate(entry.get("cached", [])),
        since=date.fromisoformat(entry["since"]) if "since" in entry else date.min,
    )


def _rate(steps: list[Any]) -> Rate:
    return tuple((above, Decimal(dollars)) for above, dollars in steps)
