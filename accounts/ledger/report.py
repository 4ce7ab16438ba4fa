"""The usage of people as administrators see it: sums over the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.connections.models import Connection
from accounts.ledger.counting import COST_PRECISION
from accounts.ledger.models import OWN_KEY, LedgerEntry
from streaming.storable_text import replace_unstorable

GROUPINGS = {
    "all": (
        gettext_lazy("Everything"),
        ("month", "user__email", "connection_id", "provider", "model"),
    ),
    "month": (gettext_lazy("Months"), ("month",)),
    "person": (gettext_lazy("People"), ("user__email",)),
    "key": (gettext_lazy("Keys"), ("connection_id", "provider")),
    "model": (gettext_lazy("Models"), ("provider", "model")),
}
"""Each way to sum up, with its label and the columns that remain."""

COLUMN_LABELS = {
    "month": gettext_lazy("Month"),
    "user__email": gettext_lazy("Person"),
    "connection_id": gettext_lazy("Key"),
    "provider": gettext_lazy("Provider"),
    "model": gettext_lazy("Model"),
}
SHARES = ("estimated", "unpriced")
"""Columns that the report shows in percent of the replies and titles."""
SUMS = {
    name: Sum(name, default=0)
    for name in ("replies", "titles", "input_tokens", "output_tokens", "estimated", "unpriced")
} | {"dollars": Sum("cost", default=Decimal())}
SUM_LABELS = {
    "replies": gettext_lazy("Replies"),
    "titles": gettext_lazy("Titles"),
    "input_tokens": gettext_lazy("Input tokens"),
    "output_tokens": gettext_lazy("Output tokens"),
    "dollars": gettext_lazy("Dollars"),
    "estimated": gettext_lazy("Estimated, %"),
    "unpriced": gettext_lazy("Without a price, %"),
}


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """`month` is its first day, or None for all; `person` a part of an address, or empty;
    `grouping` a key of GROUPINGS."""

    month: date | None = None
    person: str = ""
    grouping: str = "all"

    @property
    def columns(self) -> tuple[str, ...]:
        return GROUPINGS[self.grouping][1]

    def select(self) -> QuerySet[LedgerEntry]:
        chosen = Q(user__email__icontains=self.person) if self.person else Q()
        if self.month:
            chosen &= Q(month=self.month)
        return LedgerEntry.objects.filter(chosen).order_by()


def read_filter(values: Any) -> UsageFilter:
    """From the fields of a form. Unknown values count as none."""
    try:
        month = date.fromisoformat(f"{values.get('month', '')}-01")
    except ValueError:
        month = None
    person = replace_unstorable(values.get("person", "")).strip()[:254]
    grouping = values.get("by", "all")
    return UsageFilter(month, person, grouping if grouping in GROUPINGS else "all")


def list_months() -> list[date]:
    months = LedgerEntry.objects.order_by("-month").values_list("month", flat=True)
    return list(months.distinct())


def sum_rows(chosen: UsageFilter, limit: int) -> list[list[Any]]:
    """The newest month first, then the highest cost. Each row has the cells of the columns, then
    those of the sums."""
    rows = chosen.select().values(*chosen.columns).annotate(**SUMS)
    by_month = ("-month",) if "month" in chosen.columns else ()
    ordered = rows.order_by(*by_month, "-dollars", "-output_tokens", *chosen.columns)[:limit]
    names = dict(Connection.objects.values_list("pk", "name"))
    return [
        [*(_describe(name, row[name], names) for name in chosen.columns), *_list_sums(row)]
        for row in ordered
    ]


def sum_all(chosen: UsageFilter) -> list[Any]:
    return _list_sums(chosen.select().aggregate(**SUMS))


def _describe(column: str, value: Any, names: dict[int, str]) -> str:
    if column == "month":
        return f"{value:%Y-%m}"
    if column != "connection_id":
        return str(value or "")
    if value == OWN_KEY:
        return _("own key, or none")
    return names.get(value) or _("deleted connection %(id)s") % {"id": value}


def _list_sums(row: dict[str, Any]) -> list[Any]:
    used = row["replies"] + row["titles"]
    shares = {name: round(100 * row[name] / used) if used else 0 for name in SHARES}
    dollars = row["dollars"].quantize(COST_PRECISION)  # SQLite knows no decimals
    return [(row | shares | {"dollars": dollars})[name] for name in SUM_LABELS]
