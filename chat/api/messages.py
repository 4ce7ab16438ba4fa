"""The API of messages: read one, write another version, continue one."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Router, Status

from accounts.models import User
from chat import access, replies
from chat.api import outputs, schemas
from chat.api.auth import ApiUser, get_user
from chat.api.idempotency import idempotent_request
from chat.api.problems import Problem
from chat.conversations.tree import Tree
from chat.models import Message
from chat.replies import Reply, ReplySettings
from chat.replies.settings import clean_text
from chat.tool_parts.storage import NO_TOOLS, load_door_tools

router = Router(auth=ApiUser(), tags=["messages"])


@router.get("/{uuid:id}", response=schemas.MessageOut, by_alias=True)
def read_message(request: HttpRequest, id: UUID) -> object:
    """A message as it is now. The text of a running answer grows."""
    message = access.get_message_or_404(get_user(request), id)
    versions = Tree.from_conversation(message.conversation).list_versions(message.pk)
    tools = load_door_tools(message.conversation, [message.pk])
    return outputs.build_message(message, versions, tools.get(message.pk, NO_TOOLS))


@router.post("/{uuid:id}/versions", response={201: schemas.ReplyOut}, by_alias=True)
def create_version(request: HttpRequest, id: UUID, body: schemas.VersionIn) -> object:
    """Edit a question, or have an answer written again. The old versions stay."""
    user = get_user(request)
    message = access.get_message_or_404(user, id)
    with idempotent_request(request, user) as once:
        if message.role == Message.Role.USER:
            reply = _edit_question(user, message, body, once.id)
        else:
            reply = _regenerate_answer(user, message, body, once.id)
    return Status(201, outputs.build_reply(reply))


def _edit_question(
    user: User, question: Message, body: schemas.VersionIn, request_id: UUID
) -> Reply:
    if body.text is None:
        raise Problem(422, "empty", _("Send the new text of the question."))
    return replies.edit_question(
        user,
        question=question,
        text=clean_text(body.text),
        request_id=request_id,
        reply_settings=ReplySettings.from_conversation(question.conversation, body.model or ""),
    )


def _regenerate_answer(
    user: User, answer: Message, body: schemas.VersionIn, request_id: UUID
) -> Reply:
    if body.text is not None:
        raise Problem(422, "no_question", _("Only the text of a question can be changed."))
    model, provider = (body.model, "") if body.model else (answer.model, answer.provider)
    return replies.regenerate_answer(
        user,
        answer=answer,
        request_id=request_id,
        reply_settings=ReplySettings.from_conversation(answer.conversation, model, provider),
    )


@router.post("/{uuid:id}/continuations", response={201: schemas.ReplyOut}, by_alias=True)
def continue_message(
    request: HttpRequest, id: UUID, body: schemas.NoFields | None = None
) -> object:
    """Continue an answer that was stopped, interrupted or cut."""
    user = get_user(request)
    answer = access.get_message_or_404(user, id)
    with idempotent_request(request, user) as once:
        reply = replies.continue_reply(user, answer=answer, request_id=once.id)
    reply.conversation.refresh_from_db()  # the database sets a time
    return Status(201, outputs.build_reply(reply))
