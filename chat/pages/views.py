"""The pages to read. Each view answers a browser without scripts with a page, and htmx with a
fragment of that page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.decorators import HtmxRequest, UserRequest, answer_unauthorized, signed_in
from chat import access, conversations
from chat.conversations.sidebar import RowPosition, load_sidebar
from chat.pages.drafts import load_draft
from chat.pages.responses import render_fragment, render_page
from chat.presentation.message_pages import load_branch_page, load_page_before


def _render_landing_page(request: HtmxRequest) -> HttpResponse:
    return render(request, "chat/landing.html")


@require_safe
@signed_in(otherwise=_render_landing_page)
def home(request: UserRequest) -> HttpResponse:
    prefill = {name: request.GET[name] for name in ("text", "model") if name in request.GET}
    return render_page(request, None, initial=load_draft(request) | prefill)


@require_safe
@signed_in()
def conversation_page(request: UserRequest, id: UUID) -> HttpResponse:
    """Show all text that is committed now; for htmx only the messages. `leaf` names a message whose
    branch is shown instead of the newest one."""
    conversation = access.get_conversation_or_404(request.user, id)
    conversations.mark_read(conversation)
    target = _parse_uuid(request.GET.get("leaf", ""))
    if not request.htmx:
        return render_page(request, conversation, initial=load_draft(request), target_id=target)
    shown = load_branch_page(conversation, target)
    context = {
        "message_views": shown.messages,
        "earlier_url": shown.earlier_url,
        "newest_url": shown.newest_url,
    }
    return render_fragment(request, "chat/messages/_list.html", context)


@require_safe
@signed_in()
def earlier_messages(request: UserRequest, id: UUID) -> HttpResponse:
    conversation = access.get_conversation_or_404(request.user, id)
    before = _parse_uuid(request.GET.get("before", ""))
    if before is None or not conversation.messages.filter(pk=before).exists():
        raise Http404
    if not request.htmx:
        return render_page(request, conversation, initial=load_draft(request), before_id=before)
    shown = load_page_before(conversation, before)
    context = {"message_views": shown.messages, "earlier_url": shown.earlier_url}
    return render_fragment(request, "chat/messages/_earlier.html", context)


@require_safe
@signed_in(otherwise=answer_unauthorized)
def sidebar_fragment(request: UserRequest) -> HttpResponse:
    """`open` names the conversation to mark. `after` limits the rows to those after a position,
    `through` to those up to the position that the reader has reached."""
    open_id = _parse_uuid(request.GET.get("open", ""))
    context: dict[str, Any] = {
        "current_path": reverse("conversation", args=[open_id]) if open_id else ""
    }
    if after := RowPosition.parse(request.GET.get("after", "")):
        context["sidebar"] = load_sidebar(request.user, after, is_appended=True)
        return render_fragment(request, "conversations/_rows.html", context)
    through = RowPosition.parse(request.GET.get("through", ""))
    context["sidebar"] = load_sidebar(request.user, through=through)
    return render_fragment(request, "conversations/_list.html", context)


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
