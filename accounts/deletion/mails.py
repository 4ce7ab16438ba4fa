"""The mails about the deletion of an account."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from smtplib import SMTPException

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from accounts.mails.queue import MailQueueFull
from accounts.models import User

logger = logging.getLogger(__name__)


def send_requested_mail(user: User) -> None:
    """During the request: it names the network address, so that a thief is noticed."""
    get_adapter().send_notification_mail("account/email/deletion_requested", user)


def send_completed_mail(addresses: Iterable[str]) -> None:
    """By a worker, which has no request. The account is gone, whether or not this can be sent."""
    subject = render_to_string("account/email/deletion_completed_subject.txt").strip()
    body = render_to_string("account/email/deletion_completed_message.txt")
    for address in addresses:
        subject_line = f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{subject}"
        mail = EmailMessage(subject_line, body, settings.DEFAULT_FROM_EMAIL, [address])
        try:
            mail.send()
        except (MailQueueFull, SMTPException, OSError) as problem:
            logger.warning("A notice of a deleted account was not sent: %s", type(problem).__name__)
