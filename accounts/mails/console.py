"""Prints mails where no mail server is set up, for a person at this machine."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend

from accounts.setup import has_public_hosts

TRANSPORT = "accounts.mails.console.LocalConsoleBackend"


def prints_mails() -> bool:
    """Where others reach the server, its output is a log that is kept: visitors would fill it with
    addresses and with links that work."""
    is_for_others = has_public_hosts() or settings.TRUSTED_PROXY_COUNT > 0
    return settings.MAIL_TRANSPORT == TRANSPORT and not is_for_others


class LocalConsoleBackend(EmailBackend):
    """Drops mails where others reach the server."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        return (super().send_messages(email_messages) or 0) if prints_mails() else 0
