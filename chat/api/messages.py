"""The API of messages: read one, write another version, continue one."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Router, Status

from chat import access, replies
from chat.api import outputs, schemas
from chat.api.auth import ApiUser, get_user
from chat.api.idempotency import get_request_id
from chat.api.problems import Problem
from chat.api.replies import clean_text
from chat.conversations.tree import Tree
from chat.models import Message
from chat.replies import ReplySettings

router = Router(auth=ApiUser(), tags=["messages"])


@router.get("/{uuid:id}", response=schemas.MessageOut, by_alias=True)
def read_message(request: HttpRequest, id: UUID) -> object:
    """A message as it is now. The text of a running answer grows."""
    message = access.get_message_or_404(get_user(request), id)
    versions = Tree.from_conversation(message.conversation).list_versions(message.pk)
    return outputs.build_message(message, versions)


@router.post("/{uuid:id}/versions", response={201: schemas.ReplyOut}, by_alias=True)
def create_version(request: HttpRequest, id: UUID, body: schemas.VersionIn) -> object:
    """Edit a question, or have an answer written again. The old versions stay."""
    user = get_user(request)
    message = access.get_message_or_404(user, id)
    request_id = get_request_id(request, user)
    if message.role == Message.Role.USER:
        if body.text is None:
            raise Problem(422, "empty", _("Send the new text of the question."))
        reply = replies.edit_question(
            user,
            question=message,
            text=clean_text(body.text),
            request_id=request_id,
            reply_settings=ReplySettings.from_conversation(message.conversation, body.model or ""),
        )
        return Status(201, outputs.build_reply(reply))
    if body.text is not None:
        raise Problem(422, "no_question", _("Only the text of a question can be changed."))
    model, provider = (body.model, "") if body.model else (message.model, message.provider)
    reply = replies.regenerate_answer(
        user,
        answer=message,
        request_id=request_id,
        reply_settings=ReplySettings.from_conversation(message.conversation, model, provider),
    )
    return Status(201, outputs.build_reply(reply))


@router.post("/{uuid:id}/continuations", response={201: schemas.ReplyOut}, by_alias=True)
def continue_message(request: HttpRequest, id: UUID) -> object:
    """Continue an answer that was stopped, interrupted or cut."""
    user = get_user(request)
    answer = access.get_message_or_404(user, id)
    reply = replies.continue_reply(user, answer=answer, request_id=get_request_id(request, user))
    reply.conversation.refresh_from_db()  # the database sets a time
    return Status(201, outputs.build_reply(reply))
