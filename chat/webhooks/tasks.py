"""The work for webhooks in workers: threads that send, and the end of old log entries."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import BoundedSemaphore, Thread

from django.db import connection
from django.utils import timezone

from chat.models import Webhook, WebhookDelivery
from chat.webhooks.delivery import count_due_webhooks, deliver_next
from streaming.outage import outage_monitor
from streaming.sources import register_follow_up, register_periodic_task

MAX_SENDERS = 4
"""Requests of a worker that run at once. Each has a thread, because a server may take ten
seconds."""
KEPT_FOR = timedelta(days=30)
ROWS_PER_BATCH = 1_000

logger = logging.getLogger(__name__)
_senders = BoundedSemaphore(MAX_SENDERS)


def start_senders() -> None:
    """Start as many threads as there is work for."""
    for _ in range(min(count_due_webhooks(), MAX_SENDERS)):
        if not _senders.acquire(blocking=False):
            return
        Thread(target=_send_in_thread, name="webhooks", daemon=True).start()


def _send_in_thread() -> None:
    try:
        while deliver_next():
            pass
    except Exception as error:
        if not outage_monitor.is_outage(error):
            logger.exception("Webhooks could not be sent; trying again")
    finally:
        connection.close()
        _senders.release()


def purge_deliveries() -> None:
    """Give up what waits for a webhook that is off, and delete old entries of the log: a batch in
    each run."""
    now = timezone.now()
    late = WebhookDelivery.objects.waiting().filter(retry_until__lt=now)
    late.exclude(webhook__in=Webhook.objects.active()).update(
        status=WebhookDelivery.Status.GIVEN_UP, next_attempt_at=None
    )
    old = WebhookDelivery.objects.filter(ended_at__lt=now - KEPT_FOR)
    ids = list(old.order_by("ended_at").values_list("pk", flat=True)[:ROWS_PER_BATCH])
    WebhookDelivery.objects.filter(pk__in=ids).delete()


def register_tasks() -> None:
    register_follow_up(start_senders)
    register_periodic_task(purge_deliveries)
