"""Deactivates people, and activates them again. An administrator does it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit.events import record_event
from accounts.audit.kinds import DEACTIVATED, REACTIVATED
from accounts.deletion.erasure import (
    LastAdministrator,
    is_deletion_pending,
    require_other_administrator,
)
from accounts.email_addresses import list_user_emails
from accounts.models import User
from accounts.notification_mails import send_notification_mails
from accounts.sessions.devices_page import SESSIONS_ENDED
from accounts.sessions.ending import end_all_sessions


class ActivationRefused(Exception):
    """This account can't be deactivated or activated. The message is for people."""


def require_can_deactivate(user: User, actor: Any) -> None:
    """Lock the administrators until the transaction ends, so that two can't deactivate each other
    at once. Raises ActivationRefused."""
    if user == actor:
        raise ActivationRefused(_("You can’t deactivate your own account."))
    try:
        require_other_administrator(user)
    except LastAdministrator as refusal:
        raise ActivationRefused(str(refusal)) from None


def deactivate(user: User, request: HttpRequest) -> None:
    """Raises ActivationRefused."""
    with transaction.atomic():
        require_can_deactivate(user, request.user)
        user.is_active = False
        # The signal of this change closes sockets and stops streams.
        user.save(update_fields=["is_active"])
        report_activation(user, request)


def activate(user: User, request: HttpRequest) -> None:
    """Raises ActivationRefused."""
    with transaction.atomic():
        if is_deletion_pending(User.objects.select_for_update().get(pk=user.pk)):
            raise ActivationRefused(_("This account is being deleted."))
        user.is_active = True
        user.save(update_fields=["is_active"])
        report_activation(user, request)


def report_activation(user: User, request: HttpRequest) -> None:
    """Record the change of a stored account, and tell its owner. All sessions are
    deleted: those of a deactivated account would sign in again once it is activated, also one of a
    sign-in that was under way at the deactivation."""
    end_all_sessions([user])
    record_event(REACTIVATED if user.is_active else DEACTIVATED, user, request=request)
    template = "account_activated" if user.is_active else "account_deactivated"
    context = {"timestamp": timezone.now()}
    send_notification_mails(f"account/email/{template}", list_user_emails(user), context)


def end_sessions(users: list[User], request: HttpRequest) -> int:
    """Return the number of sessions that ended."""
    with transaction.atomic():
        counts = end_all_sessions(users)
        ended = [user for user in users if counts[user.pk]]
        for user in ended:
            record_event(SESSIONS_ENDED, user, request=request, count=counts[user.pk])
    for user in ended:
        context = {"timestamp": timezone.now(), "count": counts[user.pk]}
        send_notification_mails("account/email/sessions_ended", list_user_emails(user), context)
    return sum(counts.values())
