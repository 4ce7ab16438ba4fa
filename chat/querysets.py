"""The rule of access to conversations and messages: only their owner has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

if TYPE_CHECKING:
    from accounts.models import User
    from chat.models import Conversation, Message  # noqa: F401


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def owned_by(self, user: AbstractBaseUser) -> ConversationQuerySet:
        """Without the conversations that were just deleted."""
        return self.filter(user_id=user.pk, deleted_at=None)

    def listed_for(self, user: User) -> ConversationQuerySet:
        """Without those of programs, unless the person wants to see them."""
        owned = self.owned_by(user)
        return owned if user.shows_program_chats else owned.filter(door="")

    def deleted_by(self, user: AbstractBaseUser) -> ConversationQuerySet:
        """Those that were deleted and are not purged yet."""
        return self.filter(user_id=user.pk, deleted_at__isnull=False)


class MessageQuerySet(models.QuerySet["Message"]):
    def owned_by(self, user: AbstractBaseUser) -> MessageQuerySet:
        """Without those of conversations that were just deleted."""
        return self.filter(conversation__user_id=user.pk, conversation__deleted_at=None)
