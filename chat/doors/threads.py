"""Conversations under the names that clients give to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chat import replies
from chat.api.problems import Problem, build_not_found
from chat.models import ClientThread, Conversation, Message
from chat.presentation.model_groups import load_default_model
from chat.replies import PagePosition, Reply, ReplySettings

MAX_UNUSED_THREADS = 100
"""Threads of a person in one door that have no message yet."""
MAX_DELETED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Question:
    """`model` is “provider/model”, a bare name, or empty for the model of the chat; in a new chat
    that is the one which the page would offer. An empty system prompt leaves the chat's."""

    text: str
    model: str = ""
    system_prompt: str = ""


def find_thread(user: User, door: str, name: str) -> ClientThread | None:
    """None for a new name. Raises Problem if its conversation was deleted: until that is gone for
    good, every request about the thread gets the same answer."""
    threads = ClientThread.objects.select_related("conversation")
    thread = threads.filter(user=user, door=door, name=name).first()
    return _refuse_deleted(thread) if thread else None


def lock_thread(user: User, door: str, name: str) -> ClientThread:
    """The thread of this name, which is made if there is none. Call it in a transaction: two first
    messages of one thread that arrive at once must not begin two conversations. Raises Problem as
    `find_thread` does."""
    threads = ClientThread.objects.select_for_update(of=("self",)).select_related("conversation")
    return _refuse_deleted(threads.get_or_create(user=user, door=door, name=name)[0])


def delete_oldest_unused(user: User, door: str) -> None:
    """Delete the oldest threads without a message beyond MAX_UNUSED_THREADS, a batch at a time.
    Call it in the transaction that makes a new one."""
    unused = ClientThread.objects.filter(user=user, door=door, conversation=None)
    ids = unused.order_by("-pk").values_list("pk", flat=True)
    old = list(ids[MAX_UNUSED_THREADS : MAX_UNUSED_THREADS + MAX_DELETED_AT_ONCE])
    if old:
        # A thread that is locked gets its first message in this moment.
        free = unused.select_for_update(skip_locked=True).filter(pk__in=old)
        ClientThread.objects.filter(pk__in=list(free.values_list("pk", flat=True))).delete()


def _refuse_deleted(thread: ClientThread) -> ClientThread:
    if thread.conversation is not None and thread.conversation.deleted_at is not None:
        raise build_not_found()
    return thread


def attach_conversation(thread: ClientThread, reply: Reply) -> None:
    """After the first reply of a thread. Raises Problem if the id of the request was used in
    another thread."""
    if thread.conversation_id is None:
        if reply.conversation.client_threads.exists():
            raise build_reused()
        thread.conversation = reply.conversation
        thread.save(update_fields=["conversation"])
    elif thread.conversation_id != reply.conversation.pk:
        raise build_reused()


def build_reused() -> Problem:
    text = _("The id of this request was used for another one. Use a new id for a new request.")
    return Problem(409, "key_reused", text)


def require_known_answers(
    conversation: Conversation | None, answer_ids: Collection[UUID | None]
) -> None:
    """A client may send answers of the conversation again. Raises Problem for any others: nothing
    else would tell it that the model does not get them."""
    if not answer_ids:
        return
    ids = {id for id in answer_ids if id is not None}
    answers = Message.objects.filter(conversation=conversation, role=Message.Role.ASSISTANT)
    known = set(answers.values_list("pk", flat=True)) if conversation is not None else set()
    if None in answer_ids or not ids <= known:
        raise build_unknown_history()


def build_unknown_history() -> Problem:
    text = _("Send only the new message: the chat has the earlier ones, and takes no others.")
    return Problem(422, "unknown_history", text)


def ask(
    user: User,
    door: str,
    name: str,
    question: Question,
    request_id: UUID,
    position: PagePosition | None = None,
) -> Reply:
    """Start a reply in the thread of this name, below the newest answer if there is no `position`.
    Call it in a transaction. Raises ReplyRejected or Problem."""
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
        position=position if thread.conversation else None,
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
