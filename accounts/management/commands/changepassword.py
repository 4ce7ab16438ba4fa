"""Django's command, with an audit event and a mail to the owner."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.utils import timezone

from accounts.audit.events import record_event
from accounts.audit.kinds import PASSWORD_CHANGED
from accounts.email_addresses import list_user_emails
from accounts.models import User
from accounts.notification_mails import send_notification_mails


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str:
        # Not in one transaction: on SQLite it would stop all writers while somebody types.
        said = str(super().handle(*args, **options))
        # Without a name, Django's command takes that of the person at this machine.
        user = User.objects.get_by_natural_key(options["username"] or getpass.getuser())
        record_event(PASSWORD_CHANGED, user, by_system=True)
        about = {"timestamp": timezone.now()}
        send_notification_mails("account/email/password_changed", list_user_emails(user), about)
        return said
