"""Django's command, with an audit event."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from accounts.audit.events import record_event
from accounts.audit.kinds import ADMINISTRATOR_CREATED
from accounts.email_addresses import is_email_taken
from accounts.models import User


class Command(createsuperuser.Command):
    def _validate_username(
        self, username: str, verbose_field_name: str, database: str
    ) -> str | None:
        """Also refuse the confirmed second address of another account, which signs in there."""
        refusal: str | None = super()._validate_username(  # type: ignore[misc]
            username, verbose_field_name, database
        )
        is_taken = refusal is None and is_email_taken(username)
        return "Error: Another account has confirmed this address." if is_taken else refusal

    def handle(self, *args: Any, **options: Any) -> None:
        # Not in one transaction: on SQLite it would stop all writers while somebody types.
        superusers = User.objects.filter(is_superuser=True)
        before = set(superusers.values_list("pk", flat=True))
        super().handle(*args, **options)
        for user in superusers.exclude(pk__in=before):
            record_event(ADMINISTRATOR_CREATED, user, by_system=True)
