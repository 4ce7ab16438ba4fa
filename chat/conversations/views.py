"""Actions on a conversation in the list: rename, pin, mark as read, delete, restore. A `changed`
notification reports each of them to all tabs of the person."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import UserRequest, answer_unauthorized, signed_in
from chat import access, conversations
from chat.conversations.undo import forget_deleted, remember_deleted
from chat.models import Conversation
from chat.pages.responses import add_no_store_headers, render_fragment


@require_safe
@signed_in()
def conversation_menu(request: UserRequest, id: UUID) -> HttpResponse:
    context = {"conversation": access.get_conversation_or_404(request.user, id)}
    if request.htmx:
        return render_fragment(request, "conversations/_menu.html", context)
    return add_no_store_headers(render(request, "conversations/menu.html", context))


@require_POST
@signed_in()
def rename_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    conversation = access.get_conversation_or_404(request.user, id)
    conversations.rename(conversation, request.POST.get("title", ""))
    return _build_done_response(request, conversation)


@require_POST
@signed_in()
def pin_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    conversation = access.get_conversation_or_404(request.user, id)
    conversations.set_pinned(conversation, request.POST.get("pinned") == "yes")
    return _build_done_response(request, conversation)


@require_POST
@signed_in(otherwise=answer_unauthorized)
def mark_read(request: UserRequest, id: UUID) -> HttpResponse:
    """A page posts this when a reply ends while the conversation is open."""
    conversation = access.get_conversation_or_404(request.user, id)
    conversations.mark_read(conversation)
    return _build_done_response(request, conversation)


@require_POST
@signed_in()
def delete_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    """The answer offers to restore it. If `open` names this conversation, its page has to go, so
    the start page makes the offer."""
    conversation = access.get_conversation_or_404(request.user, id)
    conversations.soft_delete(conversation)
    if request.htmx and request.POST.get("open") != str(id):
        context = {"deleted_conversation": conversation}
        return render_fragment(request, "conversations/_undo_toast.html", context)
    remember_deleted(request, conversation)
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("home")})
    return redirect("home")


@require_POST
@signed_in()
def restore_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    conversation = access.get_deleted_or_404(request.user, id)
    conversations.restore(conversation)
    forget_deleted(request)
    return _build_done_response(request, conversation)


def _build_done_response(request: UserRequest, conversation: Conversation) -> HttpResponse:
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("conversation", conversation.pk)
