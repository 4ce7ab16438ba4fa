"""Pages, fragments and rejections as responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.decorators import HtmxRequest, UserRequest
from chat.conversations.sidebar import RowPosition, load_sidebar
from chat.conversations.undo import find_just_deleted
from chat.drafts.storage import list_drafts
from chat.models import Conversation
from chat.presentation.composer import RESTORED_FIELDS, build_composer
from chat.presentation.message_pages import MessagePage, load_branch_page, load_page_before
from chat.presentation.message_views import build_blank_views
from chat.replies import CONVERSATION_MOVED, PagePosition, ReplyRejected

STARTERS = (
    gettext_lazy("Why do tides lag the moon?"),
    gettext_lazy("Plan three quiet days in Lisbon"),
    gettext_lazy("Explain OAuth to a beginner"),
)


def render_page(
    request: UserRequest,
    conversation: Conversation | None,
    *,
    initial: Mapping[str, str],
    target_id: UUID | None = None,
    before_id: UUID | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Show the branch of the message `target_id`, or the messages before `before_id`. `initial`
    fills the composer."""
    shown = _load_message_page(conversation, target_id, before_id)
    running = next((view.stream_id for view in shown.messages if view.is_busy), "")
    position = None
    if conversation and conversation.current_leaf_id and shown.branch_end_id:
        position = PagePosition(shown.branch_end_id, conversation.current_leaf_id)
    context |= build_blank_views() | {
        "conversation": conversation,
        "title": conversation.title if conversation else _("New chat"),
        "message_views": shown.messages,
        "earlier_url": shown.earlier_url,
        "newest_url": shown.newest_url,
        "running_stream": running,
        "composer": build_composer(request.user, conversation, initial, running, position),
        "sidebar": load_sidebar(request.user, RowPosition.parse(request.GET.get("chats", ""))),
        "current_path": reverse("conversation", args=[conversation.pk]) if conversation else "",
        "drafts": list_drafts(request.user, conversation),
        "starters": STARTERS,
        "moved": CONVERSATION_MOVED,
        "deleted_conversation": find_just_deleted(request),
    }
    return add_no_store_headers(render(request, "chat/page.html", context, status=status))


def _load_message_page(
    conversation: Conversation | None, target_id: UUID | None, before_id: UUID | None
) -> MessagePage:
    if conversation is None:
        return MessagePage([])
    return (
        load_page_before(conversation, before_id)
        if before_id
        else load_branch_page(conversation, target_id)
    )


def render_fragment(
    request: HtmxRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return add_no_store_headers(render(request, template, context, status=status))


def add_no_store_headers(response: HttpResponse) -> HttpResponse:
    """A cached page would show old text of a reply. A cache that ignores `Vary` would serve a
    fragment as a page."""
    response["Cache-Control"] = "no-store, private"
    response["Vary"] = "HX-Request, Cookie"
    return response


def render_rejection(
    request: UserRequest,
    conversation: Conversation | None,
    rejection: ReplyRejected,
    *,
    target_id: UUID | None = None,
) -> HttpResponse:
    """Nothing was written. htmx leaves the text in its box; a page without scripts is rendered with
    the text in it."""
    context: dict[str, Any] = {"rejection": rejection}
    status = 422
    if rejection.code == "moved" and conversation is not None:
        status = 409
        context["old_leaf_id"] = request.POST.get("parent", "")
        context["new_leaf_id"] = conversation.current_leaf_id
        context["current_path"] = reverse("conversation", args=[conversation.pk])
    if request.htmx:
        return render_fragment(request, "chat/composer/_rejection.html", context, status=status)
    return render_page(
        request,
        conversation,
        initial=read_typed_fields(request),
        target_id=target_id,
        status=status,
        **context,
    )


def read_typed_fields(request: HtmxRequest) -> dict[str, str]:
    return {name: request.POST[name] for name in RESTORED_FIELDS if name in request.POST}
