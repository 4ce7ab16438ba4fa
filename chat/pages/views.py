"""The pages: a guard, a form, a verb, and what is rendered. Each answers a browser without
scripts with a page, and htmx with the fragment that page is made of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from chat import access, conversations, replies
from chat.conversations.sidebar import RowPosition, load_sidebar
from chat.messages.forms import ComposerForm
from chat.models import Conversation, Message
from chat.pages.responses import (
    UserRequest,
    delete_draft,
    get_current_user,
    load_draft,
    redirect_to_sign_in,
    render_fragment,
    render_page,
    render_rejection,
    require_post_or_redirect,
    save_draft_and_sign_in,
)
from chat.presentation.message_views import build_message_view, load_branch_page, load_page_before
from chat.replies import ReplyRejected
from streaming import lifecycle

APPEARANCES = {"theme": {"light", "dark"}, "type": {"sans"}}
"""What a browser may be asked to look like; anything else is as we or the system have it."""
COOKIE_AGE_SECONDS = 365 * 24 * 60 * 60


# Pages


@require_safe
def home(request: UserRequest) -> HttpResponse:
    """A new chat; who is not signed in sees what this is."""
    user = get_current_user(request)
    if user is None:
        return render(request, "chat/landing.html")
    return render_page(request, user, None, initial=load_draft(request) | _read_prefill(request))


@require_safe
def conversation_page(request: UserRequest, id: UUID) -> HttpResponse:
    """A conversation with all of its text that is committed now; for htmx the messages. `leaf`
    names a message whose branch is to be shown instead of the one written last."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, request.get_full_path())
    found = access.get_conversation_or_404(user, id)
    conversations.mark_read(found)
    through = _parse_uuid(request.GET.get("leaf", ""))
    if request.htmx:
        stretch = load_branch_page(found, through)
        shown = {
            "message_views": stretch.messages,
            "earlier_url": stretch.earlier_url,
            "newest_url": stretch.newest_url,
        }
        return render_fragment(request, "chat/messages/_list.html", shown)
    return render_page(request, user, found, initial=load_draft(request), target_id=through)


@require_safe
def earlier_messages(request: UserRequest, id: UUID) -> HttpResponse:
    """The messages `before` one; for htmx in place of the link that led here."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, request.get_full_path())
    found = access.get_conversation_or_404(user, id)
    before = _parse_uuid(request.GET.get("before", ""))
    if before is None or not found.messages.filter(pk=before).exists():
        raise Http404
    if not request.htmx:
        return render_page(request, user, found, initial=load_draft(request), before_id=before)
    stretch = load_page_before(found, before)
    shown = {"message_views": stretch.messages, "earlier_url": stretch.earlier_url}
    return render_fragment(request, "chat/messages/_earlier.html", shown)


@require_safe
def message_fragment(request: UserRequest, id: UUID) -> HttpResponse:
    """One message as it stands: what a page asks for at the end of a reply, or in doubt."""
    user = get_current_user(request)
    if user is None:
        return HttpResponse(status=401)
    found = access.get_message_or_404(user, id)
    return render_fragment(
        request, "chat/messages/_message.html", {"message": build_message_view(found)}
    )


@require_safe
def sidebar_fragment(request: UserRequest) -> HttpResponse:
    """The list of conversations, with the mark at the one that is `open` beside it, and all rows
    `through` the place that its reader has come to; or only the rows `after` a place."""
    user = get_current_user(request)
    if user is None:
        return HttpResponse(status=401)
    at = _parse_uuid(request.GET.get("open", ""))
    context: dict[str, Any] = {"current_path": reverse("conversation", args=[at]) if at else ""}
    if after := RowPosition.parse(request.GET.get("after", "")):
        context["sidebar"] = load_sidebar(user, after, is_appended=True)
        return render_fragment(request, "conversations/_rows.html", context)
    through = RowPosition.parse(request.GET.get("through", ""))
    context["sidebar"] = load_sidebar(user, through=through)
    return render_fragment(request, "conversations/_list.html", context)


# Verbs


@require_post_or_redirect("home")
def start_conversation(request: UserRequest) -> HttpResponse:
    """The first message of a new conversation."""
    user = get_current_user(request)
    if user is None:
        return save_draft_and_sign_in(request, reverse("home"))
    return _start_reply(request, user, None)


@require_post_or_redirect("conversation")
def send_message(request: UserRequest, id: UUID) -> HttpResponse:
    """The next message of a conversation."""
    user = get_current_user(request)
    if user is None:
        return save_draft_and_sign_in(request, reverse("conversation", args=[id]))
    return _start_reply(request, user, access.get_conversation_or_404(user, id))


@require_POST
def stop_reply(request: UserRequest, uuid: UUID) -> HttpResponse:
    """End a reply where it stands. One that is over already stays as it is."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    stream = access.get_stream_or_404(user, uuid)
    lifecycle.stop(stream.pk)
    if request.htmx:
        return HttpResponse(status=204)
    answer = Message.objects.filter(stream=stream).first()
    return redirect("conversation", answer.conversation_id) if answer else redirect("home")


@require_POST
def set_appearance(request: UserRequest, name: str) -> HttpResponse:
    """The colours, or the type of replies, from now on in this browser."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("home")
    response = HttpResponseRedirect(back)  # `redirect` would take a word for the name of a view
    chosen = request.POST.get(name, "")
    if chosen in APPEARANCES[name]:
        response.set_cookie(
            name, chosen, max_age=COOKIE_AGE_SECONDS, samesite="Lax", secure=request.is_secure()
        )
    else:
        response.delete_cookie(name, samesite="Lax")
    return response


# What they share


def _start_reply(
    request: UserRequest, user: User, conversation: Conversation | None
) -> HttpResponse:
    form = ComposerForm(request.POST)
    if not form.is_valid():
        return render_rejection(
            request, user, conversation, ReplyRejected("form", form.first_error)
        )
    try:
        reply = replies.start_reply(
            user,
            text=form.cleaned_data["text"],
            request_id=form.cleaned_data["request_id"],
            reply_settings=form.reply_settings,
            conversation=conversation,
            position=form.page_position,
        )
    except ReplyRejected as refused:
        if conversation is not None:
            conversation.refresh_from_db()
        return render_rejection(request, user, conversation, refused)
    delete_draft(request)
    where = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(where)
    exchange = [build_message_view(reply.question), build_message_view(reply.answer)]
    response = render_fragment(request, "chat/messages/_new.html", {"message_views": exchange})
    if conversation is None:
        response["HX-Push-Url"] = where
    return response


def _read_prefill(request: UserRequest) -> dict[str, str]:
    """A new chat may be begun by a link that names a text or a model."""
    return {name: request.GET[name] for name in ("text", "model") if name in request.GET}


def _parse_uuid(id: str) -> UUID | None:
    try:
        return UUID(id)
    except ValueError:
        return None
