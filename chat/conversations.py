"""What is done to a whole conversation."""

from __future__ import annotations

from django.db import transaction

from chat import sync
from chat.models import Conversation
from streaming import journal, lifecycle
from streaming.models import Stream


def rename(conversation: Conversation, title: str) -> None:
    """Give it another title, in one line. An empty one changes nothing."""
    if title := " ".join(title.split())[:200]:
        with transaction.atomic():
            Conversation.objects.filter(pk=conversation.pk).update(title=title)
            sync.changed(conversation.user_id)


def delete(conversation: Conversation) -> None:
    """Stop its replies, then remove it with its messages, streams and chunks."""
    lane = Stream.objects.filter(lane=str(conversation.pk))
    for stream_id in lane.unfinished().values_list("id", flat=True):
        lifecycle.stop(stream_id)
    with transaction.atomic():
        # Under the lock nothing new can be asked for here; what was asked for since the
        # streams were stopped is refused by its worker's next append.
        list(Conversation.objects.select_for_update().filter(pk=conversation.pk))
        ids = list(lane.values_list("id", flat=True))
        Conversation.objects.filter(pk=conversation.pk).delete()
        journal.delete(ids)
        sync.changed(conversation.user_id)
