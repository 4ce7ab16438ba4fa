"""Sends all mails of this process outside the requests that cause them.

A request only adds a rendered message, so it takes as long whether or not it sends one, and a slow
mail server delays nobody. The messages are in memory: docs/decisions/0019 says why.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

logger = logging.getLogger(__name__)

MAX_WAITING_MAILS = 500
"""Mails that may wait in this process. A mail takes some kilobytes."""
MAX_BATCH_MAILS = 20
"""Mails that are sent over one connection to the mail server."""
RETRY_DELAYS_SECONDS = (5.0, 55.0)
"""Pauses after the first and the second failure. After the third one the mail is lost."""
FINISH_SECONDS = 5.0
"""The time that a process which stops takes for the mails that still wait."""


class MailQueueFull(Exception):
    """Too many mails wait, because the mail server is away or too slow."""


@dataclass(order=True, slots=True)
class WaitingMail:
    due_at: float
    number: int
    failures: int = field(compare=False)
    message: EmailMessage = field(compare=False)


class MailQueue:
    """Mails in the order in which they are due, and a thread that sends them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[WaitingMail] = []
        self._sending_count = 0
        self._added_count = 0
        self._is_finishing = False
        self._thread: threading.Thread | None = None

    def add(self, messages: Sequence[EmailMessage]) -> None:
        """Raises MailQueueFull, and then adds none of them."""
        with self._changed:
            if self._count_unsent() + len(messages) > MAX_WAITING_MAILS:
                raise MailQueueFull
            for message in messages:
                self._push(message, failures=0, delay_seconds=0.0)
            if self._thread is None:  # not at the import: a server may fork after it
                self._thread = threading.Thread(target=self._run, name="mails", daemon=True)
                self._thread.start()

    def is_full(self) -> bool:
        with self._changed:
            return self._count_unsent() >= MAX_WAITING_MAILS

    def finish(self, seconds: float = FINISH_SECONDS) -> None:
        """Try to send all that waits, once and without pauses. Takes at most these seconds."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._count_unsent(), seconds)
            if unsent := self._count_unsent():
                logger.warning("%d mails were not sent before the end of the process", unsent)

    def wait_until_sent(self, seconds: float) -> bool:
        """Return whether all mails were sent, or given up, within these seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._count_unsent(), seconds)

    def _count_unsent(self) -> int:
        return len(self._waiting) + self._sending_count

    def _push(self, message: EmailMessage, *, failures: int, delay_seconds: float) -> None:
        self._added_count += 1
        due_at = time.monotonic() + delay_seconds
        mail = WaitingMail(due_at, self._added_count, failures, message)
        heapq.heappush(self._waiting, mail)
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            batch = self._take_due()
            try:
                self._send_batch(batch)
            finally:
                with self._changed:
                    self._sending_count = 0
                    self._changed.notify_all()

    def _take_due(self) -> list[WaitingMail]:
        """Wait for mails that are due."""
        with self._changed:
            while not self._is_due():
                first_due = self._waiting[0].due_at if self._waiting else None
                self._changed.wait(first_due and max(0.0, first_due - time.monotonic()))
            batch: list[WaitingMail] = []
            while len(batch) < MAX_BATCH_MAILS and self._is_due():
                batch.append(heapq.heappop(self._waiting))
            self._sending_count = len(batch)
            return batch

    def _is_due(self) -> bool:
        return bool(self._waiting) and (
            self._is_finishing or self._waiting[0].due_at <= time.monotonic()
        )

    def _send_batch(self, batch: list[WaitingMail]) -> None:
        connection = get_connection(settings.MAIL_TRANSPORT)
        with suppress(Exception):  # if it fails, each message tries it again
            connection.open()
        for mail in batch:
            try:
                connection.send_messages([mail.message])
            except Exception as error:
                self._retry(mail, error)
                with suppress(Exception):
                    connection.close()
        with suppress(Exception):
            connection.close()

    def _retry(self, mail: WaitingMail, error: Exception) -> None:
        """The log names no address, so it has only the class of the error and the server's code."""
        failures, code = mail.failures + 1, getattr(error, "smtp_code", "")
        with self._changed:
            is_last = failures > len(RETRY_DELAYS_SECONDS) or self._is_finishing
            if not is_last:
                delay = RETRY_DELAYS_SECONDS[failures - 1]
                self._push(mail.message, failures=failures, delay_seconds=delay)
        consequence = "it is lost" if is_last else "trying again"
        logger.warning("A mail was not sent, %s: %s %s", consequence, type(error).__name__, code)


mail_queue = MailQueue()
