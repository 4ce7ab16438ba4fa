"""Keeps every tab and device of a person up to date with changes that are not a stream's.

Each change of a conversation or a draft counts up `User.revision` in the same transaction and
notifies the person's pages. A page that has another revision fetches the list again, so a lost
notification costs time and nothing else. A notification may name what changed; a page that knows
the revision before it fetches only that.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from accounts.models import User
from chat.models import Conversation
from streaming.hub import build_revision_notification, notify, user_group

DRAFTS = "drafts"
"""The topic of a change that concerns only drafts."""


def announce(conversation: Conversation) -> None:
    """Tell the pages of its owner about a change of a reply, unless no page lists the
    conversation: a busy program would otherwise make them fetch the list all the time."""
    if not conversation.door or conversation.user.shows_program_chats:
        bump_revision(conversation.user_id)


def bump_revision(user_id: int, topic: str = "") -> int:
    """Return the new revision. The notification goes out when the transaction commits."""
    User.objects.filter(pk=user_id).update(revision=F("revision") + 1)
    revision: int = User.objects.values_list("revision", flat=True).get(pk=user_id)
    transaction.on_commit(
        lambda: notify(user_group(user_id), build_revision_notification(revision, topic))
    )
    return revision
