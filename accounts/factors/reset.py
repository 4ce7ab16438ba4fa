"""Removes all factors of a person who has lost them. An administrator does it, in the admin or by a
command, after making sure who asks."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.audit.events import record_event
from accounts.email_addresses import list_user_emails
from accounts.factors import events
from accounts.models import User
from accounts.notification_mails import send_notification_mails


def reset_factors(user: User, request: HttpRequest | None = None) -> int:
    """Return the number of removed passkeys, apps and sets of recovery codes. Without a request, a
    command does it."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        count, _ = Authenticator.objects.filter(user=user).delete()
        if count:
            record_event(
                events.FACTORS_RESET.kind,
                user,
                request=request,
                by_system=request is None,
                removed=count,
            )
    if count:
        context = events.build_mail_context(events.FACTORS_RESET) | {"timestamp": timezone.now()}
        send_notification_mails(events.MAIL_TEMPLATE, list_user_emails(user), context)
    return count
