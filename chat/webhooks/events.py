"""The ending of a reply, as webhooks get it."""

from __future__ import annotations

import json
from datetime import UTC
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from chat.models import Message, Webhook, WebhookDelivery
from chat.webhooks.models import RETRY_DURATION
from streaming.models import Stream

MAX_WAITING_PER_WEBHOOK = 1_000
"""Deliveries of a webhook that may wait. Further ones are given up at once; the page shows them,
and can send them again."""


def record_ending(stream: Stream, answer: Message) -> None:
    """Store a delivery for each webhook of the person, in the transaction that ends the stream: a
    worker that dies afterwards loses none."""
    now = timezone.now()
    webhooks = Webhook.objects.owned_by(User(pk=stream.owner_id)).active().order_by("pk")
    # Locked, because a webhook that is deleted in this moment would fail the ending.
    locked = webhooks.select_for_update(no_key=True, of=("self",))
    for webhook_id in list(locked.values_list("pk", flat=True)):
        delivery = WebhookDelivery(
            webhook_id=webhook_id,
            stream=stream.uuid,
            message=answer.pk,
            conversation=answer.conversation_id,
            state=stream.state,
            finish_reason=stream.finish_reason,
            ended_at=stream.ended_at or now,
            retry_until=now + RETRY_DURATION,
        )
        if has_too_many_waiting(webhook_id):
            delivery.status = WebhookDelivery.Status.GIVEN_UP
            delivery.failure = WebhookDelivery.Failure.TOO_MANY
            delivery.next_attempt_at = None
        delivery.save(force_insert=True)


def has_too_many_waiting(webhook_id: UUID) -> bool:
    waiting = WebhookDelivery.objects.waiting().filter(webhook_id=webhook_id)
    return waiting.count() >= MAX_WAITING_PER_WEBHOOK


def build_event_id(delivery: WebhookDelivery) -> str:
    """The same at each attempt and for each webhook, because a stream ends once."""
    return f"evt_{delivery.stream.hex}"


def encode_event(delivery: WebhookDelivery) -> bytes:
    """The body. It has ids and no text: the receiver reads that with a token, if it may."""
    event = {
        "type": delivery.type,
        "id": build_event_id(delivery),
        "created_at": delivery.ended_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "conversation": str(delivery.conversation),
            "message": str(delivery.message),
            "stream": str(delivery.stream),
            "state": delivery.state,
            "finish_reason": delivery.finish_reason,
        },
    }
    return json.dumps(event, separators=(",", ":")).encode()
