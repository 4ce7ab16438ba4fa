"""The API of conversations."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja import Router, Status

from chat import access, conversations
from chat.api import outputs, schemas
from chat.api.auth import ApiUser, get_user
from chat.api.idempotency import check_key, idempotent_request
from chat.api.problems import Problem, build_not_found
from chat.api.replies import start_reply
from chat.conversations.sidebar import RowPosition, load_page
from chat.models import Conversation

router = Router(auth=ApiUser(), tags=["conversations"])


@router.post("", response={201: schemas.ReplyOut}, by_alias=True)
def start_conversation(request: HttpRequest, body: schemas.ConversationIn) -> object:
    """Ask a question in a new conversation."""
    user = get_user(request)
    with idempotent_request(request, user) as once:
        reply = start_reply(user, body, once.id)
        if body.title and not once.is_repeated:
            conversations.rename(reply.conversation, body.title)
            reply.conversation.refresh_from_db()
    return Status(201, outputs.build_reply(reply))


@router.get("", response=schemas.ConversationPage, by_alias=True)
def list_conversations(
    request: HttpRequest,
    after: schemas.PagePosition | None = None,
    limit: schemas.Limit = schemas.DEFAULT_LIMIT,
) -> object:
    """Pinned ones first, then those that changed last."""
    position = RowPosition.parse(after) if after is not None else None
    if after is not None and position is None:
        raise Problem(
            422, "bad_cursor", _("“after” must be the “next” of a page that you got before.")
        )
    rows, end = load_page(get_user(request), position, limit)
    return schemas.ConversationPage(
        conversations=[outputs.build_row(row) for row in rows],
        next=str(end) if end else None,
    )


@router.get("/{uuid:id}", response=schemas.ConversationWithMessages, by_alias=True)
def read_conversation(
    request: HttpRequest, id: UUID, limit: schemas.Limit = schemas.DEFAULT_LIMIT
) -> object:
    """A conversation with the newest messages of the branch that is shown."""
    conversation = access.get_conversation_or_404(get_user(request), id)
    page = outputs.build_message_page(conversation, None, limit)
    return outputs.build_conversation_with_messages(conversation, page)


@router.patch("/{uuid:id}", response=schemas.ConversationOut, by_alias=True)
def change_conversation(request: HttpRequest, id: UUID, body: schemas.ConversationChange) -> object:
    """Rename, pin or unpin it, or mark it as read. Fields that are left out stay."""
    conversation = access.get_conversation_or_404(get_user(request), id)
    if body.title is not None:
        conversations.rename(conversation, body.title)
    if body.pinned is not None:
        conversations.set_pinned(conversation, body.pinned)
    if body.read:
        conversations.mark_read(conversation)
    conversation.refresh_from_db()
    return outputs.build_conversation(conversation)


@router.delete("/{uuid:id}", response={204: None})
def delete_conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """Its replies are stopped. It can be restored for ten seconds, then it is deleted for good."""
    conversations.soft_delete(access.get_conversation_or_404(get_user(request), id))
    return HttpResponse(status=204)


@router.post("/{uuid:id}/restoration", response=schemas.ConversationOut, by_alias=True)
def restore_conversation(
    request: HttpRequest, id: UUID, body: schemas.NoFields | None = None
) -> object:
    """Undo a deletion. One that was undone already is answered alike."""
    user = get_user(request)
    check_key(request)
    if deleted := access.find_deleted(user, id):
        conversations.restore(deleted)
    return outputs.build_conversation(access.get_conversation_or_404(user, id))


@router.get("/{uuid:id}/messages", response=schemas.MessageList, by_alias=True)
def list_messages(
    request: HttpRequest,
    id: UUID,
    before: UUID | None = None,
    limit: schemas.Limit = schemas.DEFAULT_LIMIT,
) -> object:
    """Messages of a branch, oldest first: the newest ones, or those before a message."""
    conversation = access.get_conversation_or_404(get_user(request), id)
    try:
        return outputs.build_message_page(conversation, before, limit)
    except KeyError:
        raise build_not_found() from None


@router.post("/{uuid:id}/messages", response={201: schemas.ReplyOut}, by_alias=True)
def send_message(request: HttpRequest, id: UUID, body: schemas.MessageIn) -> object:
    """Ask a question. While another reply of the conversation runs, the answer waits."""
    user = get_user(request)
    conversation: Conversation = access.get_conversation_or_404(user, id)
    with idempotent_request(request, user) as once:
        reply = start_reply(user, body, once.id, conversation)
    return Status(201, outputs.build_reply(reply))
