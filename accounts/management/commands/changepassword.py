"""Django's command, with an audit event."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from accounts.audit.events import record_event
from accounts.audit.kinds import PASSWORD_CHANGED
from accounts.models import User


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str:
        # Not in one transaction: on SQLite it would stop all writers while somebody types.
        said = str(super().handle(*args, **options))
        # Without a name, Django's command takes that of the person at this machine.
        user = User.objects.get_by_natural_key(options["username"] or getpass.getuser())
        record_event(PASSWORD_CHANGED, user, by_system=True)
        return said
