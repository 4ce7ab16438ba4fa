"""Writes audit events as lines of JSON, or as a table for spreadsheets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import IO, Any

from accounts.audit.models import AuditEvent

FORMATS = ("jsonl", "csv")
COLUMNS = ("id", "time", "kind", "account", "actor", "ip", "facts")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_events(events: Iterable[AuditEvent], format: str, file: IO[str]) -> int:
    """Return the number of events. `format` is one of FORMATS."""
    write = _write_lines if format == "jsonl" else _write_table
    return write(map(_to_row, events), file)


def _to_row(event: AuditEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "time": event.created_at.isoformat(),
        "kind": event.kind,
        "account": event.account_id,
        "actor": event.actor_id,
        "ip": event.ip,
        "facts": event.facts,
    }


def _write_lines(rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    count = 0
    for row in rows:
        file.write(json.dumps(row) + "\n")
        count += 1
    return count


def _write_table(rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    table = csv.writer(file)
    table.writerow(COLUMNS)
    count = 0
    for row in rows:
        cells = row | {"facts": json.dumps(row["facts"]) if row["facts"] else ""}
        table.writerow([make_cell(cells[name]) for name in COLUMNS])
        count += 1
    return count


def make_cell(value: object) -> str:
    """A spreadsheet would run a text that begins like a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
