"""Adds to the ledger, and reads a person's month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db.models import F, QuerySet, Sum

from accounts.ledger.models import LedgerEntry

COST_PRECISION = Decimal("0.000001")
MAX_COST_DOLLARS = 1_000_000
"""Of one reply. More is a mistake of the provider, and counts as unknown."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """The use of one reply or one title. `output_tokens` include the reasoning, `input_tokens` the
    cached ones. Without a known price, `cost` is None."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost: Decimal | None = None
    is_estimated: bool = False
    is_title: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """A person’s use of a connection in a month."""

    tokens: int = 0
    dollars: Decimal = Decimal()


def get_current_month() -> date:
    """Its first day, in UTC: the same for every person and process."""
    return datetime.now(UTC).date().replace(day=1)


def get_next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def add_consumption(
    user_id: int, connection_id: int, provider: str, model: str, used: Consumption
) -> None:
    """Add it to the entry of this month. Call it last in the transaction that ends the stream:
    other endings of the person wait for it.

    The database adds, so endings at the same time all count.
    """
    place = {
        "user_id": user_id,
        "month": get_current_month(),
        "connection_id": connection_id,
        "provider": provider,
        "model": model,
    }
    entries = LedgerEntry.objects.filter(**place)
    if not _add_to(entries, used):
        LedgerEntry.objects.bulk_create([LedgerEntry(**place)], ignore_conflicts=True)
        _add_to(entries, used)


def _add_to(entries: QuerySet[LedgerEntry], used: Consumption) -> int:
    is_priced = used.cost is not None and used.cost < MAX_COST_DOLLARS
    added: dict[str, int | Decimal] = {
        "titles" if used.is_title else "replies": 1,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "reasoning_tokens": used.reasoning_tokens,
        "cached_tokens": used.cached_tokens,
        "cost": (used.cost or Decimal()).quantize(COST_PRECISION) if is_priced else Decimal(),
        "estimated": int(used.is_estimated),
        "unpriced": int(not is_priced),
    }
    return entries.update(**{name: F(name) + count for name, count in added.items() if count})


def read_total(user_id: int, connection_id: int) -> Total:
    """Of this month."""
    entries = LedgerEntry.objects.filter(
        user_id=user_id, connection_id=connection_id, month=get_current_month()
    )
    sums = entries.aggregate(
        input=Sum("input_tokens"), output=Sum("output_tokens"), dollars=Sum("cost")
    )
    tokens = (sums["input"] or 0) + (sums["output"] or 0)
    return Total(tokens, sums["dollars"] or Decimal())
