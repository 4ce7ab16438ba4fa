"""Writes the audit events to the standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.events import record_event
from accounts.audit.export import FORMATS, write_events
from accounts.audit.kinds import EVENTS_EXPORTED
from accounts.models import AuditEvent


class Command(BaseCommand):
    help = "Writes the audit events to the standard output, oldest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", help="The first day or time (ISO 8601, UTC).")
        parser.add_argument("--until", help="The day or time before which they end.")
        parser.add_argument("--format", choices=FORMATS, default="jsonl")

    def handle(self, *args: Any, **options: Any) -> None:
        events = AuditEvent.objects.order_by("id")
        if since := _parse_time(options["since"]):
            events = events.filter(created_at__gte=since)
        if until := _parse_time(options["until"]):
            events = events.filter(created_at__lt=until)
        file = cast(IO[str], self.stdout)
        count = write_events(events.iterator(), options["format"], file)
        record_event(EVENTS_EXPORTED, by_system=True, count=count)


def _parse_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time. Write it like 2026-11-30.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
