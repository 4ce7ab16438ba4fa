"""Mails to the owner of an account about changes of it. They go to the addresses that the account
had before the change, so that a thief's change is noticed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import get_adapter

from accounts.mails.queue import MailQueueFull

logger = logging.getLogger(__name__)


def send_notification_mails(
    template: str, addresses: Iterable[str], context: dict[str, Any]
) -> None:
    """Send the notice to each of these addresses. A notice that can't be
    sent undoes no change and is logged."""
    for address in dict.fromkeys(addresses):
        try:
            get_adapter().send_mail(template, address, context)
        except (MailQueueFull, SMTPException, OSError) as problem:
            logger.warning(
                "A notice of a change of an account was not sent: %s", type(problem).__name__
            )
