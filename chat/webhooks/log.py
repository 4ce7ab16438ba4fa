"""The log of a webhook's deliveries, newest first."""

from __future__ import annotations

from django.db.models import Q

from chat.models import Webhook, WebhookDelivery


def read_log(
    webhook: Webhook, limit: int, after: WebhookDelivery | None = None
) -> tuple[list[WebhookDelivery], bool]:
    """Entries, or those that are older than one of them; and whether there are more."""
    rows = webhook.deliveries.order_by("-ended_at", "-pk")
    if after is not None:
        is_older = Q(ended_at__lt=after.ended_at) | Q(ended_at=after.ended_at, pk__lt=after.pk)
        rows = rows.filter(is_older)
    found = list(rows[: limit + 1])
    return found[:limit], len(found) > limit
