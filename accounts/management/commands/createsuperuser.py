"""Django's command, with an audit event."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from accounts.audit.events import record_event
from accounts.audit.kinds import ADMINISTRATOR_CREATED
from accounts.models import User


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        # Not in one transaction: on SQLite it would stop all writers while somebody types.
        superusers = User.objects.filter(is_superuser=True)
        before = set(superusers.values_list("pk", flat=True))
        super().handle(*args, **options)
        for user in superusers.exclude(pk__in=before):
            record_event(ADMINISTRATOR_CREATED, user, by_system=True)
