"""What can be done with a conversation in the list: give it a title, pin it, delete it and have it
back. Every tab hears of it by `changed`."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from chat import access, conversations
from chat.conversations.undo import forget_deleted, remember_deleted
from chat.models import Conversation
from chat.pages.responses import (
    UserRequest,
    add_no_store_headers,
    get_current_user,
    redirect_to_sign_in,
    render_fragment,
)


@require_safe
def conversation_menu(request: UserRequest, id: UUID) -> HttpResponse:
    """What can be done with it: for htmx a menu, otherwise a page."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, request.path)
    context = {"conversation": access.get_conversation_or_404(user, id)}
    if request.htmx:
        return render_fragment(request, "conversations/_menu.html", context)
    return add_no_store_headers(render(request, "conversations/menu.html", context))


@require_POST
def rename_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    """Give it this title."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    found = access.get_conversation_or_404(user, id)
    conversations.rename(found, request.POST.get("title", ""))
    return _build_done_response(request, found)


@require_POST
def pin_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    """Pin it, or no longer."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    found = access.get_conversation_or_404(user, id)
    conversations.set_pinned(found, request.POST.get("pinned") == "yes")
    return _build_done_response(request, found)


@require_POST
def mark_read(request: UserRequest, id: UUID) -> HttpResponse:
    """Its owner is looking at it."""
    user = get_current_user(request)
    if user is None:
        return HttpResponse(status=401)
    found = access.get_conversation_or_404(user, id)
    conversations.mark_read(found)
    return _build_done_response(request, found)


@require_POST
def delete_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    """Delete it, and offer to have it back for a moment."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    found = access.get_conversation_or_404(user, id)
    conversations.soft_delete(found)
    if request.htmx and request.POST.get("open") != str(id):
        return render_fragment(
            request, "conversations/_undo_toast.html", {"deleted_conversation": found}
        )
    remember_deleted(request, found)
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("home")})
    return redirect("home")


@require_POST
def restore_conversation(request: UserRequest, id: UUID) -> HttpResponse:
    """Have it back."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    found = access.get_deleted_or_404(user, id)
    conversations.restore(found)
    forget_deleted(request)
    return _build_done_response(request, found)


def _build_done_response(request: UserRequest, conversation: Conversation) -> HttpResponse:
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("conversation", conversation.pk)
