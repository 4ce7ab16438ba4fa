"""Starts the replies that the API is asked for, with the settings of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from pydantic.alias_generators import to_camel

from accounts.models import User
from chat import replies
from chat.api import schemas
from chat.api.problems import Problem
from chat.models import Conversation
from chat.replies import PagePosition, Reply, ReplySettings
from chat.replies.settings import SETTINGS, clean_text, require_model

USUAL = (("temperature", 1),)
"""Settings that each model has, also one that takes no other."""


def start_reply(
    user: User,
    body: schemas.ConversationIn | schemas.MessageIn,
    request_id: UUID,
    conversation: Conversation | None = None,
) -> Reply:
    """Raises ReplyRejected or Problem."""
    if repeated := replies.find_reply(user, request_id):
        return repeated  # whatever its model takes by now
    parent_id = getattr(body, "parent_id", None)
    position = None
    if conversation is not None and parent_id is not None and conversation.current_leaf_id:
        # The client names the message on purpose, so it can't have missed a newer one.
        position = PagePosition(parent_id, conversation.current_leaf_id)
    return replies.start_reply(
        user,
        text=clean_text(body.text),
        request_id=request_id,
        reply_settings=_choose_settings(user, body, conversation),
        conversation=conversation,
        position=position,
    )


def _choose_settings(
    user: User,
    body: schemas.ConversationIn | schemas.MessageIn,
    conversation: Conversation | None,
) -> ReplySettings:
    model = body.model or ""
    if conversation is None:
        chosen = ReplySettings(model)
    else:
        chosen = ReplySettings.from_conversation(conversation, model)
    return apply_given(user, chosen, body)


def apply_given(user: User, chosen: ReplySettings, body: schemas.SettingsIn) -> ReplySettings:
    """The settings that a request names replace the others. Raises ReplyRejected, and Problem for
    one that the model does not take. Those that were chosen earlier may be of another model, so
    they are left out instead."""
    given = {name: getattr(body, name) for name in SETTINGS if name in body.model_fields_set}
    for name in ("system_prompt", "reasoning_effort"):  # null and empty mean the same
        if name in given:
            given[name] = clean_text(given[name] or "")
    _require_taken(user, chosen, given)
    return replace(chosen, **given)


def _require_taken(user: User, chosen: ReplySettings, given: Mapping[str, Any]) -> None:
    asking = {
        name: value
        for name, value in given.items()
        if value not in (None, "") and (name, value) not in USUAL and SETTINGS[name].is_supported
    }
    if not asking:
        return
    model = require_model(user, chosen.model, chosen.provider)
    for name, value in asking.items():
        if not SETTINGS[name].accepts(value, model):
            field = to_camel(name)
            text = _("%(model)s does not take “%(field)s”, or not this value of it.")
            sentence = text % {"model": model.label, "field": field}
            raise Problem(422, "invalid", sentence, errors=[{"field": field, "message": sentence}])
