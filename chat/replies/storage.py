"""Counts the characters of conversations whose rows have no count, because an older version wrote
them."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.functions import Length

from chat.models import Conversation, Message
from chat.replies.limits import ROW_CHARS
from streaming.sources import register_periodic_task

CONVERSATIONS_PER_BATCH = 20
"""Conversations that one transaction counts."""
MAX_BATCHES = 20
"""Batches in one run of a worker; the next run follows in a minute."""


def count_stored_chars() -> None:
    """Count the conversations that have no count."""
    for _ in range(MAX_BATCHES):
        if _count_batch() < CONVERSATIONS_PER_BATCH:
            return


def _count_batch() -> int:
    with transaction.atomic():
        rows = Conversation.objects.filter(stored_chars=None).order_by("pk")
        locked = rows.select_for_update(skip_locked=True, no_key=True, of=("self",))
        ids = list(locked.values_list("pk", flat=True)[:CONVERSATIONS_PER_BATCH])
        counted = Message.objects.filter(conversation__in=ids).values("conversation")
        text = Sum(Length("content") + Length("reasoning"))
        sums = counted.annotate(total=text + ROW_CHARS * Count("pk"))
        totals = dict(sums.values_list("conversation", "total"))
        for id in ids:
            Conversation.objects.filter(pk=id).update(stored_chars=totals.get(id, 0))
    return len(ids)


def register_tasks() -> None:
    register_periodic_task(count_stored_chars)
