"""Re-seal all stored secrets with the newest master key."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.events import record_event
from accounts.rotation import report
from accounts.rotation.interruption import Interruption, RotationInterrupted, watch_signals
from accounts.rotation.kinds import KEYS_ROTATED
from accounts.rotation.registry import list_sealed_values
from accounts.rotation.resealing import Resealed, count_master_keys, reseal_all


class Command(BaseCommand):
    help = (
        "Re-seals all stored secrets with the newest master key, the first of MASTER_KEYS. "
        "It can run while the installation is in use, and can be interrupted and repeated."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        results: list[Resealed] = []
        try:
            with watch_signals() as interruption:
                self._reseal(results, interruption)
        except RotationInterrupted:
            raise CommandError("Interrupted. Run it again to complete it.") from None
        finally:
            # Also of an interrupted run: the next one finds these values done.
            if resealed := sum(result.resealed for result in results):
                broken = sum(len(result.broken) for result in results)
                record_event(KEYS_ROTATED, by_system=True, resealed=resealed, broken=broken)
        counts = sum(map(count_master_keys, list_sealed_values()), Counter[str]())
        self._write_lines(report.describe_master_keys(counts))
        if advice := report.advise_about_broken(results):
            raise CommandError(advice)

    def _reseal(self, results: list[Resealed], interruption: Interruption) -> None:
        for value in list_sealed_values():
            result = Resealed(value)
            results.append(result)
            reseal_all(result, interruption)
            self._write_lines(report.describe_result(result))

    def _write_lines(self, lines: Any) -> None:
        for line in lines:
            self.stdout.write(line)
