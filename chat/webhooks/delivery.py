"""Sends what waits, at least once, one delivery at a time for each webhook.

A worker claims a webhook, sends some of its deliveries, and releases it. If the worker dies, the
claim ends by itself and another worker sends what was not recorded as delivered.
"""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.outbound.client import Limits, send_request
from accounts.outbound.errors import RefusedAddress, RequestFailed
from accounts.sealing import SealBroken
from chat.models import Webhook, WebhookDelivery
from chat.webhooks.actions import open_secret, switch_webhook
from chat.webhooks.events import build_event_id, encode_event
from chat.webhooks.signing import build_headers

LIMITS = Limits(seconds=10.0, max_body_bytes=64 * 1024)
CLAIM_DURATION = timedelta(seconds=20)
"""Longer than a request takes."""
REST_DURATION = timedelta(seconds=5)
"""A webhook whose server fails is left alone for so long."""
DELIVERIES_PER_CLAIM = 20
FIRST_DELAY_SECONDS = 10
DELAY_FACTOR = 4
"""The delays are 10 s, 40 s, 160 s … 11 hours, and what is left of the 24 hours."""
JITTER = 0.1
MAX_LOG_ENTRIES = 1_000
"""Deliveries of a webhook that are over and kept."""
ROWS_PER_TRIM = 500
GONE = 410
"""By the scheme of Standard Webhooks, a server that answers so wants no more."""

Failure = WebhookDelivery.Failure


def deliver_next() -> bool:
    """Send the due deliveries of one webhook. Return whether there was one that is free."""
    webhook = _claim_webhook()
    if webhook is None:
        return False
    resting_until = None
    for _ in range(DELIVERIES_PER_CLAIM):
        if not _renew_claim(webhook) or (delivery := _find_due(webhook)) is None:
            break
        if not attempt(delivery.webhook, delivery):
            resting_until = Now() + REST_DURATION
            break
    _trim_log(webhook)
    Webhook.objects.filter(pk=webhook.pk).update(claimed_until=Now(), resting_until=resting_until)
    return True


def count_due_webhooks() -> int:
    return _select_claimable().count()


def _select_claimable() -> QuerySet[Webhook]:
    """Not a second one of the same person: servers that hang must not hold all senders."""
    due = WebhookDelivery.objects.due().filter(webhook=OuterRef("pk"))
    busy = Webhook.objects.filter(claimed_until__gt=Now()).values("user_id")
    rested = Q(resting_until=None) | Q(resting_until__lte=Now())
    return Webhook.objects.active().filter(Exists(due), rested).exclude(user_id__in=busy)


def _claim_webhook() -> Webhook | None:
    """The one that waits longest since its last turn."""
    order = F("claimed_until").asc(nulls_first=True)
    for webhook in _select_claimable().select_related("user").order_by(order, "pk")[:5]:
        free = Q(claimed_until=None) | Q(claimed_until__lte=Now())
        rows = Webhook.objects.filter(free, pk=webhook.pk)
        if rows.update(claimed_until=Now() + CLAIM_DURATION):
            return webhook
    return None


def _renew_claim(webhook: Webhook) -> bool:
    """False if the webhook was deleted or switched off, its owner was deactivated, or the claim
    ended because this process stood still."""
    rows = Webhook.objects.active().filter(pk=webhook.pk, claimed_until__gt=Now())
    return bool(rows.update(claimed_until=Now() + CLAIM_DURATION))


def _find_due(webhook: Webhook) -> WebhookDelivery | None:
    """With the webhook as it is now: its secret may be another one since the last delivery."""
    due = WebhookDelivery.objects.due().filter(webhook=webhook)
    return due.select_related("webhook__user").order_by("next_attempt_at").first()


def _trim_log(webhook: Webhook) -> None:
    finished = webhook.deliveries.filter(next_attempt_at=None).order_by("-ended_at", "-pk")
    ids = finished.values_list("pk", flat=True)[MAX_LOG_ENTRIES : MAX_LOG_ENTRIES + ROWS_PER_TRIM]
    WebhookDelivery.objects.filter(pk__in=list(ids)).delete()


def attempt(webhook: Webhook, delivery: WebhookDelivery) -> bool:
    """Send it once, and record what became of it. Return whether it was delivered."""
    # Counted before it is sent, so that no death makes it endless.
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    rows.update(attempts=F("attempts") + 1, last_attempt_at=timezone.now())
    delivery.attempts += 1
    delivery.last_status, failure = _send(webhook, delivery)
    delivery.failure = failure or ""
    is_final = failure is None or failure is Failure.SEALED or delivery.last_status == GONE
    delivery.next_attempt_at = None if is_final else _find_next_attempt(delivery)
    if failure is None:
        delivery.status = WebhookDelivery.Status.DELIVERED
    elif delivery.next_attempt_at is None:
        delivery.status = WebhookDelivery.Status.GIVEN_UP
    # Not over what became of it meanwhile: its owner may have asked to send it again.
    rows.filter(attempts=delivery.attempts).update(
        **{
            name: getattr(delivery, name)
            for name in ("last_status", "failure", "next_attempt_at", "status")
        }
    )
    if delivery.last_status == GONE:
        switch_webhook(webhook, is_active=False, by_system=True)
    return failure is None


def _send(webhook: Webhook, delivery: WebhookDelivery) -> tuple[int | None, Failure | None]:
    """The status of the answer, and why it is no success. Only the status counts: the body may be
    too long, compressed or cut."""
    body = encode_event(delivery)
    try:
        secret = open_secret(webhook)
        headers = build_headers(secret, build_event_id(delivery), int(time.time()), body)
        answer = send_request("POST", webhook.address, headers=headers, body=body, limits=LIMITS)
        status: int | None = answer.status
    except SealBroken:
        return None, Failure.SEALED
    except RefusedAddress:
        return None, Failure.REFUSED
    except RequestFailed as failed:
        status = failed.status
    if status is None:
        return None, Failure.NO_ANSWER
    return status, None if 200 <= status < 300 else Failure.BAD_STATUS


def _find_next_attempt(delivery: WebhookDelivery) -> datetime | None:
    """None if the time is over. The last attempt is at its very end."""
    now = timezone.now()
    if now >= delivery.retry_until:
        return None
    seconds = FIRST_DELAY_SECONDS * DELAY_FACTOR ** (delivery.attempts - 1)
    seconds *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 no secret # nosec B311
    return min(now + timedelta(seconds=seconds), delivery.retry_until)
