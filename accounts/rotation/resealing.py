"""Re-seals everything with the newest master key, while people use the installation.

Each row is one short transaction: it is locked, read again, and written if an older master key has
sealed it. A value that was replaced meanwhile is left alone. Whatever moment the process dies at,
each row is as before or re-sealed, so running it again completes the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from accounts.rotation.interruption import Interruption
from accounts.rotation.registry import SealedValue
from accounts.sealing import SealBroken, open_sealed, seal_secret

IDS_PER_QUERY = 500
UNREADABLE = "?"
"""Stands for the id of a master key in a value that is no sealed one."""


@dataclass(slots=True)
class BrokenValue:
    """A value that can't be opened. `master_key_id` is that which its row names."""

    row_id: object
    master_key_id: str


@dataclass(slots=True)
class Resealed:
    """The result for one kind of value."""

    value: SealedValue
    resealed: int = 0
    current: int = 0
    """Sealed with the newest master key already, or replaced meanwhile."""
    broken: list[BrokenValue] = field(default_factory=list)


def reseal_all(result: Resealed, interruption: Interruption) -> None:
    """Count in `result`. Raises RotationInterrupted, between two rows."""
    for row_id in _list_ids(result.value):
        interruption.check()
        _reseal_row(result.value, row_id, result)


def count_master_keys(value: SealedValue) -> Counter[str]:
    """How many values each master key seals now."""
    counts: Counter[str] = Counter()
    for row in value.list_rows().only("pk", *value.field.columns).iterator():
        try:
            sealed = value.field.read(row)
        except SealBroken:
            counts[UNREADABLE] += 1
        else:
            if sealed:
                counts[sealed.master_key_id] += 1
    return counts


def _list_ids(value: SealedValue) -> Iterator[object]:
    """No query stays open between two rows. New rows need no turn: the newest key seals them."""
    last: object = None
    while True:
        rows = value.list_rows().order_by("pk")
        rows = rows.filter(pk__gt=last) if last is not None else rows
        ids = list(rows.values_list("pk", flat=True)[:IDS_PER_QUERY])
        yield from ids
        if len(ids) < IDS_PER_QUERY:
            return
        last = ids[-1]


def _reseal_row(value: SealedValue, row_id: object, result: Resealed) -> None:
    newest = next(iter(settings.MASTER_KEYS))
    with transaction.atomic():
        rows = value.list_rows().select_for_update(of=("self",), no_key=True).filter(pk=row_id)
        row = rows.first()
        if row is None:
            return  # deleted meanwhile
        master_key_id = UNREADABLE
        try:
            sealed = value.field.read(row)
            if sealed is None:
                return
            master_key_id = sealed.master_key_id
            context = value.get_context(row)
            secret = open_sealed(sealed, *context)
        except SealBroken:
            result.broken.append(BrokenValue(row_id, master_key_id))
            return
        if master_key_id == newest:
            result.current += 1
            return
        value.field.write(row, seal_secret(secret, *context))
        row.save(update_fields=value.field.columns)
    result.resealed += 1
