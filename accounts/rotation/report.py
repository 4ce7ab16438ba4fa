"""The output of `manage.py rotate_keys`. It names rows by their ids and master keys by theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from django.conf import settings

from accounts.rotation.resealing import UNREADABLE, Resealed

MAX_NAMED_ROWS = 20


def describe_result(result: Resealed) -> Iterator[str]:
    yield (
        f"{result.value.name}: {result.resealed} re-sealed, {result.current} had the newest master "
        f"key already, {len(result.broken)} can't be opened."
    )
    for broken in result.broken[:MAX_NAMED_ROWS]:
        yield f"  Row {broken.row_id}: {_describe_reason(broken.master_key_id)}"
    if len(result.broken) > MAX_NAMED_ROWS:
        yield f"  … and {len(result.broken) - MAX_NAMED_ROWS} more."


def _describe_reason(master_key_id: str) -> str:
    if master_key_id == UNREADABLE:
        return "the value is damaged."
    if master_key_id not in settings.MASTER_KEYS:
        return f"its master key “{master_key_id}” is missing from MASTER_KEYS."
    return "the row was moved or changed."


def describe_master_keys(counts: Counter[str]) -> Iterator[str]:
    """Which old master keys MASTER_KEYS can do without."""
    newest, *old = settings.MASTER_KEYS
    for id in old:
        if counts[id]:
            yield f"Keep the master key “{id}”: it seals {counts[id]} values. Run this again."
        else:
            yield (
                f"No value needs the master key “{id}”. Remove it from MASTER_KEYS once every "
                f"process runs with “{newest}” first, and this command has said so again."
            )
    if not old:
        yield f"“{newest}” is the only master key."


def advise_about_broken(results: Iterable[Resealed]) -> str:
    """Empty if everything could be opened."""
    broken = [row for result in results for row in result.broken]
    if not broken:
        return ""
    missing = {row.master_key_id for row in broken} - {UNREADABLE, *settings.MASTER_KEYS}
    advice = (
        f"Put the missing master key ({', '.join(sorted(missing))}) into MASTER_KEYS and run this "
        "again, or let the owners enter these values again."
        if missing
        else "Their owners have to enter these values again."
    )
    return f"{len(broken)} values can't be opened. {advice}"
