"""Conversations under the names that clients give to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat import replies
from chat.api.problems import Problem
from chat.models import ClientThread, Conversation
from chat.presentation.model_groups import load_default_model
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


def lock_thread(user: User, door: str, name: str) -> ClientThread:
    """The thread of this name, which is made if there is none. Call it in a transaction: two first
    messages of one thread that arrive at once must not begin two conversations."""
    threads = ClientThread.objects.select_for_update(of=("self",)).select_related("conversation")
    ClientThread.objects.get_or_create(user=user, door=door, name=name)
    return threads.get(user=user, door=door, name=name)


def attach_conversation(thread: ClientThread, reply: Reply) -> None:
    """After the first reply of a thread."""
    if thread.conversation_id is None:
        thread.conversation = reply.conversation
        thread.save(update_fields=["conversation"])


def ask(user: User, door: str, name: str, question: Question, request_id: UUID) -> Reply:
    """Start a reply in the thread of this name. Call it in a transaction. Raises ReplyRejected or
    Problem."""
    thread = lock_thread(user, door, name)
    chosen = choose_settings(user, thread.conversation, question.model)
    reply = replies.start_reply(
        user,
        text=question.text,
        request_id=request_id,
        reply_settings=replace(
            chosen, system_prompt=question.system_prompt or chosen.system_prompt
        ),
        conversation=thread.conversation,
    )
    attach_conversation(thread, reply)
    return reply


def choose_settings(user: User, conversation: Conversation | None, model: str) -> ReplySettings:
    """Those of the conversation, with the model that was asked for. A new one without a model gets
    the model that the page would offer. Raises Problem."""
    if conversation is not None:
        return ReplySettings.from_conversation(conversation, model)
    if model:
        return ReplySettings(model)
    default = load_default_model(user)
    if default is None:
        raise Problem(422, "unknown_model", _("There is no model that you can use. Name one."))
    return ReplySettings(default.id, provider=default.provider)
