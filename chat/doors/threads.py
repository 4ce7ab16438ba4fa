"""Conversations under the names that clients give to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat import model_catalog, replies
from chat.api.problems import Problem
from chat.models import ClientThread, Conversation
from chat.presentation.model_groups import build_groups, load_used_models, select_new_chat_model
from chat.replies import Reply, ReplySettings


@dataclass(frozen=True, slots=True)
class Question:
    """`model` is “provider/model”, a bare name, or empty for the model of the chat; in a new chat
    that is the one which the page would offer. An empty system prompt leaves the chat's."""

    text: str
    model: str = ""
    system_prompt: str = ""


def find_thread(user: User, door: str, name: str) -> ClientThread | None:
    """None also if its conversation was deleted."""
    threads = ClientThread.objects.select_related("conversation")
    thread = threads.filter(user=user, door=door, name=name).first()
    is_deleted = thread and thread.conversation and thread.conversation.deleted_at is not None
    return None if is_deleted else thread


def ask(user: User, door: str, name: str, question: Question, request_id: UUID) -> Reply:
    """Start a reply in the thread of this name, which is made if there is none. Call it in a
    transaction: two first questions of one thread come one after the other. Raises ReplyRejected or
    Problem."""
    ClientThread.objects.get_or_create(user=user, door=door, name=name)
    thread = ClientThread.objects.select_for_update().get(user=user, door=door, name=name)
    reply = replies.start_reply(
        user,
        text=question.text,
        request_id=request_id,
        reply_settings=_choose_settings(user, thread.conversation, question),
        conversation=thread.conversation,
    )
    if thread.conversation_id is None:
        thread.conversation = reply.conversation
        thread.save(update_fields=["conversation"])
    return reply


def _choose_settings(
    user: User, conversation: Conversation | None, question: Question
) -> ReplySettings:
    if conversation is not None:
        chosen = ReplySettings.from_conversation(conversation, question.model)
    elif question.model:
        chosen = ReplySettings(question.model)
    else:
        chosen = _choose_usual_model(user)
    return replace(chosen, system_prompt=question.system_prompt or chosen.system_prompt)


def _choose_usual_model(user: User) -> ReplySettings:
    groups = build_groups(user, model_catalog.load_models(user))
    model = select_new_chat_model(user, groups, load_used_models(user, groups))
    if model is None:
        raise Problem(422, "unknown_model", _("There is no model that you can use. Name one."))
    return ReplySettings(model.id, provider=model.provider)
