"""Starts the replies that the API is asked for, with the settings of the request."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from accounts.models import User
from chat import replies
from chat.api import schemas
from chat.models import Conversation
from chat.replies import PagePosition, Reply, ReplySettings
from chat.replies.settings import SETTINGS, clean_text


def start_reply(
    user: User,
    body: schemas.ConversationIn | schemas.MessageIn,
    request_id: UUID,
    conversation: Conversation | None = None,
) -> Reply:
    """Raises ReplyRejected."""
    parent_id = getattr(body, "parent_id", None)
    position = None
    if conversation is not None and parent_id is not None and conversation.current_leaf_id:
        # The client names the message on purpose, so it can't have missed a newer one.
        position = PagePosition(parent_id, conversation.current_leaf_id)
    return replies.start_reply(
        user,
        text=clean_text(body.text),
        request_id=request_id,
        reply_settings=_choose_settings(body, conversation),
        conversation=conversation,
        position=position,
    )


def _choose_settings(
    body: schemas.ConversationIn | schemas.MessageIn, conversation: Conversation | None
) -> ReplySettings:
    model = body.model or ""
    if conversation is None:
        chosen = ReplySettings(model)
    else:
        chosen = ReplySettings.from_conversation(conversation, model)
    return apply_given(chosen, body)


def apply_given(chosen: ReplySettings, body: schemas.SettingsIn) -> ReplySettings:
    """The settings that a request names replace the others."""
    given = {name: getattr(body, name) for name in SETTINGS if name in body.model_fields_set}
    for name in ("system_prompt", "reasoning_effort"):  # null and empty mean the same
        if name in given:
            given[name] = clean_text(given[name] or "")
    return replace(chosen, **given)
