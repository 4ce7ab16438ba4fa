"""Django's sender of mails: it adds them to the queue of this process."""

from __future__ import annotations

import atexit
from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from accounts.mails.queue import mail_queue


class QueuedEmailBackend(BaseEmailBackend):
    """Sends through MAIL_TRANSPORT, later."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Raises MailQueueFull."""
        mail_queue.add(email_messages)
        return len(email_messages)


# For commands. A server finishes the queue when it drains (config/asgi.py).
atexit.register(mail_queue.finish)
