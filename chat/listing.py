"""What can be done with a conversation in the list: give it a title, pin it, delete it and have it
back. Every tab hears of it by `changed`."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from chat import access, conversations
from chat.deleted import forget, remember
from chat.models import Conversation
from chat.pages import UserRequest, fragment, sign_in, uncached, visitor


@require_safe
def menu(request: UserRequest, id: UUID) -> HttpResponse:
    """What can be done with it: for htmx a menu, otherwise a page."""
    user = visitor(request)
    if user is None:
        return sign_in(request, request.path)
    context = {"conversation": access.conversation_or_404(user, id)}
    if request.htmx:
        return fragment(request, "chat/_menu.html", context)
    return uncached(render(request, "chat/menu.html", context))


@require_POST
def title(request: UserRequest, id: UUID) -> HttpResponse:
    """Give it this title."""
    user = visitor(request)
    if user is None:
        return sign_in(request, reverse("home"))
    found = access.conversation_or_404(user, id)
    conversations.rename(found, request.POST.get("title", ""))
    return _done(request, found)


@require_POST
def pin(request: UserRequest, id: UUID) -> HttpResponse:
    """Pin it, or no longer."""
    user = visitor(request)
    if user is None:
        return sign_in(request, reverse("home"))
    found = access.conversation_or_404(user, id)
    conversations.pin(found, request.POST.get("pinned") == "yes")
    return _done(request, found)


@require_POST
def reading(request: UserRequest, id: UUID) -> HttpResponse:
    """Its owner is looking at it."""
    user = visitor(request)
    if user is None:
        return HttpResponse(status=401)
    found = access.conversation_or_404(user, id)
    conversations.mark_read(found)
    return _done(request, found)


@require_POST
def deletion(request: UserRequest, id: UUID) -> HttpResponse:
    """Delete it, and offer to have it back for a moment."""
    user = visitor(request)
    if user is None:
        return sign_in(request, reverse("home"))
    found = access.conversation_or_404(user, id)
    conversations.discard(found)
    if request.htmx and request.POST.get("open") != str(id):
        return fragment(request, "chat/_deleted.html", {"deleted": found})
    remember(request, found)
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("home")})
    return redirect("home")


@require_POST
def restoration(request: UserRequest, id: UUID) -> HttpResponse:
    """Have it back."""
    user = visitor(request)
    if user is None:
        return sign_in(request, reverse("home"))
    found = access.deleted_or_404(user, id)
    conversations.restore(found)
    forget(request)
    return _done(request, found)


def _done(request: UserRequest, conversation: Conversation) -> HttpResponse:
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("conversation", conversation.pk)
